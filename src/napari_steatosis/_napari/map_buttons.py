"""The buttons that add what was measured as layers: fat, grade, zones, territories, nuclei."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton

from .fat_map import FAT, HEPATOCYTES, fat_map_layer, grade_layer, show_map
from .label_map import label_map
from .nuclei_layer import nuclei_layer
from .view import camera_of, slide_px

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.report import Report

Shown = Callable[[], "tuple[Report, napari.layers.Labels] | None"]
"""The report that is shown now, and the labels that it was measured on."""


class MapButtons:
    """Buttons of a form; each adds a layer, or takes the place of its earlier one.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    shown : callable
        Gives the report, and its labels.
    """

    def __init__(self, viewer: napari.Viewer, shown: Shown) -> None:
        self._viewer, self._shown = viewer, shown
        names = ("Fat map", "Grade map", "Zones", "Territories", "Nuclei")
        self.all = tuple(PushButton(text=name, enabled=False) for name in names)
        self.fat, self.grade, self.zones, self.territories, self.nuclei = self.all
        self.fat.tooltip = "Local fat area fraction as an image, a pixel per square of 256 µm"
        self.grade.tooltip = (
            "The grade that each square of 256 µm would have by its share of hepatocytes with fat: "
            "of hepatocyte squares, or by nuclei where these were looked for. The grade of a place "
            "is not that of a patient."
        )
        self.zones.tooltip = (
            "Zones of the lobule and the drawn regions as labels; choose portal or central regions "
            "first"
        )
        self.territories.tooltip = (
            "What was taken for the hepatocyte of each nucleus, as labels: orange with fat, blue "
            "without. Choose 'Hepatocytes by: nuclei' first."
        )
        self.nuclei.tooltip = (
            "Nuclei taken for those of hepatocytes: orange with fat, blue without. Look at them "
            "before you use the share of hepatocytes. Choose 'Hepatocytes by: nuclei' first."
        )
        for button, make in (
            (self.fat, fat_map_layer),
            (self.grade, grade_layer),
            (self.zones, lambda report, labels: label_map(report, "zones", labels)),
            (self.territories, lambda report, labels: label_map(report, "territories", labels)),
            (self.nuclei, self._nuclei),
        ):
            button.changed.connect(self._adding(make))

    def enable(self, report: Report | None) -> None:
        """Let those be pressed for which there is something to show."""
        tables = {} if report is None else report.tables
        maps = () if report is None else report.maps
        self.fat.enabled = FAT in tables.get("tiles", {})
        self.grade.enabled = HEPATOCYTES in tables.get("tiles", {})
        self.zones.enabled = "zones" in maps
        self.territories.enabled = "territories" in maps
        self.nuclei.enabled = "hepatocytes" in tables

    def _adding(self, make: Any) -> Callable[[], None]:
        def add() -> None:
            if (now := self._shown()) is not None:
                show_map(self._viewer, make(*now))

        return add

    def _nuclei(self, report: Report, labels: napari.layers.Labels) -> Any:
        middle = slide_px(labels, [camera_of(self._viewer).center[-2:]])[0]
        return nuclei_layer(report, labels, middle)
