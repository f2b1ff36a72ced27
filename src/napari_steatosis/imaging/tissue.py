"""Where the parenchyma is: stain evidence, closed over droplets, less glass and large lumina."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.grid import Grid, Tile
from ..core.mask import Mask
from ..core.plane import Plane
from ..core.slide import Slide, mirrored
from ._places import drop_small, grown_by
from .optics import density_table, spread_pixels, white_level

VERSION = 1
FINE_UM = 2.0
"""Resolution at which stain is looked for: the septa between droplets are still seen, um."""

NEAR_UM = 4.0
"""Resolution at which stained places are closed over droplets, um."""

EDGE_UM = 2.0
"""A partly stained pixel counts as stained, which moves edges out by this; it is undone, um."""

CRUMB_UM2 = 400.0
"""Stained places smaller than this are loose cells and debris in a lumen, um2."""

BLOCK_PX = 512
"""Side of the blocks that are read at that resolution, px."""

DARK = 50
"""Below this in every channel a pixel is scan edge, padding or ink, not stained tissue."""

STAINED_SHARE = 60
"""Share of stained fine pixels, of 255, from which a mask pixel counts as stained."""

THREADS = 2
"""Blocks that are read and judged at a time: both leave the interpreter to others."""

AHEAD = 8
"""Blocks that are read ahead of the one that is waited for."""

CLOSE_PX = 1024
"""Side of the squares that are closed at a time, px of `NEAR_UM`."""

STRIP_PX = 1 << 20
"""Pixels of the mask that are drawn at a time."""

Made = TypeVar("Made")


def find_tissue(
    slide: Slide,
    *,
    um_per_px: float = 8.0,
    stain: float = 0.06,
    gap_um: float = 16.0,
    lumen_um: float = 55.0,
    piece_um: float = 70.0,
) -> Mask:
    """Return where a slide shows parenchyma, fat included.

    A pixel is stained where its optical density differs between the channels, relative to
    the slide's own white. A white place is kept when a disk of `gap_um` does not fit into
    it (droplets and their clusters, sinusoids) or when it is smaller than a vessel of
    `lumen_um`; glass, tears and large lumina stay out. Nothing here looks at brightness
    alone, so fat is not lost and dust, shadows and black borders are not gained.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    um_per_px : float
        Resolution of the mask, um; it is never finer than 2 or than the slide.
    stain : float
        Difference of optical density between the channels (natural logarithm) from which a
        pixel is stained.
    gap_um : float
        Diameter of the largest single droplet to keep wherever it lies, um.
    lumen_um : float
        White places with the area of a circle of this diameter, or more, are lumina, um.
    piece_um : float
        Pieces of tissue with less than the area of a circle of this diameter are dirt, um.

    Returns
    -------
    Mask
        With area 0 where there is no tissue; ``provenance["reason"]`` then says why.

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    BadValueError
        Where a parameter is not positive.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> mask = find_tissue(st.drawn_liver(1024, 1024, seed=1))
    >>> mask.area_mm2 > 0
    True
    """
    steps = tissue_steps(
        slide,
        um_per_px=um_per_px,
        stain=stain,
        gap_um=gap_um,
        lumen_um=lumen_um,
        piece_um=piece_um,
    )
    while True:
        try:
            next(steps)
        except StopIteration as end:
            mask: Mask = end.value
            return mask


def tissue_steps(
    slide: Slide,
    *,
    um_per_px: float = 8.0,
    stain: float = 0.06,
    gap_um: float = 16.0,
    lumen_um: float = 55.0,
    piece_um: float = 70.0,
) -> Generator[float, None, Mask]:
    """Do what `find_tissue` does, and say after each block which share of it is done.

    Closing the generator ends the work after the blocks at hand.

    Parameters
    ----------
    slide, um_per_px, stain, gap_um, lumen_um, piece_um
        As in `find_tissue`.

    Yields
    ------
    float
        From 0 to 1, rising.

    Returns
    -------
    Mask

    Raises
    ------
    MissingScaleError, BadValueError
        As in `find_tissue`.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> shares = list(tissue_steps(st.drawn_liver(1024, 1024, seed=1)))
    >>> shares == sorted(shares)
    True
    """
    parameters = {
        "um_per_px": float(um_per_px),
        "stain": float(stain),
        "gap_um": float(gap_um),
        "lumen_um": float(lumen_um),
        "piece_um": float(piece_um),
    }
    for name, value in parameters.items():
        if not value > 0:
            raise BadValueError(f"{name} must be positive, got {value}.")
    fine = slide.at(max(FINE_UM, slide.frame().mean_um_per_px))
    near = max(1, round(min(NEAR_UM, um_per_px) / fine.frame.mean_um_per_px))
    step = max(1, round(um_per_px / (near * fine.frame.mean_um_per_px)))
    frame = fine.frame.coarser(near * step)
    yield 0.0
    pixels = spread_pixels(fine)
    white = white_level(pixels)
    made: dict[str, Any] = {"method": "find_tissue", "version": VERSION, **parameters}
    made["white"] = [round(value, 2) for value in white]
    if np.mean(_brightest(pixels.T) > 3 * DARK) < 0.01:
        shape = (-(-fine.height // (near * step)), -(-fine.width // (near * step)))
        made["reason"] = "the slide is dark all over: not a stained section in bright light"
        return Mask(np.zeros(shape, bool), frame, made)
    del pixels
    grain = fine.frame.coarser(near)
    look = _Look(
        fine,
        near,
        step,
        _density_steps(white),
        round(100 * stain),
        gap_um / grain.mean_um_per_px,
        CRUMB_UM2 / grain.um2_per_px,
        min(254, int(255 * (0.5 + EDGE_UM / frame.mean_um_per_px))),
    )
    gaps, pale = yield from _gaps(look)
    values = drop_small(gaps, np.pi / 4 * lumen_um**2 / frame.um2_per_px, diagonal=False)
    _invert_lumina(values, pale)
    drop_small(values, np.pi / 4 * piece_um**2 / frame.um2_per_px)
    if not values.any():
        made["reason"] = "no stained tissue was found"
    return Mask(values, frame, made)


@dataclass(frozen=True, eq=False)
class _Look:
    """How stain is looked for: the plane, its shrinking and the limits, in px of the two maps."""

    fine: Plane
    near: int
    step: int
    densities: NDArray[np.uint8]
    stained: int
    disk_px: float
    crumb_px: float
    edge: int

    @property
    def halo(self) -> int:
        """What closing a pixel may depend on, px of the nearer map."""
        return int(2 * self.disk_px) + 3

    @property
    def shape(self) -> tuple[int, int]:
        """Of the map that is closed."""
        return -(-self.fine.height // self.near), -(-self.fine.width // self.near)


def _gaps(
    look: _Look,
) -> Generator[float, None, tuple[NDArray[np.bool_], NDArray[np.uint8]]]:
    """Return where nothing is stained after closing, and as bits, where little is.

    Only the rows that are closed next are held of the finer map.
    """
    height, width = look.shape
    gaps = np.empty((-(-height // look.step), -(-width // look.step)), bool)
    pale = np.empty((len(gaps), -(-gaps.shape[1] // 8)), np.uint8)
    blocks = Grid(look.fine.height, look.fine.width, max(1, BLOCK_PX // look.near) * look.near)
    tiles = Grid(height, width, CLOSE_PX // look.step * look.step, look.halo)
    held = np.empty((tiles.tile_px + 2 * look.halo + blocks.tile_px // look.near, width), np.uint8)
    first, count, read = 0, 0, 0  # what is held: rows `first` to `first + count`
    with ThreadPoolExecutor(THREADS, thread_name_prefix="find-tissue") as pool:
        shares = _in_order(pool, partial(_stained_share, look), blocks)
        try:
            for start in range(0, len(tiles), tiles.columns):
                across = [tiles[start + n] for n in range(tiles.columns)]
                y, y_end = across[0].inner.y, across[0].inner.y_end
                past = max(0, y - look.halo - first)
                held[: count - past] = held[past:count]
                first, count = first + past, count - past
                while first + count < min(y_end + look.halo, height):
                    x = 0
                    for share in islice(shares, blocks.columns):
                        rows, columns = share.shape
                        held[count : count + rows, x : x + columns] = share
                        x, read = x + columns, read + 1
                        yield read / len(blocks)
                    count += rows
                close = partial(_closed, look, held[:count], first)
                closed = np.concatenate(list(_in_order(pool, close, across)), axis=1)
                own = slice(y // look.step, y // look.step + len(closed))
                gaps[own] = closed == 0
                pale[own] = np.packbits(closed <= look.edge, axis=1)
        finally:
            shares.close()
    return gaps, pale


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


def _density_steps(white: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Return the optical density of every grey value in hundredths, a row per channel."""
    return np.rint(np.clip(density_table(white), 0, 2.5) * 100).astype(np.uint8)


def _stained_share(look: _Look, tile: Tile) -> NDArray[np.uint8]:
    """Return the share of stained fine pixels in every pixel of the nearer map, 0 to 255."""
    return _share_of(_stained(look.fine.read(tile.inner), look.densities, look.stained), look.near)


def _stained(rgb: NDArray[np.uint8], table: NDArray[np.uint8], limit: int) -> NDArray[np.bool_]:
    channels = [np.ascontiguousarray(rgb[..., channel]) for channel in range(3)]
    red, green, blue = (
        steps.take(values, mode="clip") for steps, values in zip(table, channels, strict=True)
    )
    low, high = np.minimum(red, blue), np.maximum(red, blue)
    colour = np.maximum(high, green) - np.minimum(low, green)
    # Green absorbs least: felt pen, no tissue stain. A density is at most 250.
    ink = low > np.minimum(green, np.uint8(245)) + np.uint8(10)
    found: NDArray[np.bool_] = (colour >= limit) & (_brightest(channels) >= DARK) & ~ink
    return found


def _brightest(channels: Iterable[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the largest of three channels: many times faster than ``max(-1)``."""
    red, green, blue = channels
    return np.maximum(np.maximum(red, green), blue)


def _closed(look: _Look, share: NDArray[np.uint8], first: int, tile: Tile) -> NDArray[np.uint8]:
    """Close the stained places of a square with a disk; return their share in blocks of `step`.

    `share` holds the rows from `first` on.
    """
    (height, width), inner, halo = look.shape, tile.inner, look.halo
    rows = mirrored(np.arange(inner.y - halo, inner.y_end + halo), height) - first
    columns = mirrored(np.arange(inner.x - halo, inner.x_end + halo), width)
    closed = drop_small(share[rows][:, columns] >= STAINED_SHARE, look.crumb_px)
    if closed.any() and not closed.all():
        closed = ~grown_by(~grown_by(closed, look.disk_px / 2), look.disk_px / 2)
    return _share_of(closed[halo:-halo, halo:-halo], look.step)


def _share_of(yes: NDArray[np.bool_], factor: int) -> NDArray[np.uint8]:
    """Return the share of yes pixels in blocks of `factor` x `factor`, 0 to 255."""
    ragged = (-yes.shape[0] % factor, -yes.shape[1] % factor)
    padded = np.pad(yes, ((0, ragged[0]), (0, ragged[1])), mode="edge") if any(ragged) else yes
    rows = np.zeros((padded.shape[0] // factor, padded.shape[1]), np.uint32)
    for dy in range(factor):
        rows += padded[dy::factor]
    count = np.zeros((len(rows), rows.shape[1] // factor), np.uint32)
    for dx in range(factor):
        count += rows[:, dx::factor]
    return (count * 255 // factor**2).astype(np.uint8)


def _invert_lumina(values: NDArray[np.bool_], pale: NDArray[np.uint8]) -> None:
    """Turn the cores of lumina into what is left of the tissue, in place.

    A lumen is drawn from its core to its edge: the pixels beside it that are `pale`.
    """
    from scipy.ndimage import binary_dilation

    height, width = values.shape
    rows = max(1, STRIP_PX // width)
    above = np.zeros((1, width), bool)
    for y in range(0, height, rows):
        cores = np.concatenate([above, values[y : y + rows + 1]])
        above = values[min(y + rows, height) - 1][None].copy()
        inner = slice(1, 1 + min(rows, height - y))
        reach = binary_dilation(cores, np.ones((3, 3)))[inner]
        edge = np.unpackbits(pale[y : y + rows], axis=1, count=width).view(bool)
        values[y : y + rows] = ~(reach & edge)
