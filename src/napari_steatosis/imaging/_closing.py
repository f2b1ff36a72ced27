"""Stained places of a plane, read block by block and closed over droplets."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid, Tile
from ..core.plane import Plane
from ..core.slide import mirrored
from ._places import drop_small, grown_by
from ._stain_evidence import Judge, share_of

CRUMB_UM2 = 400.0
"""Stained places smaller than this are loose cells and debris in a lumen, um2."""

WIDE_UM = 60.0
"""Foreign colours count where they fill a square of this side, um ..."""

SEAM_UM = 12.0
"""... and so far around them, where they fade, um."""

STAINED_SHARE = 60
"""Share of stained fine pixels, of 255, from which a pixel of the map counts as stained."""

MOSTLY_SHARE = 128
"""Share of mostly stained ones below which a pixel beside glass is glass, too."""

FOREIGN_SHARE = 0.6
"""Share of foreign fine pixels in a square of `WIDE_UM` that makes it foreign."""

BLOCK_PX = 512
"""Side of the blocks that are read at a time, px of the finer plane."""

CLOSE_PX = 1024
"""Side of the squares that are closed at a time, px of the map."""

THREADS = 2
"""Blocks that are read and judged at a time: both leave the interpreter to others."""

AHEAD = 8
"""Blocks that are read ahead of the one that is waited for."""

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Look:
    """How stain is looked for.

    Parameters
    ----------
    fine : Plane
        What is read.
    near : int
        Fine pixels per pixel of the map, along each side.
    judge : Judge
        What is stained, what is foreign.
    gap_um : float
        Diameter of the disk that closes, um.
    """

    fine: Plane
    near: int
    judge: Judge
    gap_um: float

    @property
    def um_per_px(self) -> float:
        """Of the map, um."""
        return self.near * self.fine.frame.mean_um_per_px

    @property
    def halo(self) -> int:
        """What closing a pixel may depend on, px of the map."""
        um = max(2 * self.gap_um, WIDE_UM + SEAM_UM + self.gap_um)
        return int(um / self.um_per_px) + 3

    @property
    def shape(self) -> tuple[int, int]:
        """Of the map."""
        return -(-self.fine.height // self.near), -(-self.fine.width // self.near)


@dataclass(frozen=True, eq=False)
class Closed:
    """What was seen of a plane.

    Parameters
    ----------
    stained : (y, x) bool
        Where stain is after closing.
    white, pale : (y, ceil(x / 8)) uint8
        As bits along the rows: where there was none before, and where most is glass.
    """

    stained: NDArray[np.bool_]
    white: NDArray[np.uint8]
    pale: NDArray[np.uint8]


def closed_map(look: Look) -> Generator[float, None, Closed]:
    """Return what is stained after closing.

    Only the rows that are closed next are held of the shares.
    """
    height, width = look.shape
    closed = np.empty((height, width), bool)
    white, pale = np.empty((2, height, -(-width // 8)), np.uint8)
    blocks = Grid(look.fine.height, look.fine.width, max(1, BLOCK_PX // look.near) * look.near)
    tiles = Grid(height, width, CLOSE_PX, look.halo)
    held = np.empty((3, CLOSE_PX + 2 * look.halo + blocks.tile_px // look.near, width), np.uint8)
    first, count, read = 0, 0, 0  # what is held: rows `first` to `first + count`
    with ThreadPoolExecutor(THREADS, thread_name_prefix="find-tissue") as pool:
        shares = _in_order(pool, partial(_shares, look), blocks)
        try:
            for start in range(0, len(tiles), tiles.columns):
                across = [tiles[start + n] for n in range(tiles.columns)]
                y, y_end = across[0].inner.y, across[0].inner.y_end
                past = max(0, y - look.halo - first)
                held[:, : count - past] = held[:, past:count]
                first, count = first + past, count - past
                while first + count < min(y_end + look.halo, height):
                    x = 0
                    for share in islice(shares, blocks.columns):
                        _, rows, columns = share.shape
                        held[:, count : count + rows, x : x + columns] = share
                        x, read = x + columns, read + 1
                        yield read / len(blocks)
                    count += rows
                close = partial(_closed, look, held[:, :count], first)
                closed[y:y_end] = np.concatenate(list(_in_order(pool, close, across)), axis=1)
                share, mostly, _ = held[:, y - first : y_end - first]
                white[y:y_end] = np.packbits(share < STAINED_SHARE, axis=1)
                pale[y:y_end] = np.packbits(mostly < MOSTLY_SHARE, axis=1)
        finally:
            shares.close()
    return Closed(closed, white, pale)


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Tile], Made], tiles: Iterable[Tile]
) -> Generator[Made, None, None]:
    """Do work on tiles in threads, a few ahead, and yield what was made in their order."""
    waiting: deque[Future[Made]] = deque()
    try:
        for tile in tiles:
            waiting.append(pool.submit(work, tile))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _shares(look: Look, tile: Tile) -> NDArray[np.uint8]:
    """Return what shares of fine pixels are judged to be what, in every pixel of the map."""
    judged = look.judge.judge(look.fine.read(tile.inner))
    return np.stack([share_of(one, look.near) for one in judged])


def _closed(look: Look, held: NDArray[np.uint8], first: int, tile: Tile) -> NDArray[np.bool_]:
    """Close the stained places of a square with a disk, less what is foreign.

    `held` are the shares, of which the rows begin with `first`.
    """
    (height, width), inner, halo = look.shape, tile.inner, look.halo
    rows = mirrored(np.arange(inner.y - halo, inner.y_end + halo), height) - first
    columns = mirrored(np.arange(inner.x - halo, inner.x_end + halo), width)
    share, _, foreign = held[:, rows][:, :, columns]
    closed = share >= STAINED_SHARE
    closed &= ~_wide(foreign, look)
    closed = drop_small(closed, CRUMB_UM2 / look.um_per_px**2)
    radius = look.gap_um / look.um_per_px / 2
    if closed.any() and not closed.all():
        closed = ~grown_by(~grown_by(closed, radius), radius)
    return closed[halo:-halo, halo:-halo]


def _wide(foreign: NDArray[np.uint8], look: Look) -> NDArray[np.bool_]:
    """Return the wide places of a map of shares, and what fades around them."""
    from scipy.ndimage import uniform_filter

    side = max(1, round(WIDE_UM / look.um_per_px))
    if np.count_nonzero(foreign) < side**2 / 2:
        return np.zeros(foreign.shape, bool)
    cores = uniform_filter(foreign.astype(np.float32), side) >= 255 * FOREIGN_SHARE
    # A square whose middle lies so far inside an edge holds that share.
    fading = (FOREIGN_SHARE - 0.5) * side + SEAM_UM / look.um_per_px
    return grown_by(cores, fading) if cores.any() else cores
