"""What measures may look at: gathered in one pass over the class map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame
from ..core.prediction import NOT_ANALYSED, Prediction
from ..core.report import Columns
from ._droplets import BLOCK_PX, DropletRule, droplet_table, find_droplets
from ._shapes import Shapes
from ._squares import SQUARE_UM, SquareCounter, SquareCounts
from ._zone_counts import ZoneCounter, ZoneCounts
from ._zone_map import Landmarks, zone_map

HEPATOCYTE_UM = 27.5
"""Side of the squares that stand for hepatocytes, which are 25 to 30 um wide."""

FAT = "fat"


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything that the measures need, counted once.

    Parameters
    ----------
    prediction : Prediction
        The class map it comes from.
    rule : DropletRule
        What counts as a droplet.
    squares : SquareCounts
        Pixel counts per square of `SQUARE_UM`.
    hepatocytes : SquareCounts
        The same per square of `HEPATOCYTE_UM`.
    droplets : Columns
        One row per droplet.
    oversized : int
        Droplets too large to be taken apart.
    zones : ZoneCounts, optional
        What was counted in each zone, where landmarks were drawn.
    nuclei : Columns, optional
        One row per hepatocyte whose nucleus was found and lies in what was analysed.
    """

    prediction: Prediction
    rule: DropletRule
    squares: SquareCounts
    hepatocytes: SquareCounts
    droplets: Columns
    oversized: int
    zones: ZoneCounts | None = None
    nuclei: Columns | None = None

    @property
    def frame(self) -> Frame:
        """Of the class map."""
        return self.prediction.frame

    @property
    def tissue_mm2(self) -> float:
        """Analysed area, square millimetres."""
        return int(self.squares.analysed.sum()) * self.frame.um2_per_px / 1e6

    @property
    def fat_mm2(self) -> float:
        """Area of fat, square millimetres."""
        return int(self.squares.found.sum()) * self.frame.um2_per_px / 1e6

    @classmethod
    def gather(
        cls,
        prediction: Prediction,
        rule: DropletRule | None = None,
        *,
        block_px: int = BLOCK_PX,
        landmarks: Landmarks | None = None,
        nuclei: Columns | None = None,
    ) -> Evidence:
        """Read the class map once, in bands of `block_px` rows.

        Raises
        ------
        UnknownNameError
            Where the prediction has no class ``"fat"``.
        """
        rule = DropletRule() if rule is None else rule
        value, frame = prediction.value_of(FAT), prediction.frame
        squares = SquareCounter(prediction.shape, frame, value, side_um=SQUARE_UM)
        hepatocytes = SquareCounter(prediction.shape, frame, value, side_um=HEPATOCYTE_UM)
        zones = None if landmarks is None else ZoneCounter(zone_map(prediction, landmarks), value)
        inside = None if nuclei is None else _Inside(nuclei, frame)
        counters = [one for one in (squares, hepatocytes, zones, inside) if one is not None]

        def count(y: int, band: NDArray[np.uint8]) -> None:
            for counter in counters:
                counter.add(y, band)

        found = [_nothing()]
        for _, shapes in find_droplets(
            prediction.levels[0], value, frame, block_px=block_px, seen=count
        ):
            found.append(shapes)
        shapes = Shapes.joined(found)
        oversized = int(np.count_nonzero(~shapes.whole))
        table = dict(droplet_table(shapes, frame, rule))
        if zones is not None:
            table["zone"] = zones.counts.zones.at(table["y_px"], table["x_px"])
        return cls(
            prediction,
            rule,
            squares.counts,
            hepatocytes.counts,
            table,
            oversized,
            None if zones is None else zones.counts,
            None if inside is None else inside.rows,
        )


class _Inside:
    """Finds which nuclei lie in what was analysed, while the class map is being read."""

    def __init__(self, nuclei: Columns, frame: Frame) -> None:
        centres = frame.to_px(np.stack([nuclei["y_um"], nuclei["x_um"]], axis=1))
        self._row, self._column = np.rint(centres).astype(np.int64).T
        self._inside = np.zeros(len(self._row), bool)
        self._nuclei = nuclei

    def add(self, y: int, band: NDArray[np.uint8]) -> None:
        own = (self._row >= y) & (self._row < y + len(band))
        own &= (self._column >= 0) & (self._column < band.shape[1])
        self._inside[own] = band[self._row[own] - y, self._column[own]] != NOT_ANALYSED

    @property
    def rows(self) -> Columns:
        return {name: values[self._inside] for name, values in self._nuclei.items()}


def _nothing() -> Shapes:
    whole, number = np.zeros(0, np.int64), np.zeros(0, np.float64)
    flag = np.zeros(0, np.bool_)
    return Shapes(whole, whole, whole, *(number,) * 6, flag, flag, flag)
