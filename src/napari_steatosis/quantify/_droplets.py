"""Droplets of a class map: found, taken apart where they touch, one table row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Frame
from ..core.prediction import Array
from ..core.report import Columns
from ._patches import Patch, Sheet
from ._runs import Runs
from ._seams import components
from ._shapes import Shapes, shapes_of
from ._split import split_touching

BLOCK_PX = 512
"""Rows of the class map that are held at once: the chunks of a results store."""

CLUMP_ROUNDNESS = 0.9
"""Only components less round than this are looked at for touching droplets (discs: 1;
two equal discs that touch: 0.67)."""


@dataclass(frozen=True)
class DropletRule:
    """What counts as a droplet, and as a large one.

    Parameters
    ----------
    smallest_um2 : float
        Regions of fat below this area are no droplets; their area still counts as fat.
    macro_um2 : float
        Droplets of at least this area are ``macro``, the others ``micro``. There is no
        consensus in the field: 65 um^2, an equivalent diameter of 9.1 um, is a choice.
    """

    smallest_um2: float = 3.0
    macro_um2: float = 65.0

    def __post_init__(self) -> None:
        if not 0 <= self.smallest_um2 <= self.macro_um2:
            raise BadValueError(
                f"The smallest droplet ({self.smallest_um2} um^2) must not be negative nor "
                f"exceed the macro cut ({self.macro_um2} um^2)."
            )


SMALLEST_CLUMP_PX = 18
"""A smaller one cannot be split: either part must reach two pixels deep, which takes nine."""

Found = tuple[Runs | None, Shapes]
"""Some droplets: their pixels (None for one too large to be held) and their sums."""


def find_droplets(
    classes: Array,
    value: int,
    frame: Frame,
    *,
    block_px: int = BLOCK_PX,
    seen: Callable[[int, NDArray[np.uint8]], None] | None = None,
) -> Iterator[Found]:
    """Yield the droplets of a class map of any size; each exactly once, whatever the blocks.

    Parameters
    ----------
    classes : (y, x) uint8
        Stored class map, 0 = not analysed; read once from top to bottom.
    value : int
        The class whose droplets are wanted.
    frame : Frame
        Of the class map.
    block_px : int
        Rows that are held at once. The result does not depend on it.
    seen : callable, optional
        Called with ``(y, rows)`` for every band of the class map as it is read.

    Yields
    ------
    Found
        In no particular order.
    """
    clumps = Sheet()
    for part in components(classes, value, rows_px=block_px, seen=seen):
        if isinstance(part, Shapes):
            yield None, part
            continue
        shapes = shapes_of(part)
        clumped = shapes.roundness(frame) < CLUMP_ROUNDNESS
        clumped &= shapes.area >= SMALLEST_CLUMP_PX
        if clumped.any():
            yield from map(_taken_apart, clumps.add(part.only(clumped)))
        if not clumped.all():
            yield part.only(~clumped), shapes[~clumped]
    yield from map(_taken_apart, clumps.flush())


def _taken_apart(sheet: Patch) -> Found:
    runs, split = split_touching(sheet)
    return runs, shapes_of(runs, split)


def droplet_table(shapes: Shapes, frame: Frame, rule: DropletRule) -> Columns:
    """Return one row per droplet, from the top of the plane to the bottom.

    Parameters
    ----------
    shapes : Shapes
        All droplets of the plane, in any order.
    frame : Frame
        Of the class map.
    rule : DropletRule
        Smallest area and macro cut.

    Returns
    -------
    Columns
        ``id`` (from 1); ``y_um, x_um`` centre in the tissue; ``y_px, x_px`` centre in the
        class map; ``first_y_px, first_x_px`` leftmost pixel of the top row, which is inside
        the droplet; ``area_um2``; ``diameter_um`` of the disc of that area; ``roundness``
        and ``axis_ratio`` (see `Shapes`); ``size_class``; ``touches_border`` of what was
        analysed; ``from_clump``: it was cut from touching droplets.
    """
    shapes = shapes[shapes.area * frame.um2_per_px >= rule.smallest_um2]
    shapes = shapes[np.lexsort((shapes.first_x, shapes.y))]
    area = shapes.area * frame.um2_per_px
    centre_px = shapes.centres_px()
    centre_um = frame.to_um(centre_px)
    return {
        "id": np.arange(1, len(shapes) + 1),
        "y_um": centre_um[:, 0],
        "x_um": centre_um[:, 1],
        "y_px": centre_px[:, 0],
        "x_px": centre_px[:, 1],
        "first_y_px": shapes.y,
        "first_x_px": shapes.first_x,
        "area_um2": area,
        "diameter_um": 2 * np.sqrt(area / np.pi),
        "roundness": shapes.roundness(frame),
        "axis_ratio": shapes.axis_ratio(frame),
        "size_class": size_classes(area, rule),
        "touches_border": shapes.edge,
        "from_clump": shapes.split,
    }


def size_classes(area_um2: NDArray[np.float64], rule: DropletRule) -> NDArray[np.str_]:
    """Return ``"macro"`` or ``"micro"`` for each area."""
    return np.array(["micro", "macro"])[(area_um2 >= rule.macro_um2).astype(np.intp)]
