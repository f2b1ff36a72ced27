"""Masks drawn from outlines; only where everything was annotated is the rest background."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ...core.annotation import Annotation, Annotations
from ...core.dataset import IGNORE
from ...core.errors import BadValueError
from ...core.geometry import Region
from ...core.plane import Plane
from .marks import annotations_at, changed_at

COMPLETE = ("region", "region*", "roi", "annotated", "complete")
"""Classes (in small letters) of areas in which everything was annotated."""

NOT_KNOWN = ("ignore", "ignore*", "unknown", "other")
"""Classes of areas that nobody decided on."""

BACKGROUND = "tissue"
LATTICE = 16
"""A tile is looked at in so many rows and columns to see whether it holds an annotated area."""


class Areas:
    """Outlines of one file, largest first, ready to be drawn.

    Parameters
    ----------
    annotations : Annotations
        In px of level 0 of the image, pixel centres at whole numbers.
    """

    def __init__(self, annotations: Annotations) -> None:
        def size(one: Annotation) -> float:
            y, x, y_end, x_end = one.box
            return -(y_end - y) * (x_end - x)

        drawn = [one for one in annotations if one.shape == "polygon" and one.parts]
        self.complete = [one for one in drawn if one.class_name.lower() in COMPLETE]
        self.others = sorted((one for one in drawn if one not in self.complete), key=size)
        self.boxes = np.array([one.box for one in self.others]).reshape(-1, 4)

    @property
    def classes(self) -> list[str]:
        """Classes of the outlines, less those that say where somebody looked."""
        named = {one.class_name for one in self.others if one.class_name.lower() not in NOT_KNOWN}
        return sorted(named - {BACKGROUND})


@lru_cache(maxsize=8)
def _areas(path: str, changed: float) -> Areas:
    return Areas(annotations_at(path, changed))


def areas_at(path: str) -> Areas:
    """Return the outlines of a file, which is read once."""
    return _areas(path, changed_at(path))


def draw_mask(
    areas: Areas,
    classes: tuple[str, ...],
    shape: tuple[int, int],
    *,
    start: tuple[float, float] = (0.0, 0.0),
    step: tuple[float, float] = (1.0, 1.0),
    whole: bool = False,
) -> NDArray[np.uint8]:
    """Draw class indices; 255 where nobody looked.

    A pixel belongs to an outline when its centre does; the smaller outline lies on top.

    Parameters
    ----------
    areas : Areas
        The outlines.
    classes : tuple of str
        Names of the indices; 0 is what lies inside a complete area and in no outline.
    shape : (int, int)
        Height and width of the mask, px.
    start : (float, float)
        Level 0 px of the centre of its pixel (0, 0).
    step : (float, float)
        Level 0 px per pixel, along y and x.
    whole : bool
        The whole image was annotated, if no area says where.

    Returns
    -------
    (y, x) uint8

    Examples
    --------
    >>> ring = np.array([[0, 0], [0, 2], [2, 2], [2, 0], [0, 0]]) - 0.5
    >>> fat = Annotation("polygon", ((ring,),), class_name="fat")
    >>> draw_mask(Areas(Annotations((fat,))), ("tissue", "fat"), (2, 3), whole=True).tolist()
    [[1, 1, 0], [1, 1, 0]]
    """
    background = 0 if whole and not areas.complete else IGNORE
    out = np.full(shape, background, np.uint8)
    origin, steps = np.asarray(start), np.asarray(step)
    for one in areas.complete:
        out[_inside(one, shape, origin, steps)] = 0
    ends = origin + (np.asarray(shape) - 1) * steps
    near = (areas.boxes[:, :2] <= ends).all(1) & (areas.boxes[:, 2:] >= origin).all(1)
    for index in np.flatnonzero(near):
        one = areas.others[index]
        name = one.class_name
        value = classes.index(name) if name in classes else IGNORE
        out[_inside(one, shape, origin, steps)] = value
    return out


def _inside(
    one: Annotation, shape: tuple[int, int], origin: NDArray[np.float64], step: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return the pixels whose centre lies in an outline and in none of its holes."""
    from skimage.draw import polygon

    found = np.zeros(shape, bool)
    for part in one.parts:
        piece = np.zeros(shape, bool)
        for ring in part:
            rows, columns = ((ring - origin) / step).T
            piece[polygon(rows, columns, shape)] ^= True
        found |= piece
    return found


def tiles_of(areas: Areas, plane: Plane, tile_px: int) -> Iterator[Region]:
    """Yield the tiles of a plane that hold a part of a completely annotated area.

    Parameters
    ----------
    areas : Areas
        With at least one complete area.
    plane : Plane
        The slide at the resolution of the tiles.
    tile_px : int
        Their side, px of the plane.

    Raises
    ------
    BadValueError
        Where no area was annotated completely.
    """
    if not areas.complete:
        raise BadValueError(
            "no area says where everything was annotated, so nothing can be background. Draw one "
            "around it in QuPath and give it the class Region*."
        )
    start, step = level_0(plane, (0, 0))
    seen: set[tuple[int, int]] = set()
    lattice = (LATTICE, LATTICE)
    for one in areas.complete:
        low = (np.array(one.box[:2]) - start) / step
        high = (np.array(one.box[2:]) - start) / step
        first = np.maximum(np.floor(low + 0.5).astype(int), 0)
        last = np.minimum(np.ceil(high + 0.5).astype(int), (plane.height, plane.width))
        for y in range(first[0], last[0], tile_px):
            for x in range(first[1], last[1], tile_px):
                corner, _ = level_0(plane, (y, x))
                looked = step * tile_px / LATTICE
                middle = corner + (looked - step) / 2
                if (y, x) not in seen and _inside(one, lattice, middle, looked).any():
                    seen.add((y, x))
                    yield Region(y=y, x=x, height=tile_px, width=tile_px)


def level_0(
    plane: Plane, place: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return level 0 px of the centre of a pixel of a plane, and level 0 px per pixel."""
    frame = plane.slide.frame()
    step = np.asarray(plane.frame.um_per_px) / np.asarray(frame.um_per_px)
    return frame.to_px(plane.frame.to_um(place)), step
