"""Chunks of a zarr array that are not there, told from chunks that hold the fill value."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

WHITE = 255


def check_not_missing(array: Any, pixels: NDArray[np.uint8], key: tuple[slice, ...]) -> None:
    """Raise where `pixels` show a chunk that the store does not hold.

    Only what is the fill value throughout can come from a missing chunk, so little is
    looked at twice. Whether such a chunk is there is asked of zarr itself: the array is
    opened with another fill value, and what then reads otherwise was never stored. That
    holds for files, for shards, and for what their index points to in vain.

    Parameters
    ----------
    array : zarr.Array
        Of uint8; nothing is missing where its fill value is white, which is glass.
    pixels : uint8 array
        ``array[key]``.
    key : tuple of slice
        What was read, with start and stop for every axis.

    Raises
    ------
    FileNotFoundError
        Naming the file, of a chunk or shard, below the folder of the array.
    """
    fill = int(array.fill_value or 0)
    if fill == WHITE:
        return
    sides = array.chunks
    corners = [
        [0, *range(side - part.start % side, part.stop - part.start, side)]
        for part, side in zip(key, sides, strict=True)
    ]
    for corner in product(*corners):
        if pixels.item(corner) != fill:
            continue
        place = [part.start + i for part, i in zip(key, corner, strict=True)]
        index = tuple(i // side for i, side in zip(place, sides, strict=True))
        shown = tuple(
            slice(i, (n + 1) * side - part.start)
            for i, n, side, part in zip(corner, index, sides, key, strict=True)
        )
        if (pixels[shown] == fill).all() and not _is_stored(array, place):
            stored = array.shards or sides
            outer = tuple(i // side for i, side in zip(place, stored, strict=True))
            name = array.metadata.encode_chunk_key(outer)
            inside = f" or lacks its part {list(index)}" if array.shards else ""
            raise FileNotFoundError(f"chunk {name} is missing{inside}")


def _is_stored(array: Any, place: list[int]) -> bool:
    import zarr

    metadata = {**array.metadata.to_dict(), "fill_value": WHITE}
    other = zarr.Array.from_dict(array.store_path, metadata)
    return int(np.asarray(other[tuple(slice(i, i + 1) for i in place)]).item()) != WHITE
