"""The field of portal or of central regions: a layer of the window, or a GeoJSON file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QFileDialog

from .fat_map import MAP_OF
from .layers import watch_layers
from .tissue_layers import PREVIEW

if TYPE_CHECKING:
    import napari

CHOOSE = "GeoJSON file…"
OWN = (MAP_OF, PREVIEW, "droplets", "prediction", "tissue")
"""In the metadata of layers that this plugin made to show something else."""


class LandmarkField(ComboBox):
    """A chooser of shapes, points and labels, whose last entry asks for a file.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    **options
        Of the widget (``label``).
    """

    def __init__(self, viewer: napari.Viewer, **options: Any) -> None:
        self._viewer, self._files = viewer, list[Path]()
        super().__init__(choices=self._all, nullable=True, **options)
        self.changed.connect(self._asked)
        watch_layers(viewer, self._layers_changed)

    def offer(self, file: str | Path) -> None:
        """Add a GeoJSON file, and choose it."""
        if Path(file) not in self._files:
            self._files.append(Path(file))
            self.reset_choices()
        self.value = Path(file)

    def _all(self, _: Any = None) -> list[tuple[str, Any]]:
        layers = [(one.name, one) for one in self._viewer.layers if _may_be(one)]
        files = [(file.name, file) for file in self._files]
        return [*layers, *files, (CHOOSE, CHOOSE)]

    def _layers_changed(self, _: Any = None) -> None:
        self.reset_choices()

    def _asked(self, value: Any) -> None:
        if value != CHOOSE:
            return
        file, _ = QFileDialog.getOpenFileName(
            self.native, "Portal and central regions", "", "GeoJSON (*.geojson *.geojson.gz *.json)"
        )
        if file:
            self.offer(file)
        else:
            self.value = None


def _may_be(layer: Any) -> bool:
    kind = type(layer).__name__
    drawn = kind in ("Shapes", "Points", "Labels") and layer.ndim == 2
    return drawn and not any(key in layer.metadata for key in OWN)
