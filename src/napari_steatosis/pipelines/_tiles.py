"""The task of a block of tiles: read, normalise, predict, keep what each tile owns."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UnreadableRegionError
from ..core.geometry import Region
from ..core.grid import Tile
from ..core.model import Stream, StreamingModel
from ..io._probability_pyramid import quantised
from ..io._store import StoredTile
from ._blend import blended, neighbours
from ._blocks import Block
from ._plan import Plan
from ._rows import Decided, Rows
from ._stain import behind

BAND_PX = 512
"""Rows that are read at a time: a whole row of the chunks of most files, px."""

BATCH_PX = 2**23
"""Pixels that a GPU is given at a time. A processor gains nothing from more than one tile."""


def compute(plan: Plan, block: Block) -> Iterator[list[StoredTile]]:
    """Compute a block; yield its tiles as they are finished, one or more rows of it at a time.

    An empty list is yielded now and then, so that the caller can look around. Where a part
    of the slide cannot be read, the tiles that see it are results without pixels.
    """
    if plan.model.spec.context == "tile":
        yield from _blended(plan, block)
        return
    stream = plan.model.stream() if isinstance(plan.model, StreamingModel) else None
    if stream is None:
        yield from _batches(plan, block.tiles)
        return
    finished = 0
    try:
        for tiles in _streamed(plan, block, stream):
            finished += len(tiles)
            yield tiles
    except UnreadableRegionError:
        yield from _batches(plan, block.tiles[finished:])


def compute_all(plan: Plan, block: Block) -> list[StoredTile]:
    """Compute a block at once: the task that a cluster worker is given."""
    return [tile for tiles in compute(plan, block) for tile in tiles]


def _streamed(plan: Plan, block: Block, stream: Stream) -> Iterator[list[StoredTile]]:
    outer, row = block.outer, 0
    inner = _inner(plan, block, row)
    rows = Rows(first=outer.y)
    most = stream.rows_at_a_time(outer.width)
    for band, rgb in _read_ahead(plan, outer):
        count = -(-len(rgb) // -(-len(rgb) // most))  # pushes of equal height
        for y in range(0, len(rgb), count):
            part = rgb[y : y + count]
            found = stream.push(part, last=band.y + y + len(part) == outer.y_end)
            rows.append(_decided(plan, found[..., inner.x - outer.x :][..., : inner.width]))
        if rows.end < inner.y_end:
            yield []
        while row < block.rows and rows.end >= inner.y_end:
            yield _stored(plan, block.tiles_of(row), inner, rows.take(inner.y, inner.y_end))
            row += 1
            inner = _inner(plan, block, row) if row < block.rows else inner


def _read_ahead(plan: Plan, outer: Region) -> Iterator[tuple[Region, NDArray[np.uint8]]]:
    """Read each band of rows while the network computes the one before."""
    with ThreadPoolExecutor(1, "read") as reader:
        coming = ((band, reader.submit(_pixels, plan, band)) for band in _bands(outer))
        band, reading = next(coming)
        for following in chain(coming, [None]):
            yield band, reading.result()
            if following is not None:
                band, reading = following


def _bands(outer: Region) -> Iterator[Region]:
    y = outer.y
    while y < outer.y_end:
        end = min((y // BAND_PX + 1) * BAND_PX, outer.y_end)
        yield Region(y=y, x=outer.x, height=end - y, width=outer.width)
        y = end


def _inner(plan: Plan, block: Block, row: int) -> Region:
    tiles = block.tiles_of(row)
    start, end = plan.grid[tiles[0]].inner, plan.grid[tiles[-1]].inner
    return Region(y=start.y, x=start.x, height=start.height, width=end.x_end - start.x)


def _batches(plan: Plan, tiles: Sequence[int]) -> Iterator[list[StoredTile]]:
    """Compute tiles one by one, as many of one size in a batch as are worth while."""
    side = plan.grid.tile_px + 2 * plan.grid.halo_px
    alone = plan.model.arithmetic.get("device") == "cpu"
    count = 1 if alone else max(1, BATCH_PX // side**2)
    for start in range(0, len(tiles), count):
        yield _batch(plan, tiles[start : start + count])


def _batch(plan: Plan, tiles: Sequence[int]) -> list[StoredTile]:
    done, seen = [], defaultdict(list)
    model, _ = behind(plan.model, plan.stain)
    for tile in map(plan.grid.__getitem__, tiles):
        try:
            rgb = _pixels(plan, tile.outer)
        except UnreadableRegionError as error:
            done.append(StoredTile(tile.index, tile.inner, None, error=str(error)))
        else:
            seen[rgb.shape].append((tile, rgb))
    for alike in seen.values():
        found = model.predict(np.stack([rgb for _, rgb in alike]))
        for (tile, _), probabilities in zip(alike, found, strict=True):
            owned = probabilities[(slice(None), *tile.inner.within(tile.outer))]
            alone = range(tile.index, tile.index + 1)
            done += _stored(plan, alone, tile.inner, _decided(plan, owned))
    return done


def _blended(plan: Plan, block: Block) -> Iterator[list[StoredTile]]:
    """Compute tiles that overlap, each once for a block, and blend them."""
    planned = set(plan.tiles)
    model, _ = behind(plan.model, plan.stain)

    @lru_cache(maxsize=3 * (block.columns + 2))
    def seen(index: int) -> tuple[Tile, NDArray[np.float32]]:
        tile = plan.grid[index]
        return tile, model.predict(_pixels(plan, tile.outer)[None])[0]

    for index in block.tiles:
        tile = plan.grid[index]
        around = [i for i in neighbours(plan.grid, index) if i in planned]
        try:
            probabilities = blended(tile, map(seen, around), plan.grid.halo_px)
        except UnreadableRegionError as error:
            yield [StoredTile(index, tile.inner, None, error=str(error))]
        else:
            alone = range(index, index + 1)
            yield _stored(plan, alone, tile.inner, _decided(plan, probabilities))


def _pixels(plan: Plan, region: Region) -> NDArray[np.uint8]:
    rgb = plan.plane.read(region)
    _, stain = behind(plan.model, plan.stain)
    return rgb if stain is None else stain.apply(rgb)


def _decided(plan: Plan, probabilities: NDArray[np.float32]) -> Decided:
    classes = class_values(probabilities, plan.model.spec.threshold)
    return Decided(classes, quantised(probabilities, classes) if plan.probabilities else None)


def _stored(plan: Plan, tiles: range, inner: Region, decided: Decided) -> list[StoredTile]:
    """Cut what is stored of neighbouring tiles, which fill `inner`, into tiles."""
    classes, kept = decided.classes, decided.probabilities
    left_out = plan.left_out(inner)
    if left_out is not None:
        classes[left_out] = 0
        if kept is not None:
            kept[:, left_out] = 0
    done = []
    for index in tiles:
        own = plan.grid[index].inner
        place = own.within(inner)
        part = None if kept is None else np.ascontiguousarray(kept[(slice(None), *place)])
        done.append(StoredTile(index, own, np.ascontiguousarray(classes[place]), part))
    return done


def class_values(probabilities: NDArray[np.float32], threshold: float) -> NDArray[np.uint8]:
    """Return the stored value per pixel: class index + 1.

    Parameters
    ----------
    probabilities : (class, y, x) float32
        Summing to 1 over the classes.
    threshold : float
        With two classes, the second one needs at least this; with more, the largest wins.

    Examples
    --------
    >>> class_values(np.array([[[0.8, 0.3]], [[0.2, 0.7]]], np.float32), 0.5).tolist()
    [[1, 2]]
    """
    if len(probabilities) == 2:
        return np.where(probabilities[1] >= threshold, np.uint8(2), np.uint8(1))
    return (probabilities.argmax(0) + 1).astype(np.uint8)
