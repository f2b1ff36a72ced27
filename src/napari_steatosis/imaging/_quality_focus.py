"""How sharp a picture is, by the steepness of its edges, and whether its pixels are its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.resample import box_mean
from ._quality_windows import Windows

FOCUS_UM = 0.5
"""Focus is judged at about this size of a pixel, that of the models, um."""

COARSEST_UM = 0.7
"""Where pixels are larger than this, blur that matters does not show, um."""

BLUR_UM = 1.1
"""Edges of at least this width are out of focus, um (standard deviation)."""

PATCH = 128
"""Side of the patches that are judged, px."""

BLOCK, WIDE_BLOCK = 16, 32
"""Sides of the blocks in which an edge is looked for, px: wide edges need the larger ones."""

CONTRAST = 20.0
"""Grey levels between darkest and brightest of a block that holds an edge."""

LEAST = 0.16
"""A patch with a smaller share of such blocks is not judged: it is glass, or too even."""


@dataclass(frozen=True)
class Sharpness:
    """What the edges in the windows of a slide say.

    Parameters
    ----------
    patches : int
        Patches with enough edges.
    blurred : float, optional
        Share of them that are out of focus, 0 to 1.
    width_px : float, optional
        Median width of edges in pixels of level 0.
    doubled : bool
        Whether pixels were repeated to enlarge the picture.
    reason : str
        Why focus cannot be judged; empty where it can.
    """

    patches: int
    blurred: float | None
    width_px: float | None
    doubled: bool
    reason: str


def sharpness(windows: Windows, um: float | None) -> Sharpness:
    """Judge the edges in windows of full resolution.

    Parameters
    ----------
    windows : Windows
        Of level 0.
    um : float, optional
        Size of its pixels, um.
    """
    greys = [grey_of(rgb) for rgb in windows.pixels]
    native = _widths((p for grey in greys for p in _patches(grey, most=4)), WIDE_BLOCK)
    width = float(np.median(native)) if native else None
    doubled = len(greys) > 0 and all(_repeats(grey) for grey in greys)
    if um is None:
        reason = "Without a pixel size focus is not judged."
    elif um > COARSEST_UM:
        reason = f"Pixels of {um:.2g} um are too coarse to judge the focus."
    else:
        factor = max(1, round(FOCUS_UM / um))
        small = [grey_of(box_mean(rgb, factor)) for rgb in windows.pixels] if factor > 1 else greys
        widths = _widths(patch for grey in small for patch in _patches(grey))
        blurred = float(np.mean(np.array(widths) * um * factor >= BLUR_UM)) if widths else None
        return Sharpness(len(widths), blurred, width, doubled, "")
    return Sharpness(len(native), None, width, doubled, reason)


def _patches(grey: NDArray[np.float32], most: int = 64) -> Iterator[NDArray[np.float32]]:
    rows, columns = (max(1, side // PATCH) for side in grey.shape)
    for number in range(min(rows * columns, most)):
        row, column = divmod(number, columns)
        yield grey[row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH]


def _widths(patches: Iterator[NDArray[np.float32]], block: int = BLOCK) -> list[float]:
    return [width for patch in patches if (width := edge_width(patch, block)) is not None]


def _repeats(grey: NDArray[np.float32]) -> bool:
    """Whether every second column equals the one before it, at either phase, and not all do."""
    same = (np.diff(grey, axis=1) == 0).all(axis=0)
    return bool(not same.all() and (same[::2].all() or same[1::2].all()))


def grey_of(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return ``(y, x)`` grey levels, green counting twice."""
    red, green, blue = np.moveaxis(rgb, -1, 0)
    total = red.astype(np.uint16) + green + green + blue
    return np.asarray(total, np.float32) / np.float32(4)


def edge_width(grey: NDArray[np.float32], block: int = BLOCK) -> float | None:
    """Return the width of the edges of a patch, px, or None where it has too few.

    Where a step of height ``h`` is blurred by a Gaussian of standard deviation ``s``, its
    steepest slope is ``h / (s * sqrt(2 * pi))``. In small blocks the steepest slope is
    divided by the range, whose height it is at most; the median over the blocks with some
    contrast gives ``s``. Stain and contrast cancel.

    Parameters
    ----------
    grey : (y, x) float32
        Grey levels.
    block : int
        Side of the blocks, px: widths up to about a fifth of it are told apart.

    Examples
    --------
    >>> step = np.where(np.arange(130) % 20 < 10, 50, 200).astype(np.float32)
    >>> round(edge_width(np.tile(step, (130, 1))), 2)
    0.8
    """
    if min(grey.shape) < block + 2:
        return None
    down = grey[2:, 1:-1] - grey[:-2, 1:-1]
    across = grey[1:-1, 2:] - grey[1:-1, :-2]
    steep = _blocks(np.hypot(down, across), block).max(axis=(1, 3)) / 2
    inner = _blocks(grey[1:-1, 1:-1], block)
    height = inner.max(axis=(1, 3)) - inner.min(axis=(1, 3))
    edged = height >= CONTRAST
    if np.count_nonzero(edged) < LEAST * edged.size:
        return None
    return float(1 / (np.sqrt(2 * np.pi) * np.median(steep[edged] / height[edged])))


def _blocks(values: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    rows, columns = values.shape[0] // side, values.shape[1] // side
    cut = values[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side)
