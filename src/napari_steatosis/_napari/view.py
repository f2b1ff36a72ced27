"""Where the user looks, and what the user drew, in the tissue of a slide (um)."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError
from .layers import data_to_world

if TYPE_CHECKING:
    import napari

    from ..core.geometry import Frame
    from ..core.slide import Slide

ELLIPSE_CORNERS = 72


class Focus:
    """Where the user looks, written by the GUI thread and read by the threads that compute.

    Called, it gives the point (row, column) in px of `frame`; None before both are known.

    Parameters
    ----------
    slide : Slide
        That is looked at.
    """

    def __init__(self, slide: Slide) -> None:
        self.slide = slide
        self.frame: Frame | None = None
        self.seen_um: NDArray[np.float64] | None = None

    def look(self, viewer: napari.Viewer, image: napari.layers.Image) -> None:
        """Take note of the centre of the canvas."""
        self.seen_um = centre_um(viewer, image, self.slide)

    def __call__(self) -> tuple[float, float] | None:
        seen, frame = self.seen_um, self.frame
        if seen is None or frame is None:
            return None
        row, column = frame.to_px(seen)
        return float(row), float(column)


def camera_of(viewer: napari.Viewer) -> Any:
    """Return the camera; napari 0.9 moved it into the scene."""
    return getattr(viewer, "scene", viewer).camera


def centre_um(
    viewer: napari.Viewer, image: napari.layers.Image, slide: Slide
) -> NDArray[np.float64]:
    """Return the centre of the canvas, (y, x) in um of the slide."""
    centre = _in_units_of(image, viewer, camera_of(viewer).center)
    return tissue_um(image, [centre], slide)[0]


def view_um(viewer: napari.Viewer, image: napari.layers.Image, slide: Slide) -> NDArray[np.float64]:
    """Return the four corners of the canvas, (4, 2) in um of the slide."""
    return slide.frame().to_um(view_px(viewer, image, slide))


def view_px(viewer: napari.Viewer, image: napari.layers.Image, slide: Slide) -> NDArray[np.float64]:
    """Return the four corners of the canvas, (4, 2) in px of the slide's level 0.

    Raises
    ------
    BadValueError
        Where the view shows no part of the slide.
    """
    camera = camera_of(viewer)
    half = np.asarray(viewer.canvas.size, float) / camera.zoom / 2
    centre = np.asarray(camera.center)[-2:]
    signs = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)])
    corners = [_in_units_of(image, viewer, centre + sign * half) for sign in signs]
    seen = np.clip(slide_px(image, corners), 0, slide.shape)
    if np.any(np.ptp(seen, axis=0) < 1):
        raise BadValueError(
            f"The view shows no part of the slide {image.name!r}. Move it over the slide "
            f"(Home shows everything), or choose another region."
        )
    return seen


def shapes_um(
    shapes: napari.layers.Shapes, image: napari.layers.Image, slide: Slide
) -> list[NDArray[np.float64]]:
    """Return the outline of every closed shape, (n, 2) in um of the slide.

    Raises
    ------
    BadValueError
        Where the layer holds no shape that encloses an area.
    """
    outlines = [
        tissue_um(image, world * unit_ratio(shapes.units, image.units), slide)
        for _, world in areas_of(shapes)
    ]
    if not outlines:
        raise BadValueError(
            f"The layer {shapes.name!r} holds no shape with an area. Draw a rectangle, an "
            f"ellipse or a polygon in it, or choose another region."
        )
    return outlines


def areas_of(shapes: napari.layers.Shapes) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Yield number and outline, (n, 2) in the world of the layer, of every shape with an area."""
    matrix = data_to_world(shapes)
    for index, (kind, vertices) in enumerate(zip(shapes.shape_type, shapes.data, strict=True)):
        if kind == "line":
            continue
        corners = np.asarray(vertices, float)[:, -2:]
        outline = ellipse_outline(corners) if kind == "ellipse" else corners
        yield index, outline @ matrix[:2, :2].T + matrix[:2, 2]


def tissue_um(image: napari.layers.Image, world: ArrayLike, slide: Slide) -> NDArray[np.float64]:
    """Convert ``(n, 2)`` points of the world, in the layer's units, to um of the slide."""
    return slide.frame().to_um(slide_px(image, world))


def slide_px(image: napari.layers.Image, world: ArrayLike) -> NDArray[np.float64]:
    """Convert ``(n, 2)`` points of the world, in the layer's units, to px of its level 0."""
    matrix = data_to_world(image)
    points = np.asarray(world, float) - matrix[:2, 2]
    return points @ np.linalg.inv(matrix[:2, :2]).T


def ellipse_outline(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the outline of the ellipse in a box of four corners."""
    centre = corners.mean(0)
    along, across = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angle = np.linspace(0, 2 * np.pi, ELLIPSE_CORNERS, endpoint=False)[:, None]
    return centre + np.cos(angle) * along + np.sin(angle) * across


def _in_units_of(
    image: napari.layers.Image, viewer: napari.Viewer, world: Sequence[float] | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Convert a point of the viewer's world, whose unit is the finest of all layers."""
    units = getattr(viewer.dims, "units", None)
    point = np.asarray(world, float)[-2:]
    return point if units is None else point * unit_ratio(units[-2:], image.units)


def unit_ratio(given: Sequence[Any], wanted: Sequence[Any]) -> NDArray[np.float64]:
    """Return how many of the wanted units one given unit is, for y and x; 1 where it has none."""
    ratios = []
    for one, other in zip(given[-2:], wanted[-2:], strict=True):
        same = one == other or one.dimensionality != other.dimensionality
        ratios.append(1.0 if same else float((1 * one).to(other).magnitude))
    return np.asarray(ratios)


def window_viewer() -> napari.Viewer | None:
    """Return the viewer of the window in front, where this thread may draw in it; else None."""
    if "qtpy" not in sys.modules:
        return None
    from qtpy.QtCore import QThread
    from qtpy.QtWidgets import QApplication

    app = QApplication.instance()
    if app is None or QThread.currentThread() is not app.thread():
        return None
    import napari

    return napari.current_viewer()
