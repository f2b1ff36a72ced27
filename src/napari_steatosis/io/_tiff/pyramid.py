"""The levels of a pyramid as tiles in order, each pixel of level 0 read once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ...core.geometry import Region
from ...core.resample import box_mean
from .._finest import Finest

TILE_PX = 512
BLOCK_TILES = 4
"""Tiles side by side that are read at once."""

BUFFER_BYTES = 2**25
"""Tiles that wait for compression are at most this large together."""

Read = Callable[[Region], NDArray[Any]]


def level_shapes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return heights and widths of the levels, halved until one tile holds all, px.

    Examples
    --------
    >>> level_shapes((600, 1100))
    [(600, 1100), (300, 550), (150, 275)]
    """
    shapes = [shape]
    while max(shapes[-1]) > TILE_PX:
        height, width = shapes[-1]
        shapes.append((-(-height // 2), -(-width // 2)))
    return shapes


def raw_bytes(finest: Finest) -> int:
    """Return the size of all tiles of all levels before compression."""
    tiles = sum(tile_count(shape) for shape in level_shapes(finest.shape))
    return tiles * TILE_PX * TILE_PX * finest.samples * finest.dtype.itemsize


def tile_count(shape: tuple[int, int]) -> int:
    """Return how many tiles cover a level.

    Examples
    --------
    >>> tile_count((513, 512))
    2
    """
    return -(-shape[0] // TILE_PX) * -(-shape[1] // TILE_PX)


def write_levels(
    file: Any,
    pixels: Finest,
    scratch: Path,
    options: Callable[[int], dict[str, Any]],
    on_tile: Callable[[], None],
) -> None:
    """Write every level into an open `tifffile.TiffWriter`, coarse levels as SubIFDs.

    While a level is written its halved copy is kept in `scratch`, since a TIFF file takes
    the levels one after the other; so only one row of blocks is held in memory.

    Parameters
    ----------
    file : tifffile.TiffWriter
        Open for writing.
    pixels : Finest
        Level 0.
    scratch : Path
        Empty folder.
    options : callable
        ``options(level)`` returns further arguments of ``TiffWriter.write``.
    on_tile : callable
        Called for every tile that was read.
    """
    shapes, read = level_shapes(pixels.shape), pixels.read
    for level, shape in enumerate(shapes):
        coarser = None
        if level + 1 < len(shapes):
            coarser = _kept(scratch / str(level + 1), shapes[level + 1], pixels)
        file.write(
            _tiles(read, shape, coarser, on_tile),
            shape=shape if pixels.samples == 1 else (*shape, pixels.samples),
            dtype=pixels.dtype,
            tile=(TILE_PX, TILE_PX),
            subifds=len(shapes) - 1 if level == 0 else None,
            subfiletype=1 if level else 0,
            maxworkers=os.cpu_count(),
            buffersize=BUFFER_BYTES,
            **options(level),
        )
        shutil.rmtree(scratch / str(level), ignore_errors=True)
        read = _reader(coarser)


def _kept(path: Path, shape: tuple[int, int], pixels: Finest) -> Any:
    samples = () if pixels.samples == 1 else (pixels.samples,)
    half = TILE_PX // 2
    return zarr.create_array(
        str(path), shape=(*shape, *samples), chunks=(half, half, *samples), dtype=pixels.dtype
    )


def _reader(array: Any) -> Read:
    def read(region: Region) -> NDArray[Any]:
        found: NDArray[Any] = array[region.slices]
        return found

    return read


def _tiles(
    read: Read, shape: tuple[int, int], coarser: Any, on_tile: Callable[[], None]
) -> Iterator[NDArray[Any]]:
    """Yield whole tiles row by row, and keep their halved copies in `coarser`."""
    height, width = shape
    step = BLOCK_TILES * TILE_PX
    for y in range(0, height, TILE_PX):
        for left in range(0, width, step):
            wide = Region(
                y=y, x=left, height=min(TILE_PX, height - y), width=min(step, width - left)
            )
            block = read(wide)
            for x in range(0, wide.width, TILE_PX):
                tile = block[:, x : x + TILE_PX]
                if coarser is not None:
                    small = box_mean(tile, 2) if tile.ndim == 3 else tile[::2, ::2]
                    top, start = y // 2, (left + x) // 2
                    coarser[top : top + len(small), start : start + small.shape[1]] = small
                on_tile()
                yield _whole(tile)


def _whole(tile: NDArray[Any]) -> NDArray[Any]:
    """Return a tile of the full size: TIFF has no smaller ones. No reader shows the rest."""
    missing = [(0, TILE_PX - n) for n in tile.shape[:2]]
    missing += [(0, 0)] * (tile.ndim - 2)
    return np.pad(tile, missing, mode="edge") if tile.shape[:2] != (TILE_PX,) * 2 else tile
