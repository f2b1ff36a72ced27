"""Pixels per square of the plane, counted while a class map is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame
from ..core.prediction import NOT_ANALYSED, Prediction

SQUARE_UM = 256.0
"""Side of the squares that intervals rest on; independent of how a model ran."""

BAND_PX = 512
"""Rows that are read at once."""


@dataclass(frozen=True, eq=False)
class SquareCounts:
    """Pixels per square of a fixed size in the tissue.

    Parameters
    ----------
    side_px : (int, int)
        Height and width of a square, px.
    analysed, found : (rows, columns) uint32
        Pixels that were analysed, and those of them that are of the class.
    """

    side_px: tuple[int, int]
    analysed: NDArray[np.uint32]
    found: NDArray[np.uint32]


def count_squares(prediction: Prediction, name: str) -> SquareCounts:
    """Count the pixels of a class per square of `SQUARE_UM`.

    Raises
    ------
    UnknownNameError
        Where the prediction has no such class.
    """
    value = prediction.value_of(name)
    counter = SquareCounter(prediction.shape, prediction.frame, value, side_um=SQUARE_UM)
    classes = prediction.levels[0]
    for y in range(0, prediction.shape[0], BAND_PX):
        counter.add(y, np.asarray(classes[y : y + BAND_PX]))
    return counter.counts


class SquareCounter:
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
        for start, end in cuts(y, len(band), height):
            rows = band[start - y : end - y]
            row, edges = start // height, np.arange(0, band.shape[1], width)
            for counts, of in (
                (self.counts.analysed, rows != NOT_ANALYSED),
                (self.counts.found, rows == self._value),
            ):
                per_column = np.count_nonzero(of, axis=0)
                counts[row] += np.add.reduceat(per_column, edges).astype(np.uint32)


def cuts(y: int, length: int, side: int) -> Iterator[tuple[int, int]]:
    """Cut rows ``y ... y + length`` where squares end."""
    start, last = y, y + length
    while start < last:
        end = min((start // side + 1) * side, last)
        yield start, end
        start = end
