"""The fields *Slide* and *Pixel size* of the forms: which slide of the window is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox

from .layers import slide_of, slides_among
from .pixel_size import PixelSize

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.slide import Slide
    from .panel import Rows

Offered = Callable[[Iterable[Any]], "list[tuple[str, napari.layers.Image]]"]


class SlideField:
    """A chooser of the slides in the window, and the pixel size of the one that is chosen.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    rows : Rows
        Of the form; both fields are added.
    offered : callable
        Gives name and layer of what is offered among layers.
    """

    def __init__(
        self, viewer: napari.Viewer, rows: Rows, *, offered: Offered = slides_among
    ) -> None:
        self._viewer, self._offered, self._size = viewer, offered, PixelSize()
        self.slide = ComboBox(label="Slide", choices=self._choices, nullable=True)
        self.pixel_size, self.source = self._size.field, self._size.source
        rows.add(self.slide)
        rows.add(self.pixel_size, self.source)
        self.slide.changed.connect(self.refresh_size)

    @property
    def layer(self) -> Any:
        """The layer that is chosen; None where there is none."""
        return self.slide.value

    @property
    def um_per_px(self) -> float:
        """What stands in the field; 0 is unknown."""
        return self._size.um

    def chosen(self) -> Slide:
        """Return the slide that is chosen, with its pixel size.

        Raises
        ------
        SteatosisError
            Where there is no slide, or its pixel size is unknown.
        """
        return slide_of(self.layer, self.um_per_px)

    def refresh(self) -> None:
        """Offer the slides that there are; choose the topmost where none is chosen."""
        self.slide.reset_choices()
        if self.layer is None and (there := self._choices()):
            self.slide.value = there[-1][1]
        self.refresh_size()

    def refresh_size(self, _: Any = None) -> None:
        """Show the pixel size of the slide, which may have been given elsewhere."""
        slide = None if self.layer is None else self.layer.metadata.get("slide")
        if slide is not None:
            self.layer.events.metadata.connect(self.refresh_size)
        self._size.show(slide)

    def _choices(self, _: Any = None) -> list[tuple[str, Any]]:
        return self._offered(self._viewer.layers)
