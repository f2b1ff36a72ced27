"""The buttons that add what was measured as layers: local fat, local grade, zones, nuclei."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton

from .fat_map import fat_map_layer, grade_layer, show_map
from .nuclei_layer import nuclei_layer
from .view import camera_of, slide_px
from .zone_layer import zone_layer

if TYPE_CHECKING:
    import napari.layers

    import napari

    from .measuring import Measured

Shown = Callable[[], "tuple[Measured, napari.layers.Labels] | None"]
"""What is measured now, and the labels that it was measured on."""


class MapButtons:
    """Buttons of a form; each adds a layer, or takes the place of its earlier one.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    shown : callable
        Gives what was measured, and its labels.
    """

    def __init__(self, viewer: napari.Viewer, shown: Shown) -> None:
        self._viewer, self._shown = viewer, shown
        self.fat, self.grade = PushButton(text="Fat map"), PushButton(text="Grade map")
        self.zones, self.nuclei = PushButton(text="Zones"), PushButton(text="Nuclei")
        self.fat.tooltip = "Local fat area fraction as an image, a pixel per square of 256 µm"
        self.grade.tooltip = (
            "The grade that each square of 256 µm would have by its share of hepatocyte squares "
            "with fat. The grade of a place is not that of a patient."
        )
        self.zones.tooltip = "Zones of the lobule as labels; choose portal or central regions first"
        self.nuclei.tooltip = (
            "Nuclei taken for those of hepatocytes: orange with fat, blue without. Look at them "
            "before you use the share of hepatocytes. Choose 'Hepatocytes by: nuclei' first."
        )
        for button, make in (
            (self.fat, lambda found, labels: fat_map_layer(found.report, labels)),
            (self.grade, lambda found, labels: grade_layer(found.report, labels)),
            (self.zones, lambda found, labels: zone_layer(found.zones, labels)),
            (self.nuclei, self._nuclei),
        ):
            button.changed.connect(self._adding(make))

    @property
    def all(self) -> tuple[PushButton, ...]:
        """The buttons, from left to right."""
        return self.fat, self.grade, self.zones, self.nuclei

    def enable(self, measured: Measured | None) -> None:
        """Let those be pressed for which there is something to show."""
        self.fat.enabled = self.grade.enabled = measured is not None
        self.zones.enabled = measured is not None and measured.zones is not None
        self.nuclei.enabled = measured is not None and "hepatocytes" in measured.report.tables

    def _adding(self, make: Any) -> Callable[[], None]:
        def add() -> None:
            if (now := self._shown()) is not None:
                show_map(self._viewer, make(*now))

        return add

    def _nuclei(self, found: Measured, labels: napari.layers.Labels) -> Any:
        middle = slide_px(labels, [camera_of(self._viewer).center[-2:]])[0]
        return nuclei_layer(found.report, labels, middle)
