"""Where a slide is out of focus: the width of its edges, place by place."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError, UnreadableRegionError
from ..core.geometry import Region
from ..core.heat_map import HeatMap
from ..core.mask import Mask
from ..core.plane import Plane
from ..core.slide import Slide
from ._quality_focus import BLUR_UM, COARSEST_UM, FOCUS_UM, PATCH, edge_width, grey_of
from .tissue import find_tissue

VERSION = 1

FULL_UM = 2 * BLUR_UM
"""Edges of at least this width have the value 1, um; from half of it on they are out of focus."""

LEAST_TISSUE = 0.5
"""Places with a smaller share of tissue are not looked at."""

SAMPLES = 4
"""Points per side of a place at which the tissue mask is asked."""


def focus_map(slide: Slide, tissue: Mask | None = None, *, cell_um: float = 128.0) -> HeatMap:
    """Return where the tissue of a slide is out of focus.

    In the middle of every square of `cell_um`, the width of the edges is measured in a patch of
    128 px of about 0.5 um, as `quality` does in its sample. The value is this width over 2.2 um,
    at most 1: from 0.5 on a place counts as out of focus. What is no tissue, has too few edges or
    cannot be read is NaN; how many cannot be read is in the provenance, and the reason where no
    place could be judged.

    Parameters
    ----------
    slide : Slide
        With a known pixel size, of at most 0.7 um.
    tissue : Mask, optional
        Where to look; `find_tissue` where it is not given.
    cell_um : float
        Side of the squares, the pixels of the map, um.

    Returns
    -------
    HeatMap

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    BadValueError
        Where its pixels are too coarse, or the squares smaller than a patch.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> found = focus_map(st.drawn_liver(512, 512, seed=1))
    >>> found.values.shape, bool(np.nanmax(found.values) < 0.5)
    ((2, 2), True)
    """
    steps = focus_steps(slide, tissue, cell_um=cell_um)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: HeatMap = end.value
            return found


def focus_steps(
    slide: Slide, tissue: Mask | None = None, *, cell_um: float = 128.0
) -> Generator[float, None, HeatMap]:
    """Do what `focus_map` does, and say after each row of squares which share of it is done.

    Parameters
    ----------
    slide, tissue, cell_um
        As in `focus_map`.

    Yields
    ------
    float
        From 0 to 1, rising.

    Returns
    -------
    HeatMap
    """
    plane = _plane(slide)
    cell = round(cell_um / plane.frame.mean_um_per_px)
    if cell < PATCH:
        least = PATCH * plane.frame.mean_um_per_px
        raise BadValueError(f"cell_um must be at least {least:.4g} on this slide, got {cell_um}.")
    yield 0.0
    within = find_tissue(slide) if tissue is None else tissue
    inside = _tissue_cells(plane, within, cell)
    values = np.full(inside.shape, np.nan, np.float32)
    unread, done, total = 0, 0, max(1, int(np.count_nonzero(inside)))
    for row in range(inside.shape[0]):
        for column in np.flatnonzero(inside[row]):
            try:
                width = _width(plane, row * cell, int(column) * cell, cell)
            except UnreadableRegionError:
                unread += 1
            else:
                values[row, column] = np.nan if width is None else min(1.0, width / FULL_UM)
        done += int(np.count_nonzero(inside[row]))
        yield done / total
    made: dict[str, Any] = {
        "method": "focus_map",
        "version": VERSION,
        "slide": slide.path,
        "full_um": FULL_UM,
        "limit_um": BLUR_UM,
        "looked_at": int(np.count_nonzero(inside)),
        "unread": unread,
        "tissue": dict(within.provenance),
    }
    if not np.isfinite(values).any():
        made["reason"] = _reason(within, int(np.count_nonzero(inside)), unread)
    return HeatMap("out of focus", values, plane.frame.coarser(cell), made)


def _reason(within: Mask, looked_at: int, unread: int) -> str:
    """Say why the focus could be judged nowhere."""
    if not within.values.any():
        return f"there is no tissue: {within.provenance.get('reason', 'the mask is empty')}"
    if looked_at == 0:
        return "no square of the map is half filled with tissue"
    if unread == looked_at:
        return "the slide could not be read where it has tissue"
    return "nothing in the tissue has edges enough to judge the focus by"


def _plane(slide: Slide) -> Plane:
    um = slide.frame().mean_um_per_px
    if um > COARSEST_UM:
        raise BadValueError(
            f"{slide.path} has pixels of {um:.2g} um, which are too coarse to judge the focus: at "
            f"most {COARSEST_UM:g} um."
        )
    return slide.at(um * max(1, round(FOCUS_UM / um)))


def _tissue_cells(plane: Plane, tissue: Mask, cell: int) -> NDArray[np.bool_]:
    """Return which squares hold enough tissue, by points spread over each of them."""
    rows, columns = -(-plane.height // cell), -(-plane.width // cell)
    points = Region(y=0, x=0, height=rows * SAMPLES, width=columns * SAMPLES)
    found = tissue.on(points, plane.frame.coarser(cell / SAMPLES))
    share = found.reshape(rows, SAMPLES, columns, SAMPLES).mean(axis=(1, 3))
    return np.asarray(share >= LEAST_TISSUE)


def _width(plane: Plane, y: int, x: int, cell: int) -> float | None:
    """Return the width of the edges in the middle of a square, um."""
    spare = (cell - PATCH) // 2
    top = max(0, min(y + spare, plane.height - PATCH))
    left = max(0, min(x + spare, plane.width - PATCH))
    size = {"height": min(PATCH, plane.height), "width": min(PATCH, plane.width)}
    width = edge_width(grey_of(plane.read(Region(y=top, x=left, **size))))
    return None if width is None else width * plane.frame.mean_um_per_px
