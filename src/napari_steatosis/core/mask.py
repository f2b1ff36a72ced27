"""A yes/no map over the tissue, at its own resolution: tissue, regions, exclusions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Frame, Region

STRIP_PX = 2**22
"""Pixels that are unpacked at a time to be counted."""


@dataclass(frozen=True, eq=False, init=False)
class Mask:
    """Where to look, as a boolean map with a frame; outside the map the answer is no.

    It is kept as bits: that of a slide of 131 072 px squared takes 8 MB instead of 67.

    Parameters
    ----------
    values : (y, x) bool
        The map.
    frame : Frame
        Where its pixels lie in the tissue.
    provenance : mapping
        How it was made; part of the identity of a result.

    Examples
    --------
    >>> mask = Mask(np.array([[True, False]]), Frame((8.0, 8.0)))
    >>> mask.on(Region(y=0, x=0, height=1, width=4), Frame((4.0, 4.0), (-2.0, -2.0))).tolist()
    [[True, True, False, False]]
    """

    shape: tuple[int, int]
    frame: Frame
    provenance: Mapping[str, Any]
    _bits: NDArray[np.uint8] = field(repr=False)

    def __init__(
        self, values: NDArray[np.bool_], frame: Frame, provenance: Mapping[str, Any] | None = None
    ) -> None:
        height, width = values.shape
        made = {} if provenance is None else provenance
        bits = np.packbits(values)
        vars(self).update(shape=(height, width), frame=frame, provenance=made, _bits=bits)

    @property
    def values(self) -> NDArray[np.bool_]:
        """The map, ``(y, x) bool``, made anew with each call."""
        return self._rows(0, self.shape[0])

    @property
    def area_mm2(self) -> float:
        """Area of the yes pixels, square millimetres."""
        height, width = self.shape
        step = max(1, STRIP_PX // width)
        strips = (self._rows(y, min(y + step, height)) for y in range(0, height, step))
        return int(sum(map(np.count_nonzero, strips))) * self.frame.um2_per_px / 1e6

    @property
    def content(self) -> str:
        """SHA-256 of the pixels, whatever their place."""
        return hashlib.sha256(self._bits.data).hexdigest()

    def on(self, region: Region, frame: Frame) -> NDArray[np.bool_]:
        """Sample the mask at the pixel centres of a region of another plane.

        Parameters
        ----------
        region : Region
            In pixels of the other plane.
        frame : Frame
            Of the other plane.

        Returns
        -------
        (height, width) bool
        """
        rows, inside_rows = self._index(0, region.y, region.height, frame)
        columns, inside_columns = self._index(1, region.x, region.width, frame)
        near = self._rows(int(rows[0]), int(rows[-1]) + 1)
        found: NDArray[np.bool_] = near[np.ix_(rows - rows[0], columns)]
        return found & inside_rows[:, None] & inside_columns[None, :]

    def touches(self, region: Region, frame: Frame) -> bool:
        """Say whether `on` would hold any yes, without sampling every pixel.

        Examples
        --------
        >>> mask = Mask(np.array([[True, False]]), Frame((8.0, 8.0)))
        >>> mask.touches(Region(y=0, x=9, height=9, width=9), Frame((1.0, 1.0)))
        False
        """
        rows, inside_rows = self._index(0, region.y, region.height, frame)
        columns, inside_columns = self._index(1, region.x, region.width, frame)
        rows, columns = rows[inside_rows], columns[inside_columns]
        if not len(rows) or not len(columns):
            return False
        place = np.ix_(np.unique(rows) - rows[0], np.unique(columns))
        return bool(self._rows(int(rows[0]), int(rows[-1]) + 1)[place].any())

    def __and__(self, other: Mask) -> Mask:
        """Return where both say yes, at the resolution of the finer of the two."""
        fine, coarse = sorted((self, other), key=lambda mask: mask.frame.um2_per_px)
        whole = Region(y=0, x=0, height=fine.shape[0], width=fine.shape[1])
        both = fine.values & coarse.on(whole, fine.frame)
        return Mask(both, fine.frame, {"and": [dict(fine.provenance), dict(coarse.provenance)]})

    def without(self, other: Mask) -> Mask:
        """Return this mask less what `other` covers (exclusions)."""
        whole = Region(y=0, x=0, height=self.shape[0], width=self.shape[1])
        rest = self.values & ~other.on(whole, self.frame)
        made = {"of": dict(self.provenance), "without": dict(other.provenance)}
        return Mask(rest, self.frame, made)

    def _rows(self, first: int, end: int) -> NDArray[np.bool_]:
        """Unpack some rows, ``(end - first, x)``."""
        width = self.shape[1]
        start = first * width // 8
        flat = np.unpackbits(self._bits[start : -(-end * width // 8)]).view(bool)
        skip = first * width - 8 * start
        return flat[skip : skip + (end - first) * width].reshape(end - first, width)

    def _index(
        self, axis: int, start: int, length: int, frame: Frame
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        centres_px = np.arange(start, start + length)
        centres_um = centres_px * frame.um_per_px[axis] + frame.origin_um[axis]
        own = (centres_um - self.frame.origin_um[axis]) / self.frame.um_per_px[axis]
        index = np.floor(own + 0.5).astype(np.int64)
        size = self.shape[axis]
        return np.clip(index, 0, size - 1), (index >= 0) & (index < size)
