"""Zones of the lobule beside each other: one row each, and where the fat predominates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QTableWidgetItem, QVBoxLayout, QWidget

from ..io.write_report import printed
from .panel import wrapped_label
from .region_table import PartTable, measured_cell
from .results import interval_text, tip_of, value_text

if TYPE_CHECKING:
    from ..core.report import Measurement, Report

COLUMNS = (
    ("Tissue", "tissue_area"),
    ("Fat", "fat_area_fraction"),
    ("Macro", "macro_area_fraction"),
    ("Micro", "micro_area_fraction"),
    ("Droplets", "droplet_count"),
    ("Density", "droplet_density"),
)
"""Heading and how the name of a measurement ends."""

RATIO = "zone_3_to_1_ratio"


class ZoneTable(QWidget):
    """One row per zone or ring, and a line with the ratio of zone 3 to zone 1."""

    def __init__(self) -> None:
        super().__init__()
        self.rows, self.ratio = PartTable("Zone", COLUMNS), wrapped_label()
        down = QVBoxLayout(self)
        down.setContentsMargins(0, 0, 0, 0)
        down.addWidget(self.rows, 1)
        down.addWidget(self.ratio)

    def show_report(self, report: Report | None) -> bool:
        """Show the zones of a report, and say whether it has any."""
        found = {} if report is None else {one.name: one for one in report.measurements}
        there = (name.removesuffix("_tissue_area") for name in found)
        names = [name for name in there if name[:5] in ("zone_", "ring_") and name[5:].isdigit()]
        self.rows.setRowCount(len(names))
        for row, name in enumerate(names):
            definition = found[f"{name}_tissue_area"].definition
            title = QTableWidgetItem(_title(definition.partition(":")[0]))
            title.setToolTip(printed(definition))
            title.setTextAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
            self.rows.setItem(row, 0, title)
            for column, (_, end) in enumerate(COLUMNS, start=1):
                self.rows.setItem(row, column, measured_cell(found[f"{name}_{end}"]))
        self.ratio.setText(_ratio_text(found[RATIO]) if RATIO in found else "")
        self.ratio.setToolTip(tip_of(found[RATIO]) if RATIO in found else "")
        self.ratio.setVisible(RATIO in found)
        return bool(names)


def _title(said: str) -> str:
    """Return how a zone is called in its row.

    Examples
    --------
    >>> _title("Zone 1, periportal"), _title("Ring 2, 100 to 200 um from a vein")
    ('1, periportal', '100 to 200 µm from a vein')
    """
    zone, _, rest = said.partition(", ")
    return f"{zone[5:]}, {rest}" if zone.startswith("Zone") else rest.replace(" um", " µm")


def _ratio_text(ratio: Measurement) -> str:
    interval = interval_text(ratio)
    text = f"Fat in zone 3 over zone 1: {value_text(ratio)}"
    if interval:
        text += f" (95 % interval {interval})"
    return printed(f"{text}. {ratio.note}").rstrip()
