"""What was measured, under tabs: numbers, droplets with their histogram, regions, zones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import CheckBox, FloatSpinBox
from qtpy.QtWidgets import QHBoxLayout, QLabel, QTabWidget, QVBoxLayout, QWidget

from ..io._palette import DROPLET_COLOURS
from .droplet_table import DropletTable
from .histogram import Histogram, diameter_of
from .panel import wrapped_label
from .region_table import RegionTable
from .results import ResultTable, value_text
from .zone_table import ZoneTable

if TYPE_CHECKING:
    from .measuring import Measured

NUMBERS, DROPLETS, REGIONS, ZONES = range(4)


class MeasureTabs(QTabWidget):
    """Tables and histogram of a report.

    Parameters
    ----------
    cut : FloatSpinBox
        The area from which on droplets are macro, um2; it stands under the histogram.
    circles : CheckBox
        Whether droplets in the view are circled.
    """

    def __init__(self, cut: FloatSpinBox, circles: CheckBox) -> None:
        super().__init__()
        self.numbers, self.droplets, self.regions = ResultTable(), DropletTable(), RegionTable()
        self.zones, self.histogram = ZoneTable(), Histogram()
        self.shares, self.seen = wrapped_label(), wrapped_label()
        page = QWidget()
        down = QVBoxLayout(page)
        down.setContentsMargins(4, 4, 4, 4)
        row = QHBoxLayout()
        row.addWidget(QLabel(cut.label))
        row.addWidget(cut.native)
        row.addStretch(1)
        row.addWidget(circles.native)
        down.addWidget(self.histogram)
        down.addLayout(row)
        down.addWidget(self.shares)
        down.addWidget(self.droplets, 1)
        down.addWidget(self.seen)
        self.addTab(self.numbers, "Measurements")
        self.addTab(page, "Droplets")
        self.addTab(self.regions, "Regions")
        self.addTab(self.zones, "Zones")
        self.histogram.show_cut(diameter_of(float(cut.value)))
        self.say("")
        self.show_measured(None, 0.0)

    def show_measured(self, measured: Measured | None, macro_um2: float) -> None:
        """Show what was measured, or that nothing is."""
        report = None if measured is None else measured.report
        table = {} if report is None else report.tables["droplets"]
        regions = () if measured is None else measured.regions
        self._diameters = table.get("diameter_um", ())
        self.droplets.show_droplets(table, macro_um2)
        self.histogram.show_diameters(self._diameters)
        self.numbers.show_report(report)
        self.regions.show_reports(report, regions)
        self.setTabEnabled(REGIONS, bool(regions))
        self.setTabToolTip(
            REGIONS, "" if regions else "Choose a Shapes layer under 'Only inside' and measure"
        )
        zonal = self.zones.show_report(report)
        self.setTabEnabled(ZONES, zonal)
        self.setTabToolTip(ZONES, "" if zonal else "Choose portal or central regions and measure")
        self.shares.setText("")
        self.say("")

    def show_cut(self, measured: Measured, macro_um2: float) -> None:
        """Show the same droplets and numbers by another cut."""
        report = measured.report
        self.droplets.rows.recut(macro_um2)
        self.numbers.show_report(report)
        self.regions.show_reports(report, measured.regions)
        self.zones.show_report(report)
        words = [
            f'<span style="color: rgb{DROPLET_COLOURS[name]}">■</span> {name} '
            f"{value_text(report[f'{name}_area_fraction'])} of tissue"
            for name in ("micro", "macro")
        ]
        self.shares.setText("&nbsp;&nbsp;&nbsp;".join(words))

    def mark(self, droplet: int) -> None:
        """Point at a droplet in the histogram."""
        self.histogram.mark(float(self._diameters[droplet]))

    def choose(self, droplet: int) -> None:
        """Select a droplet in the table that was clicked in the view."""
        self.setCurrentIndex(DROPLETS)
        self.droplets.choose(droplet)
        self.mark(droplet)

    def say(self, text: str) -> None:
        """Say what is shown in the view."""
        self.seen.setText(text)
        self.seen.setVisible(bool(text))
