"""The arrays of a label pyramid while it fills: fine levels on disk, coarse ones in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ._ngff.levels import CHUNK_PX, create_level, level_shapes

IN_MEMORY_PX = 4096
"""Levels whose longer side is at most this are held in memory while the pyramid fills.

napari keeps a copy of the coarsest level of a multiscale layer that it never refreshes; for a
numpy array that copy is the array itself, so the overview and the thumbnail stay alive.
"""


class LabelPyramid:
    """A uint8 pyramid, each level half the one before, written tile by tile.

    Coarse levels take every second pixel, so class values stay class values, and the result
    does not depend on the order of the tiles. One thread writes; any number may read.
    """

    def __init__(self, arrays: list[Any]) -> None:
        self._stored = arrays
        self.levels: list[Any] = [
            array[:] if level and max(array.shape) <= IN_MEMORY_PX else array
            for level, array in enumerate(arrays)
        ]

    @classmethod
    def open(
        cls, group: zarr.Group, shape: tuple[int, int], count: int | None = None
    ) -> LabelPyramid:
        """Open the arrays ``0, 1, 2 ...`` of a group, and create those that are missing.

        Parameters
        ----------
        group : zarr.Group
            Where they stand.
        shape : (int, int)
            Of level 0, px.
        count : int, optional
            Number of levels; without it, halving stops at one chunk.
        """
        return cls(
            [
                group[str(level)] if str(level) in group else create_level(group, str(level), size)
                for level, size in enumerate(level_shapes(shape, count))
            ]
        )

    @property
    def count(self) -> int:
        """Number of levels."""
        return len(self.levels)

    def write(self, y: int, x: int, tile: NDArray[np.uint8]) -> None:
        """Write a tile, whose first pixel is level 0 pixel ``(y, x)``, at every level."""
        for level, array in enumerate(self.levels):
            step = 1 << level
            first_y, first_x = -(-y // step), -(-x // step)
            part = tile[first_y * step - y :: step, first_x * step - x :: step]
            if part.size:
                rows = slice(first_y, first_y + part.shape[0])
                array[rows, first_x : first_x + part.shape[1]] = part

    def rebuild(self) -> None:
        """Derive every coarse level from level 0 again, one band of chunks at a time."""
        finest = self.levels[0]
        height = finest.shape[0]
        for y in range(0, height, CHUNK_PX):
            band = finest[y : min(y + CHUNK_PX, height)]
            for level, array in enumerate(self.levels[1:], start=1):
                step = 1 << level
                first = -(-y // step)
                part = band[first * step - y :: step, ::step]
                if part.size:
                    array[first : first + part.shape[0], : part.shape[1]] = part

    def flush(self) -> None:
        """Write the levels that are held in memory."""
        for stored, level in zip(self._stored, self.levels, strict=True):
            if level is not stored:
                stored[:] = level
