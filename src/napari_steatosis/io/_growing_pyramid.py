"""The arrays of a pyramid while it fills: fine levels on disk, coarse ones in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ._ngff.chunk_writer import ChunkWriter, Part
from ._ngff.levels import CHUNK_PX, level_shapes

IN_MEMORY_PX = 4096
"""Levels of at most this squared values are held in memory while the pyramid fills.

napari keeps a copy of the coarsest level of a multiscale layer that it never refreshes; for a
numpy array that copy is the array itself, so the overview and the thumbnail stay alive.
"""

ZSTD_LEVEL = 2
"""Class maps take half the time of level 3, probabilities a third, for 0 to 9 % more bytes."""


class GrowingPyramid:
    """A uint8 pyramid (..., y, x), each level half the one before, written by parts of level 0.

    Coarse levels take every second pixel, so class values stay class values, and the result
    does not depend on the order of the parts. What is on disk is shown as it is written; no
    more than the parts and one chunk are held besides the coarse levels. One thread writes;
    any number may read.

    Parameters
    ----------
    arrays : list of zarr.Array
        The levels, finest first.
    folder : Path, optional
        Of the group that holds them as ``0``, ``1``, ...; None for arrays in memory.
    """

    def __init__(self, arrays: list[Any], folder: Path | None) -> None:
        self._writers = (
            None
            if folder is None
            else [ChunkWriter(folder / str(level), array) for level, array in enumerate(arrays)]
        )
        self.levels: list[Any] = [
            _held(array) if level and array.size <= IN_MEMORY_PX**2 else array
            for level, array in enumerate(arrays)
        ]
        self._stored, self._behind = arrays, False

    @classmethod
    def open(
        cls,
        group: zarr.Group,
        shape: tuple[int, ...],
        folder: Path | None,
        count: int | None = None,
    ) -> GrowingPyramid:
        """Open the arrays ``0, 1, 2 ...`` of a group, and create those that are missing.

        Parameters
        ----------
        group : zarr.Group
            Where they stand.
        shape : (..., y, x)
            Of level 0, px.
        folder : Path, optional
            Of the group; None for one in memory.
        count : int, optional
            Number of levels; without it, halving stops at one chunk.
        """
        height, width = shape[-2:]
        shapes = [(*shape[:-2], *plane) for plane in level_shapes((height, width), count)]
        arrays = [
            group[str(level)] if str(level) in group else _create(group, str(level), size)
            for level, size in enumerate(shapes)
        ]
        return cls(arrays, folder)

    @property
    def count(self) -> int:
        """Number of levels."""
        return len(self.levels)

    def write(self, parts: Sequence[Part], *, coarse_only: bool = False) -> None:
        """Write parts of level 0 that do not overlap at every level, or at all but level 0."""
        self._behind = True
        for level in range(self.count):
            if not (level == 0 and coarse_only):
                self._write_level(level, parts)
            parts = [half for part in parts if (half := part.halved()).pixels.size]

    def _write_level(self, level: int, parts: Sequence[Part]) -> None:
        array = self.levels[level]
        if self._writers is not None and array is self._stored[level]:
            self._writers[level].write(parts)
            return
        for part in parts:
            height, width = part.pixels.shape[-2:]
            rows, columns = slice(part.y, part.y + height), slice(part.x, part.x + width)
            array[..., rows, columns] = part.pixels

    def flush(self) -> None:
        """Write the levels that are held in memory, if anything was written to them."""
        if not self._behind:
            return
        for level, (stored, held) in enumerate(zip(self._stored, self.levels, strict=True)):
            if held is stored:
                continue
            if self._writers is None:
                stored[:] = held
            else:
                self._writers[level].write([Part(0, 0, held)])
        self._behind = False

    @property
    def finest(self) -> ChunkWriter:
        """The chunks of level 0, of a pyramid on disk."""
        assert self._writers is not None
        return self._writers[0]

    def clear_coarse(self) -> None:
        """Empty every level but the finest."""
        assert self._writers is not None
        for level, writer in enumerate(self._writers[1:], start=1):
            writer.remove_all()
            held = self.levels[level]
            if held is not self._stored[level]:
                for _, rows in _written(held):
                    rows[:] = 0


def _held(stored: Any) -> NDArray[np.uint8]:
    """Return what is stored as an array in memory, which takes some where it is not 0."""
    values = np.zeros(stored.shape, np.uint8)
    for y, rows in _written(stored):
        values[..., y : y + CHUNK_PX, :] = rows
    return values


def _written(array: Any) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the rows of chunks that are not 0, and where they begin: others stay untouched."""
    for y in range(0, array.shape[-2], CHUNK_PX):
        rows = array[..., y : y + CHUNK_PX, :]
        if rows.any():
            yield y, rows


def _create(group: zarr.Group, name: str, shape: tuple[int, ...]) -> Any:
    """Create an empty array of zarr 2 whose chunks lie in one plane; empty ones are not stored."""
    *leading, height, width = shape
    codec: dict[str, Any] = {"id": "blosc", "cname": "zstd", "clevel": ZSTD_LEVEL, "shuffle": 0}
    return group.create_array(
        name,
        shape=shape,
        chunks=(*[1] * len(leading), min(CHUNK_PX, height), min(CHUNK_PX, width)),
        dtype="uint8",
        fill_value=0,
        compressors=codec,
        chunk_key_encoding={"name": "v2", "separator": "/"},
        config={"write_empty_chunks": False},
    )
