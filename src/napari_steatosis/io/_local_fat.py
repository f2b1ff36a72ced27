"""Where the fat is: local shares on a coarse grid, and squares that show the range."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame, Region
from ..core.prediction import NOT_ANALYSED, Prediction
from ._tissue_outline import coarse_sample

SAMPLE_PX = 2048
EXAMPLE_UM = 160.0
MOSTLY = 0.8
RANKS = (("Most fat", 1.0), ("Upper quartile", 0.75), ("Median", 0.5), ("Lower quartile", 0.25))


@dataclass(frozen=True)
class LocalFat:
    """Shares per cell of a coarse grid.

    Parameters
    ----------
    frame : Frame
        Of the grid.
    fat : (y, x) float64
        Fat in % of the analysed pixels; NaN where there are none.
    analysed : (y, x) float64
        Share of the cell that was analysed, 0 to 1.
    """

    frame: Frame
    fat: NDArray[np.float64]
    analysed: NDArray[np.float64]


def local_fat(prediction: Prediction, cell_px: tuple[int, int]) -> LocalFat:
    """Return the share of fat per cell, from a sample of the class map.

    Parameters
    ----------
    prediction : Prediction
        With a class ``"fat"``.
    cell_px : (int, int)
        Height and width of a cell in px of the class map.
    """
    sample, own = coarse_sample(prediction, SAMPLE_PX)
    frame = prediction.frame.coarser((float(cell_px[0]), float(cell_px[1])))
    shape = tuple(-(-n // side) for n, side in zip(prediction.shape, cell_px, strict=True))
    places = []
    for axis, n in enumerate(sample.shape):
        centres_um = np.arange(n) * own.um_per_px[axis] + own.origin_um[axis]
        cell = (centres_um - frame.origin_um[axis]) / frame.um_per_px[axis] + 0.5
        places.append(np.clip(cell.astype(np.int64), 0, shape[axis] - 1))
    index = (places[0][:, None] * shape[1] + places[1]).ravel()

    def count(of: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.bincount(index[of.ravel()], minlength=shape[0] * shape[1]).reshape(shape)

    analysed = count(sample != NOT_ANALYSED)
    fat = np.full(shape, np.nan)
    of_fat = count(sample == prediction.value_of("fat"))
    np.divide(100 * of_fat, analysed, out=fat, where=analysed > 0)
    pixels = np.maximum(count(np.ones(sample.shape, np.bool_)), 1)
    return LocalFat(frame, fat, analysed / pixels)


def example_regions(prediction: Prediction) -> list[tuple[str, Region]]:
    """Choose squares of the class map from the fattest to the lower quartile.

    Squares that were analysed for the most part are ranked by their share of fat; those
    without fat are left out. The same class map gives the same squares.
    """
    sides = zip(prediction.shape, prediction.frame.um_per_px, strict=True)
    height, width = (min(n, max(32, round(EXAMPLE_UM / um))) for n, um in sides)
    local = local_fat(prediction, (height, width))
    rows, columns = prediction.shape[0] // height, prediction.shape[1] // width
    fat = np.nan_to_num(local.fat[:rows, :columns]).ravel()
    covered = local.analysed[:rows, :columns].ravel()
    usable = np.flatnonzero((fat > 0) & (covered >= min(MOSTLY, float(covered.max()))))
    ranked = usable[np.argsort(fat[usable], kind="stable")]
    chosen: dict[int, str] = {}
    for text, rank in RANKS:
        if len(ranked):
            chosen.setdefault(int(ranked[round(rank * (len(ranked) - 1))]), text)
    return [
        (
            text,
            Region(
                y=place // columns * height, x=place % columns * width, height=height, width=width
            ),
        )
        for place, text in chosen.items()
    ]
