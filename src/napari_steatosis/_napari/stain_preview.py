"""The preview of a normalised slide: a layer of its own, on the slide or beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.pyramid import level_arrays
from .stain_layers import stained_layer

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.slide import Slide

OFF, OVER, BESIDE = "Off", "On the slide", "Side by side"


class Preview:
    """Shows a slide normalised, wherever the user looks, until it is taken away.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._image: napari.layers.Image | None = None
        self._in_grid = False
        self.layer: napari.layers.Image | None = None

    @property
    def is_shown(self) -> bool:
        """Whether there is a layer with it."""
        layers = self._viewer.layers
        return self.layer is not None and self.layer in layers and self._image in layers

    def show(self, slide: Slide, image: napari.layers.Image) -> None:
        """Show a normalised slide on the layer of the slide as it is."""
        if self.is_shown and self._image == image:
            levels = level_arrays(slide)
            self.layer.data = levels if self.layer.multiscale else levels[0]
            return
        from napari.layers import Layer

        before = self.layer
        data, options, kind = stained_layer(slide, image, f"Preview: {image.name}")
        options["metadata"] = {"associated": "preview"}  # it is not a slide to choose elsewhere
        active = self._viewer.layers.selection.active
        self._image, self.layer = image, Layer.create(data, options, kind)
        self._viewer.layers.insert(self._viewer.layers.index(image) + 1, self.layer)
        if before is not None and before in self._viewer.layers:
            self._viewer.layers.remove(before)
        self._viewer.layers.selection.active = active

    def put(self, *, beside: bool) -> None:
        """Put it beside the slide, or on it."""
        if beside != self._in_grid:
            self._viewer.canvas.grid.enabled = beside
            self._in_grid = beside

    def hide(self) -> None:
        """Take it away."""
        self.put(beside=False)
        layer, self.layer, self._image = self.layer, None, None
        if layer is not None and layer in self._viewer.layers:
            self._viewer.layers.remove(layer)
