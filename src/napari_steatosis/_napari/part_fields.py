"""The fields that say which part of a slide is meant: all, the current view, or inside shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .layers import shapes_among
from .view import shapes_um, view_um

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.geometry import Region
    from ..core.plane import Plane
    from ..core.slide import Slide
    from .panel import Rows

WHOLE, VIEW, SHAPES = "Whole slide", "Current view", "Shapes layer"


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a slide.

    Parameters
    ----------
    outlines : list of (n, 2) float64
        In um of the slide.
    closed : bool
        Whether only what lies inside the outlines is meant, and not their whole box.
    """

    outlines: list[NDArray[np.float64]]
    closed: bool

    def region(self, plane: Plane) -> Region:
        """Return the box of the outlines in whole px of a plane, cut at its edges.

        Raises
        ------
        BadValueError
            Where it lies outside of the slide.
        """
        from ..core.geometry import Region

        corners = plane.frame.to_px(np.concatenate(self.outlines)) + 0.5
        low, high = np.rint(corners.min(0)), np.rint(corners.max(0))
        (y, x), (height, width) = low.astype(int), np.maximum(high - low, 1).astype(int)
        box = Region(y=int(y), x=int(x), height=int(height), width=int(width))
        inside = box.intersect(plane.bounds)
        if inside is None:
            raise BadValueError(
                f"The shapes lie outside of the slide {plane.slide.path}. Draw them on it."
            )
        return inside

    def inside(self, plane: Plane, region: Region) -> NDArray[np.bool_] | None:
        """Return which pixels of a region lie in an outline; None where all do."""
        if not self.closed:
            return None
        from skimage.draw import polygon2mask

        shape, start = (region.height, region.width), (region.y, region.x)
        found = np.zeros(shape, bool)
        for outline in self.outlines:
            found |= polygon2mask(shape, plane.frame.to_px(outline) - start)
        return found


class PartFields:
    """The choosers *Region* and *Shapes* of a form.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    rows : Rows
        Of the form; both fields are added.
    with_whole : bool
        Whether the whole slide can be meant, too.
    """

    def __init__(self, viewer: napari.Viewer, rows: Rows, *, with_whole: bool = False) -> None:
        self._viewer, self._rows = viewer, rows
        choices = [WHOLE, VIEW, SHAPES] if with_whole else [VIEW, SHAPES]
        self.region = ComboBox(label="Region", choices=choices)
        self.shapes = ComboBox(label="Shapes", choices=self._shapes, nullable=True)
        for field in (self.region, self.shapes):
            rows.add(field)
        self.region.changed.connect(self.refresh)
        self.refresh()

    def _shapes(self, _: Any = None) -> list[tuple[str, Any]]:
        return shapes_among(self._viewer.layers)

    def refresh(self, _: Any = None) -> None:
        """Offer the layers that there are."""
        self.shapes.reset_choices()
        wanted, there = self.region.value == SHAPES, self._shapes()
        self._rows.set_visible(self.shapes, wanted)
        if wanted and self.shapes.value is None and there:
            self.shapes.value = there[-1][1]

    def outlines(self, image: napari.layers.Image, slide: Slide) -> list[NDArray[np.float64]]:
        """Return the outlines of the part, ``(n, 2) float64`` in um; none of the whole slide.

        Raises
        ------
        BadValueError
            Where the view shows no part of the slide, or there are no shapes with an area.
        """
        if self.region.value == WHOLE:
            return []
        if self.region.value == VIEW:
            return [view_um(self._viewer, image, slide)]
        if self.shapes.value is None:
            raise BadValueError(
                "The region is a Shapes layer, but none is chosen. Add one (the button with the "
                "polygon above the layer list), draw in it, and choose it under 'Shapes'."
            )
        return shapes_um(self.shapes.value, image, slide)

    def part(self, image: napari.layers.Image, slide: Slide) -> Part:
        """Return the part that the fields say; errors as of `outlines`."""
        found, closed = self.outlines(image, slide), self.region.value == SHAPES
        if not closed:
            half = np.asarray(slide.frame().um_per_px) / 2
            found = [outline - half for outline in found]
        return Part(found, closed=closed)
