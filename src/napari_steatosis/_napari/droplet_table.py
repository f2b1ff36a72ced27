"""The table of droplets: columns of arrays, of which Qt asks for the rows that it shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt, Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from ..io._palette import DROPLET_COLOURS

if TYPE_CHECKING:
    from ..core.report import Columns

NO_INDEX = QModelIndex()
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
ROW_PX = 22

COLUMNS: tuple[tuple[str, str, Callable[[Any], str], str], ...] = (
    ("#", "id", str, "Number of the droplet, from the top of the slide to the bottom"),
    ("Ø µm", "diameter_um", "{:.1f}".format, "Diameter of the disc with the droplet's area, µm"),
    ("µm²", "area_um2", "{:.1f}".format, "Area of the droplet, µm²"),
    ("Size", "is_macro", lambda macro: "macro" if macro else "micro", "By the cut above"),
    ("Round", "roundness", "{:.2f}".format, "1 for a disc, less for any other shape"),
    ("y µm", "y_um", "{:.0f}".format, "Centre in the tissue"),
    ("x µm", "x_um", "{:.0f}".format, "Centre in the tissue"),
    ("Cut", "touches_border", lambda cut: "cut" if cut else "", "Touches the border of what "
     "was analysed: its size is a lower bound"),
)  # fmt: skip
"""Heading, column of the table, how a value is written, what it means."""

MACRO = [one[1] for one in COLUMNS].index("is_macro")


class DropletModel(QAbstractTableModel):
    """Droplets in an order; a value is written when its row comes into view."""

    def __init__(self) -> None:
        super().__init__()
        self._columns: dict[str, NDArray[Any]] = {}
        self._count, self._by = 0, (0, False)
        self._order: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sorted: dict[int, NDArray[np.int64]] = {}
        self._places: NDArray[np.int64] | None = None

    def show(self, droplets: Columns, macro_um2: float) -> None:
        """Show other droplets, in the order that was chosen before."""
        self.beginResetModel()
        self._columns, self._sorted = dict(droplets), {}
        self._count = len(droplets.get("id", ()))
        self._columns["is_macro"] = self._macro(macro_um2)
        self._arrange()
        self.endResetModel()

    def recut(self, macro_um2: float) -> None:
        """Show which droplets are macro by another cut, um2."""
        self._columns["is_macro"] = self._macro(macro_um2)
        self._sorted.pop(MACRO, None)
        if self._by[0] == MACRO:
            self.layoutAboutToBeChanged.emit()
            self._arrange()
            self.layoutChanged.emit()
        elif self._count:
            self.dataChanged.emit(self.index(0, MACRO), self.index(self._count - 1, MACRO))

    def _macro(self, macro_um2: float) -> NDArray[np.bool_]:
        return np.asarray(self._columns.get("area_um2", np.zeros(0)) >= macro_um2)

    def _arrange(self) -> None:
        column, falling = self._by
        if column not in self._sorted:
            values = self._columns.get(COLUMNS[column][1], np.zeros(0))
            self._sorted[column] = np.argsort(values, kind="stable")
        rising = self._sorted[column]
        self._order = rising[::-1] if falling else rising
        self._places = None

    def droplet_at(self, row: int) -> int:
        """Return which droplet, from 0 as in the table of the report, stands in a row."""
        return int(self._order[row])

    def row_of(self, droplet: int) -> int:
        """Return the row in which a droplet stands now."""
        if self._places is None:
            self._places = np.empty(self._count, np.int64)
            self._places[self._order] = np.arange(self._count)
        return int(self._places[droplet])

    # What Qt asks for

    def rowCount(self, parent: QModelIndex = NO_INDEX) -> int:
        return 0 if parent.isValid() else self._count

    def columnCount(self, parent: QModelIndex = NO_INDEX) -> int:
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return RIGHT
        if role not in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ForegroundRole):
            return None
        _, name, text, _ = COLUMNS[index.column()]
        value = self._columns[name][self._order[index.row()]]
        if role == Qt.ItemDataRole.DisplayRole:
            return text(value)
        if index.column() != MACRO:
            return None
        return QColor(*DROPLET_COLOURS["macro" if value else "micro"])

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        if orientation == Qt.Orientation.Horizontal:
            if role == Qt.ItemDataRole.DisplayRole:
                return COLUMNS[section][0]
            if role == Qt.ItemDataRole.ToolTipRole:
                return COLUMNS[section][3]
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        if column < 0:
            return
        self.layoutAboutToBeChanged.emit()
        self._by = (column, order == Qt.SortOrder.DescendingOrder)
        self._arrange()
        self.layoutChanged.emit()


class DropletTable(QTableView):
    """Droplets of a report, sorted by a click on a heading."""

    chosen = Signal(int)
    """A person has chosen a droplet; counted from 0."""

    def __init__(self) -> None:
        super().__init__()
        self.droplet: int | None = None
        self.rows = DropletModel()
        self.setModel(self.rows)
        self.setSortingEnabled(True)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setWordWrap(False)
        down, across = self.verticalHeader(), self.horizontalHeader()
        down.hide()
        down.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        down.setDefaultSectionSize(ROW_PX)
        across.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        across.setStretchLastSection(True)
        across.setMinimumSectionSize(36)
        for column, width in enumerate((58, 48, 56, 52, 50, 50, 50, 30)):
            self.setColumnWidth(column, width)
        self.selectionModel().currentRowChanged.connect(self._row_changed)
        self.rows.layoutChanged.connect(self._show_chosen)
        self._quiet = False

    def show_droplets(self, droplets: Columns, macro_um2: float) -> None:
        """Show the droplets of a report, with none of them chosen."""
        self.droplet = None
        self.rows.show(droplets, macro_um2)

    def choose(self, droplet: int) -> None:
        """Select the row of a droplet that was chosen elsewhere, and bring it into view."""
        self.droplet = droplet
        self._show_chosen()

    def _show_chosen(self) -> None:
        """Select the row that the chosen droplet stands in now; nobody has chosen it anew."""
        self._quiet = True
        if self.droplet is None:
            self.selectionModel().clear()
        else:
            index = self.rows.index(self.rows.row_of(self.droplet), 0)
            self.setCurrentIndex(index)
            self.scrollTo(index, QAbstractItemView.ScrollHint.PositionAtCenter)
        self._quiet = False

    def _row_changed(self, now: QModelIndex, _: QModelIndex) -> None:
        if now.isValid() and not self._quiet:
            self.droplet = self.rows.droplet_at(now.row())
            self.chosen.emit(self.droplet)
