"""Rectangles of tiles that are computed together, and the order in which they are taken."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ..core.geometry import Region
from ..core.grid import Grid
from ._order import Focus, Point, distance, nearest

WIDTH_PX = 8192
"""Widest block: a wider one would save little halo and hold more rows in memory, px."""

HEIGHT_PX = 32768
"""Tallest block, px: height costs no memory, but what is under way cannot be shared anew."""

NEAR_TILES = 8
"""Side of the largest block while somebody looks on, who may look elsewhere soon, tiles."""

FEW_GROUPS = 8
"""Parts of a plane that `Partition` makes at least, where there are so many tiles."""

CORNERS = 32
"""Corners of the area that is left which are looked at for the next block."""

ANY_NUMBER = 2**31


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of tiles of a grid.

    Parameters
    ----------
    grid : Grid
        Of which it is a part.
    row, column : int
        Its first tile.
    rows, columns : int
        Its extent, tiles.
    """

    grid: Grid
    row: int
    column: int
    rows: int
    columns: int

    def __len__(self) -> int:
        return self.rows * self.columns

    @property
    def tiles(self) -> list[int]:
        """Its tiles in row-major order."""
        return [index for row in range(self.rows) for index in self.tiles_of(row)]

    def tiles_of(self, row: int) -> range:
        """Return the tiles of one of its rows, which count from 0."""
        first = (self.row + row) * self.grid.columns + self.column
        return range(first, first + self.columns)

    @property
    def outer(self) -> Region:
        """What a model sees that computes the block at once."""
        first, last = self.tiles_of(0)[0], self.tiles_of(self.rows - 1)[-1]
        start, end = self.grid[first].outer, self.grid[last].outer
        return Region(y=start.y, x=start.x, height=end.y_end - start.y, width=end.x_end - start.x)

    def distance(self, point: Point) -> float:
        """Return how far the nearest of its tiles is from a point, px."""
        return float(distance(self.grid, np.asarray(self.tiles), point).min())


def largest_block(grid: Grid, among: set[int], *, most: int, widest: int) -> Block:
    """Return the largest of the rectangles that begin at a corner of an area of tiles."""
    step = grid.columns
    corners = (
        tile
        for tile in sorted(among)
        if tile - step not in among and (tile % step == 0 or tile - 1 not in among)
    )
    blocks = (
        block_at(grid, corner, among, most=most, widest=widest)
        for corner in islice(corners, CORNERS)
    )
    return max(blocks, key=len)


def block_at(grid: Grid, start: int, among: set[int], *, most: int, widest: int) -> Block:
    """Return the rectangle of tiles that wastes least on its halo.

    Parameters
    ----------
    grid : Grid
        Of the plane.
    start : int
        Its first tile, upper left.
    among : set of int
        The tiles that may be in it.
    most, widest : int
        How many tiles it may have, and have side by side.
    """
    row, column = divmod(start, grid.columns)
    run = _run(among, start, 1, grid.columns - column)
    widths = sorted({-(-run // strips) for strips in range(1, run + 1)})  # no narrow rest
    best, best_worth, seen = (1, 1), 0.0, 0
    height = max(1, HEIGHT_PX // grid.tile_px)
    for columns in widths:
        if columns > min(widest, most):
            break
        for more in range(seen, columns):
            height = min(height, _run(among, start + more, grid.columns, height))
        seen = columns
        rows = max(1, min(height, most // columns))
        worth = _owned_share(grid, rows, columns)
        if worth > best_worth:
            best, best_worth = (rows, columns), worth
    return Block(grid, row, column, *best)


def _run(among: set[int], start: int, step: int, most: int) -> int:
    count = 0
    while count < most and start + count * step in among:
        count += 1
    return count


def _owned_share(grid: Grid, rows: int, columns: int) -> float:
    side, around = grid.tile_px, 2 * grid.halo_px
    return rows * columns * side**2 / ((rows * side + around) * (columns * side + around))


class Agenda:
    """The tiles that are left, from which any number of threads take blocks.

    Without a focus, a block is at most an even share of what is left. With one, the first
    block is the tile nearest to it, and blocks grow until the focus moves.

    Parameters
    ----------
    grid : Grid
        Of the plane.
    tiles : iterable of int
        The tiles to be computed.
    takers : int
        How many take blocks at the same time.
    focus : callable, optional
        Where the user looks.
    most : int
        How many tiles a block may have.
    """

    def __init__(
        self,
        grid: Grid,
        tiles: Iterable[int],
        *,
        takers: int = 1,
        focus: Focus | None = None,
        most: int = ANY_NUMBER,
    ) -> None:
        self._grid, self._left, self._most = grid, set(tiles), most
        self._takers, self._under_way = takers, 0
        self._focus, self._since = focus, 0
        self._seen_from: Point | None = None
        self._lock = threading.Lock()

    def take(self) -> Block | None:
        """Return the next block; None where nothing is left."""
        with self._lock:
            if not self._left:
                return None
            block = self._largest() if self._focus is None else self._nearest(self._focus())
            self._left.difference_update(block.tiles)
            self._under_way += len(block)
            return block

    def done(self, tiles: int) -> None:
        """Say that so many tiles of blocks under way are finished."""
        with self._lock:
            self._under_way -= tiles

    def put_back(self, tiles: Iterable[int]) -> None:
        """Return tiles of a block that was given up."""
        back = set(tiles)
        with self._lock:
            self._left |= back
            self._under_way -= len(back)

    def is_urgent(self, block: Block) -> bool:
        """Say whether to go on with a block; not where the user now looks at other tiles."""
        point = None if self._focus is None else self._focus()
        if point is None or point == self._seen_from or len(block) == 1:
            return True
        with self._lock:
            if not self._left:
                return True
            next_one = nearest(self._grid, self._left, point)
        return block.distance(point) <= distance(self._grid, np.asarray([next_one]), point)[0]

    def _largest(self) -> Block:
        share = -(-(len(self._left) + self._under_way) // self._takers)
        widest = max(1, WIDTH_PX // self._grid.tile_px)
        most = min(share, self._most)
        return largest_block(self._grid, self._left, most=most, widest=widest)

    def _nearest(self, point: Point | None) -> Block:
        if point != self._seen_from:
            self._seen_from, self._since = point, 0
        side = min(NEAR_TILES, 2 ** (self._since // self._takers))
        self._since += 1
        row, column = divmod(nearest(self._grid, self._left, point), self._grid.columns)
        row, column = row // side * side, column // side * side
        end = min(column + side, self._grid.columns)
        around = {
            r * self._grid.columns + c for r in range(row, row + side) for c in range(column, end)
        } & self._left
        return largest_block(self._grid, around, most=self._most, widest=side)


class Partition:
    """The same as `Agenda`, in blocks that depend on the whole plan only, not on what is left.

    For arithmetic whose last bits depend on the shape of what is computed at once: a run that
    was interrupted gives the same bits as one that was not.

    Parameters
    ----------
    grid : Grid
        Of the plane.
    tiles : iterable of int
        The tiles to be computed.
    whole : iterable of int
        All tiles of the plan.
    focus : callable, optional
        Where the user looks.
    """

    def __init__(
        self,
        grid: Grid,
        tiles: Iterable[int],
        *,
        whole: Iterable[int],
        focus: Focus | None = None,
    ) -> None:
        self._grid, self._focus = grid, focus
        self._part_of: dict[int, Block] = {}
        groups: dict[tuple[int, int], set[int]] = {}
        side = _group_side(grid)
        for tile in whole:
            row, column = divmod(tile, grid.columns)
            groups.setdefault((row // side, column // side), set()).add(tile)
        for group in groups.values():
            for block in blocks_of(grid, group):
                self._part_of.update(dict.fromkeys(block.tiles, block))
        self._left = set(tiles)
        self._lock = threading.Lock()

    def take(self) -> Block | None:
        """Return the next block with any tile that is left; None where there is none."""
        with self._lock:
            if not self._left:
                return None
            point = None if self._focus is None else self._focus()
            block = self._part_of[nearest(self._grid, self._left, point)]
            self._left.difference_update(block.tiles)
            return block

    def done(self, tiles: int) -> None:
        """Say that so many tiles are finished, which changes nothing here."""

    def put_back(self, tiles: Iterable[int]) -> None:
        """Return tiles of a block that was given up."""
        with self._lock:
            self._left.update(tiles)

    def is_urgent(self, block: Block) -> bool:
        """Say that a block is to be gone on with: part of it would have to be done again."""
        return True


def _group_side(grid: Grid) -> int:
    """Return a side, tiles, at which even a small plane has groups for several threads."""
    side = NEAR_TILES
    while side > 1 and -(-grid.rows // side) * -(-grid.columns // side) < FEW_GROUPS:
        side //= 2
    return side


def blocks_of(
    grid: Grid, tiles: Iterable[int], *, takers: int = 1, most: int = ANY_NUMBER
) -> Iterator[Block]:
    """Yield the blocks in which tiles are computed where nobody looks on."""
    agenda = Agenda(grid, tiles, takers=takers, most=most)
    while (block := agenda.take()) is not None:
        yield block
