"""Where the user looks, and which tile is nearest to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid

Point = tuple[float, float]
Focus = Callable[[], "Point | None"]
"""Returns the point that the user looks at, (row, column) in px of the plane, or None."""


def nearest(grid: Grid, tiles: Collection[int], point: Point | None) -> int:
    """Return the tile whose centre is nearest to a point; without one, the first.

    Examples
    --------
    >>> nearest(Grid(100, 100, 10), [0, 55, 99], (52.0, 60.0))
    55
    """
    if point is None:
        return min(tiles)
    index = np.sort(np.fromiter(tiles, np.int64, len(tiles)))
    return int(index[np.argmin(distance(grid, index, point))])


def distance(grid: Grid, tiles: NDArray[np.int64], point: Point) -> NDArray[np.float64]:
    """Return the distances of the centres of tiles from a point, px."""
    row, column = np.divmod(tiles, grid.columns)
    y, x = (row + 0.5) * grid.tile_px, (column + 0.5) * grid.tile_px
    return np.hypot(y - point[0], x - point[1])


def tiles_outward(grid: Grid, tiles: Iterable[int], focus: Focus | None) -> Iterator[int]:
    """Yield every tile once, the nearest to the current focus first, which may move on."""
    left = set(tiles)
    while left:
        tile = nearest(grid, left, None if focus is None else focus())
        left.discard(tile)
        yield tile
