"""A report as a table of numbers with their unit, interval and definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from ..io.write_report import printed, words

if TYPE_CHECKING:
    from ..core.report import Measurement, Report

COLUMNS = ("Measure", "Value", "95 % interval")
UNITS = {"mm^2": "mm²", "um^2": "µm²", "um": "µm", "1/mm^2": "/mm²"}


class ResultTable(QTableWidget):
    """One row per measurement; the definition is shown where the mouse rests."""

    def __init__(self) -> None:
        super().__init__(0, len(COLUMNS))
        self.setHorizontalHeaderLabels(COLUMNS)
        self.verticalHeader().hide()
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def show_report(self, report: Report | None) -> None:
        """Fill the table, or empty it."""
        self.show_measurements(() if report is None else report.measurements)

    def show_measurements(self, measurements: Sequence[Measurement]) -> None:
        """Fill the table with measurements, one per row."""
        self.setRowCount(len(measurements))
        for row, measurement in enumerate(measurements):
            texts = (words(measurement.name), value_text(measurement), interval_text(measurement))
            for column, text in enumerate(texts):
                item = QTableWidgetItem(text)
                item.setToolTip(tip_of(measurement))
                if column:
                    item.setTextAlignment(
                        Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
                    )
                self.setItem(row, column, item)


def tip_of(measurement: Measurement) -> str:
    """Return what is told of a measurement where the mouse rests: what it is, and what it lacks."""
    lines = measurement.name, measurement.definition, measurement.note
    return printed("\n".join(line for line in lines if line))


def value_text(measurement: Measurement) -> str:
    """Return value and unit as they stand in the table."""
    if math.isnan(measurement.value):
        return "–"
    unit = UNITS.get(measurement.unit, measurement.unit)
    whole = not measurement.unit and measurement.value.is_integer()
    return f"{number(measurement.value, whole=whole)} {unit}".rstrip()


def interval_text(measurement: Measurement) -> str:
    """Return the interval as it stands in the table; empty where there is none."""
    if measurement.interval is None:
        return ""
    low, high = measurement.interval
    return f"{number(low)} to {number(high)}"


def number(value: float, *, whole: bool = False) -> str:
    """Return a number with three significant digits, large ones in full.

    Examples
    --------
    >>> number(18.345), number(0.01234), number(23518.0, whole=True)
    ('18.3', '0.0123', '23 518')
    """
    if whole or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:#.3g}".rstrip(".")
