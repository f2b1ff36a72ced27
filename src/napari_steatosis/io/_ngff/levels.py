"""The arrays of an OME-NGFF pyramid, and how they are filled block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count as count_from
from typing import Any

import numpy as np
import zarr
from numpy.typing import DTypeLike, NDArray
from zarr.codecs import BloscCodec

from ...core.geometry import Region
from .._finest import Finest

CHUNK_PX = 512
BLOCK_PX = 2048
"""Side of a block that is read, halved and stored at once, px: a shard, so none is rewritten."""

THREADS = 4
"""One reads the next block while the others wait for zarr to compress and store."""

LEVEL = {2: 3, 3: 1}
"""Dimensions to level of zstd: at level 3 an image takes more than twice the time for 1 %.

Bytes are not shuffled: it makes labels larger, whose numbers are the same along a row.
"""


def level_shapes(shape: tuple[int, int], count: int | None = None) -> list[tuple[int, int]]:
    """Return the heights and widths of a pyramid, each half the one before.

    Parameters
    ----------
    shape : (int, int)
        Of level 0, px.
    count : int, optional
        Number of levels; without it, halving stops at one chunk.

    Examples
    --------
    >>> level_shapes((1025, 300))
    [(1025, 300), (513, 150), (257, 75)]
    """
    shapes = [shape]
    while max(shapes[-1]) > CHUNK_PX if count is None else len(shapes) < count:
        height, width = shapes[-1]
        shapes.append((-(-height // 2), -(-width // 2)))
    return shapes


def create_level(
    group: zarr.Group, name: str, shape: tuple[int, ...], dtype: DTypeLike = "uint8"
) -> Any:
    """Create the empty array of one level: ``(c, y, x)`` of an image, or ``(y, x)`` of labels.

    In zarr 2 it has chunks of 512 px, in zarr 3 these lie in shards of 2048 px. An image
    stores its black chunks as well, so that a lost one can be told.
    """
    sides = tuple(min(CHUNK_PX, side) for side in shape)
    level, is_image = LEVEL[len(shape)], len(shape) == 3
    settings: dict[str, Any]
    if group.metadata.zarr_format == 2:
        # More programs know blosc than plain zstd in zarr 2; bioformats2raw writes blosc, too.
        settings = {
            "compressors": {"id": "blosc", "cname": "zstd", "clevel": level, "shuffle": 0},
            "chunk_key_encoding": {"name": "v2", "separator": "/"},
        }
    else:
        settings = {
            "compressors": BloscCodec(cname="zstd", clevel=level, shuffle="noshuffle"),
            "shards": tuple(
                min(BLOCK_PX, -(-length // side) * side)
                for length, side in zip(shape, sides, strict=True)
            ),
            "dimension_names": tuple("cyx"[-len(shape) :]),
        }
    return group.create_array(
        name,
        shape=shape,
        chunks=sides,
        dtype=dtype,
        fill_value=0,
        config={"write_empty_chunks": is_image},
        **settings,
    )


def write_pyramid(
    group: zarr.Group,
    finest: Finest,
    count: int | None = None,
    on_block: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write the levels ``0, 1, 2 ...`` into an empty group and return how many they are.

    A block is made of the halves of the four under it, so each pixel is read once, each
    block is written once, and one block per level is held in memory.

    Parameters
    ----------
    group : zarr.Group
        Where the arrays are made.
    finest : Finest
        Level 0.
    count : int, optional
        Number of levels; without it, halving stops at one chunk.
    on_block : callable
        Called with (blocks of level 0 done, blocks in all).
    """
    shapes = level_shapes(finest.shape, count)
    many = (finest.samples,) if finest.samples > 1 else ()
    planes = [(*many, *shape) for shape in shapes]
    arrays = [create_level(group, str(i), plane, finest.dtype) for i, plane in enumerate(planes)]
    top = len(shapes) - 1
    tops = _places(shapes[top])
    regions = [_region(shapes, *leaf) for place in tops for leaf in _leaves(shapes, (top, *place))]
    with ThreadPoolExecutor(THREADS) as pool:
        blocks = _ahead(pool, finest.read, regions)
        report = _reporter(on_block, len(regions))
        filling = _Filling(arrays, shapes, finest, blocks, pool, report)
        for row, column in tops:
            filling.fill(top, row, column)
    return len(arrays)


Place = tuple[int, int, int]
"""Level, row and column of a block."""


def _places(shape: tuple[int, int]) -> list[tuple[int, int]]:
    rows, columns = (-(-side // BLOCK_PX) for side in shape)
    return [(row, column) for row in range(rows) for column in range(columns)]


def _region(shapes: Sequence[tuple[int, int]], level: int, row: int, column: int) -> Region:
    height, width = shapes[level]
    y, x = row * BLOCK_PX, column * BLOCK_PX
    return Region(y=y, x=x, height=min(BLOCK_PX, height - y), width=min(BLOCK_PX, width - x))


def _under(shapes: Sequence[tuple[int, int]], place: Place) -> list[Place]:
    """Return the blocks, at most four, of which this one is made."""
    level, row, column = place
    height, width = shapes[level - 1]
    return [
        (level - 1, r, c)
        for r in (2 * row, 2 * row + 1)
        for c in (2 * column, 2 * column + 1)
        if r * BLOCK_PX < height and c * BLOCK_PX < width
    ]


def _leaves(shapes: Sequence[tuple[int, int]], place: Place) -> Iterator[Place]:
    if place[0] == 0:
        yield place
    else:
        for child in _under(shapes, place):
            yield from _leaves(shapes, child)


def _ahead(
    pool: ThreadPoolExecutor, read: Callable[[Region], NDArray[Any]], regions: Sequence[Region]
) -> Iterator[NDArray[Any]]:
    """Yield the blocks in order; the next one is read while one is stored."""
    waiting = pool.submit(read, regions[0])
    for region in regions[1:]:
        block = waiting.result()
        waiting = pool.submit(read, region)
        yield block
    yield waiting.result()


@dataclass(frozen=True)
class _Filling:
    arrays: Sequence[Any]
    shapes: Sequence[tuple[int, int]]
    finest: Finest
    blocks: Iterator[NDArray[Any]]
    pool: ThreadPoolExecutor
    report: Callable[[], None]

    def fill(self, level: int, row: int, column: int) -> NDArray[Any]:
        """Store a block, after those under it, and return its pixels."""
        region = _region(self.shapes, level, row, column)
        if level == 0:
            block = next(self.blocks)
        else:
            many = (self.finest.samples,) if self.finest.samples > 1 else ()
            block = np.empty((region.height, region.width, *many), self.finest.dtype)
            for place in _under(self.shapes, (level, row, column)):
                half = self.finest.halved(self.fill(*place))
                y, x = (n % 2 * BLOCK_PX // 2 for n in place[1:])
                block[y : y + half.shape[0], x : x + half.shape[1]] = half
        _store(self.pool, self.arrays[level], region, _planes(block))
        if level == 0:
            self.report()
        return block


def _store(pool: ThreadPoolExecutor, array: Any, region: Region, planes: NDArray[Any]) -> None:
    """Store each chunk or shard by a call of its own.

    Of one call for all of them zarr goes on in the background with the others when one has
    failed, and would put files into a folder that is being removed.
    """
    height, width = (array.shards or array.chunks)[-2:]
    parts = [
        Region(y=y, x=x, height=height, width=width).intersect(region) or region
        for y in range(region.y, region.y_end, height)
        for x in range(region.x, region.x_end, width)
    ]

    def store(part: Region) -> None:
        array[(..., *part.slices)] = planes[(..., *part.within(region))]

    for _ in pool.map(store, parts):
        pass


def _reporter(on_block: Callable[[int, int], None], total: int) -> Callable[[], None]:
    done = count_from(1)
    return lambda: on_block(next(done), total)


def _planes(block: NDArray[Any]) -> NDArray[Any]:
    """Return (y, x, c) as (c, y, x), plane by plane: twice as fast as one strided copy."""
    if block.ndim == 2:
        return block
    planes = np.empty((block.shape[2], *block.shape[:2]), block.dtype)
    for channel in range(block.shape[2]):
        planes[channel] = block[..., channel]
    return planes
