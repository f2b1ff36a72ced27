"""The order of the tiles: from where the user looks, outward."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..core.grid import Grid

Focus = Callable[[], "tuple[float, float] | None"]
"""Returns the point that the user looks at, (row, column) in px of the plane, or None."""


def tiles_outward(grid: Grid, tiles: list[int], focus: Focus | None) -> Iterator[int]:
    """Yield every tile once, the nearest to the current focus first.

    The focus is asked before each tile, so the order follows a user who moves on. Without
    one, tiles come in the order given.
    """
    if focus is None:
        yield from tiles
        return
    centres = {}
    for index in tiles:
        inner = grid[index].inner
        centres[index] = (inner.y + inner.height / 2, inner.x + inner.width / 2)
    left, seen_from = list(tiles), None
    while left:
        now = focus()
        if now is not None and now != seen_from:
            y, x = seen_from = now
            left.sort(
                key=lambda i: (centres[i][0] - y) ** 2 + (centres[i][1] - x) ** 2, reverse=True
            )
        elif seen_from is None:
            left.reverse()
            seen_from = (float("nan"), float("nan"))
        yield left.pop()
