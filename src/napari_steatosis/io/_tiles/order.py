"""Which of two numbers in the names of tiles counts across, where the names do not say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import CannotOpenError
from ..picture import decoded
from .names import TileName

LOOKED_AT = 8
"""Pairs of neighbours that are compared along each of the two numbers."""

CLEARLY = 0.6
"""The seams of the right order differ by at most this share of those of the wrong one."""

CONTENT = 4.0
"""Mean difference, grey levels, below which both orders look alike: empty glass."""


def smallest_step(values: NDArray[np.float64] | NDArray[np.int64]) -> float:
    """Return the smallest difference of sorted different values; 0 where there is only one."""
    return float(np.diff(values).min()) if len(values) > 1 else 0.0


def across_first(
    folder: Path, tiles: list[TileName], places: NDArray[np.float64], tile: tuple[int, int]
) -> bool:
    """Say whether the first number of the names counts across, by how neighbours fit together.

    Tissue goes on from one tile to the next, so in the right order the last column of a tile
    resembles the first column of its neighbour. A few pairs are decoded.

    Parameters
    ----------
    folder : path
        Where the tiles are.
    tiles : list of TileName
    places : (n, 2) float
        Second and first number of each name.
    tile : (int, int)
        Height and width of a tile, px.

    Raises
    ------
    CannotOpenError
        Where the seams do not decide.
    """
    if len(tiles) == 1:
        return True
    seams = {True: 0.0, False: 0.0}
    for axis in (0, 1):
        step = smallest_step(np.unique(places[:, axis]))
        for one, other in _neighbours(folder, tiles, places, axis):
            for first_is_across in seams:
                # Axis 0 holds the second number, which counts down if the first counts across.
                side = axis if first_is_across else 1 - axis
                seams[first_is_across] += _seam(one, other, side, step)
    right = min(seams, key=lambda order: seams[order])
    clear = seams[right] <= CLEARLY * seams[not right]
    pairs = 2 * LOOKED_AT
    if not clear or seams[not right] < CONTENT * min(pairs, len(tiles) - 1):
        raise CannotOpenError(
            f"the names of its tiles, such as {tiles[0].name!r}, do not say which number counts "
            f"across, and the seams of its tiles do not show it. Name them 'x1024_y512' or "
            f"'row1_col2', or open them one at a time"
        )
    return right


def _neighbours(
    folder: Path, tiles: list[TileName], places: NDArray[np.float64], axis: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Yield pairs that are one step apart along a number, those with the largest files."""
    step = smallest_step(np.unique(places[:, axis]))
    if not step:
        return
    at = {(float(y), float(x)): number for number, (y, x) in enumerate(places)}
    shift = (step, 0.0) if axis == 0 else (0.0, step)
    pairs = [
        (number, at[y + shift[0], x + shift[1]])
        for (y, x), number in at.items()
        if (y + shift[0], x + shift[1]) in at
    ]
    some = pairs[:: -(-len(pairs) // (16 * LOOKED_AT)) or 1]
    some.sort(key=lambda pair: -min((folder / tiles[n].name).stat().st_size for n in pair))
    for pair in some[:LOOKED_AT]:
        one, other = (_decoded(folder / tiles[number].name) for number in pair)
        yield one, other


def _decoded(path: Path) -> NDArray[np.uint8]:
    try:
        return decoded(path)
    except (OSError, SyntaxError, ValueError) as error:
        raise CannotOpenError(f"its tile {path.name!r} cannot be decoded ({error})") from error


def _seam(one: NDArray[np.uint8], other: NDArray[np.uint8], side: int, step: float) -> float:
    """Return the mean difference where the second tile would go on below (0) or right (1)."""
    size = one.shape[side]
    last = int(step) if size / 8 < step < size else size - 1  # overlapping tiles, in px
    edge, next_edge = np.take(one, last, axis=side), np.take(other, 0, axis=side)
    shared = min(len(edge), len(next_edge))
    difference = edge[:shared].astype(np.float64) - next_edge[:shared]
    return float(np.abs(difference).mean())
