"""Regions beside each other: one row each, the measurements that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from .results import UNITS, interval_text, number, tip_of, value_text

if TYPE_CHECKING:
    from ..core.report import Measurement, Report

COLUMNS = (
    ("Tissue", "tissue_area"),
    ("Fat", "fat_area_fraction"),
    ("Macro", "macro_area_fraction"),
    ("Micro", "micro_area_fraction"),
    ("Hep. eq.", "hepatocyte_equivalent"),
    ("Density", "droplet_density"),
    ("Median Ø", "droplet_diameter_median"),
)
"""Heading and measurement."""

ALL = "All together"


class PartTable(QTableWidget):
    """One row per part of the tissue, to be read only.

    Parameters
    ----------
    part : str
        Heading of the first column.
    columns : sequence of (str, str)
        Heading and measurement of the others.
    """

    def __init__(self, part: str, columns: Sequence[tuple[str, str]]) -> None:
        super().__init__(0, 1 + len(columns))
        self.setHorizontalHeaderLabels([part, *(heading for heading, _ in columns)])
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)


class RegionTable(PartTable):
    """One row per region, and one of all together."""

    def __init__(self) -> None:
        super().__init__("Region", COLUMNS)

    def show_reports(self, together: Report | None, regions: Sequence[Report]) -> None:
        """Show regions and all of them together; nothing where there are none."""
        rows = [(one.title, one) for one in regions]
        if together is not None and regions:
            rows.append((ALL, together))
        self.setRowCount(len(rows))
        for row, (title, report) in enumerate(rows):
            self.setItem(row, 0, QTableWidgetItem(title))
            for column, (_, name) in enumerate(COLUMNS, start=1):
                self.setItem(row, column, measured_cell(report[name]))


def measured_cell(measurement: Measurement) -> QTableWidgetItem:
    """Return a cell with value and unit; interval and definition show where the mouse rests."""
    text, tip = value_text(measurement), tip_of(measurement)
    if interval := interval_text(measurement):
        unit = UNITS.get(measurement.unit, measurement.unit)
        tip = f"{number(measurement.value)} {unit}, 95 % interval {interval} {unit}\n{tip}"
    item = QTableWidgetItem(text)
    item.setToolTip(tip)
    item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return item
