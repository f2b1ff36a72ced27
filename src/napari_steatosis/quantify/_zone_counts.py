"""Pixels per zone and block of tissue, counted while a class map is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region
from ..core.prediction import NOT_ANALYSED
from ._squares import cuts
from ._zone_map import ZoneMap

BLOCK_UM = 512.0
"""Side of the blocks that intervals rest on, um: about as far as from a portal tract to a vein."""

NEAR_UM = 100.0
"""A drawn region with nothing analysed within this distance is no landmark of the tissue, um."""


@dataclass(frozen=True, eq=False)
class ZoneCounts:
    """What was counted in each zone.

    Parameters
    ----------
    zones : ZoneMap
        Which zone each place belongs to.
    analysed, found : (1 + zones, blocks) int64
        Pixels that were analysed, and those of them that are of the class. Row 0: no zone.
    seen : (rows, columns) bool
        Places with anything that was analysed.
    """

    zones: ZoneMap
    analysed: NDArray[np.int64]
    found: NDArray[np.int64]
    seen: NDArray[np.bool_]

    def near(self, kind: str) -> int:
        """Return how many regions of a kind lie by the tissue that was analysed."""
        return sum(self._has_tissue(region) for region in self.zones.regions.get(kind, ()))

    def _has_tissue(self, region: Region) -> bool:
        margin = int(np.ceil(NEAR_UM / self.zones.frame.mean_um_per_px))
        whole = Region(y=0, x=0, height=self.seen.shape[0], width=self.seen.shape[1])
        around = region.grow(margin).intersect(whole)
        return around is not None and bool(self.seen[around.slices].any())


class ZoneCounter:
    """Adds up pixels per zone and block while the class map is being read.

    Parameters
    ----------
    zones : ZoneMap
        Of the class map.
    value : int
        The class that is counted.
    """

    def __init__(self, zones: ZoneMap, value: int) -> None:
        self._value = value
        rows, columns = zones.values.shape
        side = [max(1, round(BLOCK_UM / um)) for um in zones.frame.um_per_px]
        self._rows, self._across = side[0], -(-columns // side[1])
        self._column = np.arange(columns) // side[1]
        blocks = -(-rows // side[0]) * self._across
        empty = np.zeros((1 + zones.count, blocks), np.int64)
        seen = np.zeros(zones.values.shape, bool)
        self.counts = ZoneCounts(zones, empty, empty.copy(), seen)

    def add(self, y: int, band: NDArray[np.uint8]) -> None:
        """Count rows of the class map that begin at `y`."""
        if not band.any():
            return
        zones, counts = self.counts.zones, self.counts
        height, width = zones.side_px
        edges = np.arange(0, band.shape[1], width)
        for start, end in cuts(y, len(band), height):
            rows, row = band[start - y : end - y], start // height
            first = row // self._rows * self._across
            key = zones.values[row].astype(np.int64) * self._across + self._column
            for total, of in (
                (counts.analysed, rows != NOT_ANALYSED),
                (counts.found, rows == self._value),
            ):
                place = np.add.reduceat(np.count_nonzero(of, axis=0), edges)
                if total is counts.analysed:
                    counts.seen[row] |= place > 0
                summed = np.bincount(key, place, minlength=len(total) * self._across)
                total[:, first : first + self._across] += (
                    np.rint(summed).astype(np.int64).reshape(len(total), self._across)
                )
