"""The field *Pixel size* of the forms: known from the slide, or to be given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magicgui.widgets import FloatSpinBox

from .panel import wrapped_label

if TYPE_CHECKING:
    from ..core.slide import Slide


class PixelSize:
    """A field with the size of a level 0 pixel, and beside it where the size comes from."""

    def __init__(self) -> None:
        self.field = FloatSpinBox(label="Pixel size (µm)", min=0, max=20, step=0.05)
        self.field.tooltip = "Side of a pixel of the finest level, µm; locked where it is known"
        self.source = wrapped_label()
        self._known = False
        spin = self.field.native
        spin.setDecimals(4)
        spin.setSpecialValueText("unknown")

    @property
    def um(self) -> float:
        """What stands in the field; 0 is unknown."""
        return float(self.field.value)

    def show(self, slide: Slide | None) -> None:
        """Show the pixel size of a slide and lock it; a slide without one is to be given it."""
        known = slide is not None and slide.um_per_px is not None
        if known:
            self.field.value = slide.um_per_px[0]
        elif self._known:
            self.field.value = 0  # what stood there belonged to another slide
        self._known = known
        self.field.native.setReadOnly(known)
        self.source.setText("" if slide is None else slide.scale_source)
