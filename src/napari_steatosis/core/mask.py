"""A yes/no map over the tissue, at its own resolution: tissue, regions, exclusions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Frame, Region


@dataclass(frozen=True, eq=False)
class Mask:
    """Where to look, as a boolean map with a frame; outside the map the answer is no.

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

    values: NDArray[np.bool_]
    frame: Frame
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def area_mm2(self) -> float:
        """Area of the yes pixels, square millimetres."""
        return float(np.count_nonzero(self.values)) * self.frame.um2_per_px / 1e6

    @property
    def content(self) -> str:
        """SHA-256 of the pixels, whatever their place."""
        return hashlib.sha256(np.packbits(self.values).tobytes()).hexdigest()

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
        found = self.values[np.ix_(rows, columns)]
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
        place = np.ix_(np.unique(rows[inside_rows]), np.unique(columns[inside_columns]))
        return bool(self.values[place].any())

    def __and__(self, other: Mask) -> Mask:
        """Return where both say yes, at the resolution of the finer of the two."""
        fine, coarse = sorted((self, other), key=lambda mask: mask.frame.um2_per_px)
        whole = Region(y=0, x=0, height=fine.values.shape[0], width=fine.values.shape[1])
        both = fine.values & coarse.on(whole, fine.frame)
        return Mask(both, fine.frame, {"and": [dict(fine.provenance), dict(coarse.provenance)]})

    def without(self, other: Mask) -> Mask:
        """Return this mask less what `other` covers (exclusions)."""
        whole = Region(y=0, x=0, height=self.values.shape[0], width=self.values.shape[1])
        rest = self.values & ~other.on(whole, self.frame)
        made = {"of": dict(self.provenance), "without": dict(other.provenance)}
        return replace(self, values=rest, provenance=made)

    def _index(
        self, axis: int, start: int, length: int, frame: Frame
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        centres_px = np.arange(start, start + length)
        centres_um = centres_px * frame.um_per_px[axis] + frame.origin_um[axis]
        own = (centres_um - self.frame.origin_um[axis]) / self.frame.um_per_px[axis]
        index = np.floor(own + 0.5).astype(np.int64)
        size = self.values.shape[axis]
        return np.clip(index, 0, size - 1), (index >= 0) & (index < size)
