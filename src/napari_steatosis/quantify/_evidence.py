"""What measures may look at: gathered in one pass over the class map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame
from ..core.prediction import NOT_ANALYSED, Prediction
from ..core.report import Columns
from ._droplets import BLOCK_PX, DropletRule, droplet_table, find_droplets
from ._shapes import Shapes

SQUARE_UM = 256.0
"""Side of the squares that are resampled for intervals; independent of how a model ran."""

HEPATOCYTE_UM = 27.5
"""Side of the squares that stand for hepatocytes, which are 25 to 30 um wide."""

FAT = "fat"


@dataclass(frozen=True, eq=False)
class SquareCounts:
    """Pixels per square of a fixed size in the tissue.

    Parameters
    ----------
    side_px : (int, int)
        Height and width of a square, px.
    analysed, fat : (rows, columns) uint32
        Pixels that were analysed, and those of them that are fat.
    """

    side_px: tuple[int, int]
    analysed: NDArray[np.uint32]
    fat: NDArray[np.uint32]


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
    """

    prediction: Prediction
    rule: DropletRule
    squares: SquareCounts
    hepatocytes: SquareCounts
    droplets: Columns
    oversized: int

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
        return int(self.squares.fat.sum()) * self.frame.um2_per_px / 1e6

    @classmethod
    def gather(
        cls, prediction: Prediction, rule: DropletRule | None = None, *, block_px: int = BLOCK_PX
    ) -> Evidence:
        """Read the class map once, in bands of `block_px` rows.

        Raises
        ------
        UnknownNameError
            Where the prediction has no class ``"fat"``.
        """
        rule = DropletRule() if rule is None else rule
        value, frame = prediction.value_of(FAT), prediction.frame
        squares = _Counter(prediction.shape, frame, value, side_um=SQUARE_UM)
        hepatocytes = _Counter(prediction.shape, frame, value, side_um=HEPATOCYTE_UM)

        def count(y: int, band: NDArray[np.uint8]) -> None:
            squares.add(y, band)
            hepatocytes.add(y, band)

        found = [_nothing()]
        for _, shapes in find_droplets(
            prediction.levels[0], value, frame, block_px=block_px, seen=count
        ):
            found.append(shapes)
        shapes = Shapes.joined(found)
        oversized = int(np.count_nonzero(~shapes.whole))
        table = droplet_table(shapes, frame, rule)
        return cls(prediction, rule, squares.counts, hepatocytes.counts, table, oversized)


def _nothing() -> Shapes:
    whole, number = np.zeros(0, np.int64), np.zeros(0, np.float64)
    flag = np.zeros(0, np.bool_)
    return Shapes(whole, whole, whole, *(number,) * 6, flag, flag, flag)


class _Counter:
    """Adds up pixels per square while the class map is being read."""

    def __init__(self, shape: tuple[int, int], frame: Frame, value: int, *, side_um: float) -> None:
        side = tuple(max(1, round(side_um / um)) for um in frame.um_per_px)
        self._value = value
        rows, columns = (-(-n // own) for n, own in zip(shape, side, strict=True))
        zeros = np.zeros((rows, columns), np.uint32)
        self.counts = SquareCounts((side[0], side[1]), zeros, zeros.copy())

    def add(self, y: int, band: NDArray[np.uint8]) -> None:
        if not band.any():
            return
        height, width = self.counts.side_px
        for start, end in _cuts(y, len(band), height):
            rows = band[start - y : end - y]
            row, edges = start // height, np.arange(0, band.shape[1], width)
            for counts, of in (
                (self.counts.analysed, rows != NOT_ANALYSED),
                (self.counts.fat, rows == self._value),
            ):
                per_column = np.count_nonzero(of, axis=0)
                counts[row] += np.add.reduceat(per_column, edges).astype(np.uint32)


def _cuts(y: int, length: int, side: int) -> Iterator[tuple[int, int]]:
    """Cut rows ``y ... y + length`` where squares end."""
    start, last = y, y + length
    while start < last:
        end = min((start // side + 1) * side, last)
        yield start, end
        start = end
