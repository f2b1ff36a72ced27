"""Chunks of a growing uint8 array in zarr 2, written as files without zarr's own machinery.

zarr 3.1 takes 1.8 ms of processor time for a chunk of labels of 512 px, of which zstd needs 0.3.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .chunk_files import check_head, codec_name

PARTIAL = "chunk.partial"
"""A chunk is written under this name in the folder of its array and then renamed into place."""


@dataclass(frozen=True, eq=False)
class Part:
    """Pixels of one level.

    Parameters
    ----------
    y, x : int
        Where the first pixel lies, px of the level.
    pixels : (..., y, x) uint8
        With the leading axes of the array.
    """

    y: int
    x: int
    pixels: NDArray[np.uint8]

    def halved(self) -> Part:
        """Return what the next coarser level holds of it: every second pixel of the plane."""
        return Part(
            -(-self.y // 2),
            -(-self.x // 2),
            np.ascontiguousarray(self.pixels[..., self.y % 2 :: 2, self.x % 2 :: 2]),
        )


class ChunkWriter:
    """Writes one array, chunk by chunk, each replaced as a whole; one process at a time.

    Chunks of nothing but the fill value 0 are not stored.

    Parameters
    ----------
    folder : Path
        Of the array. It must exist for as long as something is written.
    array : zarr.Array
        Opened from it: zarr 2, uint8, axes (..., y, x), leading sides of its chunks 1.
    """

    def __init__(self, folder: Path, array: Any) -> None:
        self.folder, self._codec = folder, array.compressors[0]
        self._partial = f"{folder}/{PARTIAL}"
        self._codec_name = codec_name(array)
        self._shape, self._chunks = array.shape, array.chunks
        self._encode_key = array.metadata.encode_chunk_key
        with suppress(FileNotFoundError):
            os.unlink(self._partial)  # of a process that was killed

    def write(self, parts: Sequence[Part]) -> None:
        """Write parts that do not overlap; a chunk that several of them touch is written once."""
        height, width = self._chunks[-2:]
        touched: dict[tuple[int, int], list[Part]] = {}
        for part in parts:
            for chunk_place in product(
                _span(part.y, part.pixels.shape[-2], height),
                _span(part.x, part.pixels.shape[-1], width),
            ):
                touched.setdefault(chunk_place, []).append(part)
        for (row, column), inside in touched.items():
            overlaps = [self._overlap(row, column, part) for part in inside]
            whole = sum(_area(place) for place, _ in overlaps) == self._area(row, column)
            for plane in np.ndindex(self._shape[:-2]):
                index = (*plane, row, column)
                chunk = np.zeros(self._chunks[-2:], np.uint8) if whole else self.read(index)
                for part, (place, taken) in zip(inside, overlaps, strict=True):
                    chunk[place] = part.pixels[(*plane, *taken)]
                self._put(index, chunk)

    def read(self, index: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return the (y, x) pixels of a chunk: zeros where there is none.

        Raises
        ------
        OSError
            The file is cut off, or no chunk of this array.
        """
        sides = self._chunks[-2:]
        path = self._path(index)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return np.zeros(sides, np.uint8)
        check_head(path, data, len(data), sides[0] * sides[1], self._codec_name)
        return np.frombuffer(self._codec.decode(data), np.uint8).reshape(sides).copy()

    def read_part(self, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return a rectangle that lies in the plane, (..., height, width), with the same errors."""
        whole = np.zeros((*self._shape[:-2], height, width), np.uint8)
        part = Part(y, x, whole)
        for row, column in product(
            _span(y, height, self._chunks[-2]), _span(x, width, self._chunks[-1])
        ):
            place, taken = self._overlap(row, column, part)
            for plane in np.ndindex(self._shape[:-2]):
                whole[(*plane, *taken)] = self.read((*plane, row, column))[place]
        return whole

    def remove(self, y: int, x: int, height: int, width: int) -> None:
        """Remove the chunks that a rectangle touches."""
        for row, column in product(
            _span(y, height, self._chunks[-2]), _span(x, width, self._chunks[-1])
        ):
            for plane in np.ndindex(self._shape[:-2]):
                with suppress(FileNotFoundError):
                    os.unlink(self._path((*plane, row, column)))

    def remove_all(self) -> None:
        """Remove every chunk."""
        for entry in self.folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)

    def _put(self, index: tuple[int, ...], chunk: NDArray[np.uint8]) -> None:
        path = self._path(index)
        if not chunk.any():
            with suppress(FileNotFoundError):
                os.unlink(path)
            return
        with open(self._partial, "wb", buffering=0) as file:
            data = memoryview(self._codec.encode(chunk))
            while data:
                data = data[file.write(data) :]
        try:
            os.replace(self._partial, path)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(self._partial, path)

    def _path(self, index: tuple[int, ...]) -> str:
        return f"{self.folder}/{self._encode_key(index)}"

    def _area(self, row: int, column: int) -> int:
        height, width = self._chunks[-2:]
        return min(height, self._shape[-2] - row * height) * min(
            width, self._shape[-1] - column * width
        )

    def _overlap(
        self, row: int, column: int, part: Part
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return where chunk and part overlap, in px of the chunk and in px of the part."""
        spans = []
        for first, side, start, length in zip(
            (row * self._chunks[-2], column * self._chunks[-1]),
            self._chunks[-2:],
            (part.y, part.x),
            part.pixels.shape[-2:],
            strict=True,
        ):
            low, high = max(first, start), min(first + side, start + length)
            spans.append((slice(low - first, high - first), slice(low - start, high - start)))
        (chunk_y, part_y), (chunk_x, part_x) = spans
        return (chunk_y, chunk_x), (part_y, part_x)


def _span(start: int, length: int, side: int) -> range:
    return range(start // side, -(-(start + length) // side))


def _area(place: Iterable[slice]) -> int:
    rows, columns = place
    return int((rows.stop - rows.start) * (columns.stop - columns.start))
