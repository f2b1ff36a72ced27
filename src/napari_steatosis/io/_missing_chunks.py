"""Chunks of a zarr array that are not there, told from chunks that hold the fill value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WHITE = 255


def check_chunks(
    array: Any, pixels: NDArray[np.uint8], *, key: tuple[slice, ...], folder: Path, level: int
) -> None:
    """Raise `FileNotFoundError` where `pixels` show a chunk that the store does not hold.

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
    folder : Path
        Of the array.
    level : int
        Of the slide, for the message.
    """
    fill = int(array.fill_value or 0)
    if fill == WHITE:
        return
    starts = [
        np.array([part.start, *range((part.start // side + 1) * side, part.stop, side)])
        for part, side in zip(key, array.chunks, strict=True)
    ]
    corners = [first - part.start for first, part in zip(starts, key, strict=True)]
    for index in np.argwhere(pixels[np.ix_(*corners)] == fill):
        part = tuple(
            slice(corner[i], corner[i + 1] if i + 1 < len(corner) else None)
            for corner, i in zip(corners, index, strict=True)
        )
        if not (pixels[part] == fill).all():
            continue
        place = [int(first[i]) for first, i in zip(starts, index, strict=True)]
        if not _is_stored(array, place):
            name, is_there = _chunk_at(array, place, folder)
            inner = [int(i) // side for i, side in zip(place, array.chunks, strict=True)]
            lost = f"lacks its part {inner}" if is_there else "is missing"
            raise FileNotFoundError(f"chunk {name} of level {level} {lost}")


def _is_stored(array: Any, place: list[int]) -> bool:
    import zarr

    metadata = {**array.metadata.to_dict(), "fill_value": WHITE}
    other = zarr.Array.from_dict(array.store_path, metadata)
    return int(np.asarray(other[tuple(slice(i, i + 1) for i in place)]).item()) != WHITE


def _chunk_at(array: Any, place: list[int], folder: Path) -> tuple[str, bool]:
    """Return the file name of a chunk or shard, and whether it is there."""
    stored = array.shards or array.chunks
    index = tuple(i // side for i, side in zip(place, stored, strict=True))
    name = array.metadata.encode_chunk_key(index)
    return name, (folder / name).exists()
