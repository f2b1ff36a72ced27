"""A column of the table of squares as a map over the tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Frame
from ..core.prediction import NOT_ANALYSED
from ..core.report import Report

COARSEST_UM = 40.0
"""Pixels of the map are at most as large, um, where the class map has a pyramid."""


def square_map(report: Report, column: str) -> tuple[NDArray[np.float32], Frame]:
    """Return a column of the table ``"tiles"`` as a map of the tissue that was analysed.

    Its pixels are those of a coarse level of the class map, so that it ends where the tissue ends;
    all pixels of a square have the value of the square.

    Parameters
    ----------
    report : Report
        From `measure`.
    column : str
        ``"fat_area_fraction_percent"``, ``"hepatocyte_equivalent_percent"``.

    Returns
    -------
    values : (y, x) float32
        NaN where nothing was analysed.
    frame : Frame
        Where its pixels lie in the tissue.

    Raises
    ------
    BadValueError
        The report has no such table or column.

    Examples
    --------
    >>> from napari_steatosis.core.prediction import Prediction
    >>> from napari_steatosis.quantify import measure
    >>> fat = np.full((100, 200), 1, np.uint8)
    >>> fat[:, 150:] = 2
    >>> report = measure(Prediction("fat", [fat], ("tissue", "fat"), Frame((2.56, 2.56))))
    >>> square_map(report, "fat_area_fraction_percent")[0][0, ::99].tolist()
    [0.0, 0.0, 50.0]
    """
    tiles, prediction = report.tables.get("tiles", {}), report.prediction
    if column not in tiles or prediction is None:
        known = ", ".join(tiles) or "no table of squares"
        raise BadValueError(f"The report of {report.title!r} has no {column!r}; it has: {known}.")
    frame = prediction.frame
    side_um = float(report.provenance["measure"]["square_um"])
    side = np.array([max(1, round(side_um / um)) for um in frame.um_per_px])
    height, width = -(-np.array(prediction.shape) // side)
    squares = np.full((height, width), np.nan, np.float32)
    centres = frame.to_px(np.stack([tiles["y_um"], tiles["x_um"]], axis=1))
    row, across = np.floor((centres + 0.5) / side).astype(np.int64).T
    squares[row, across] = tiles[column]
    factors = [max(1, round(prediction.shape[0] / one.shape[0])) for one in prediction.levels]
    fine = [k for k, one in enumerate(factors) if one * frame.mean_um_per_px <= COARSEST_UM]
    level = fine[-1] if fine else 0
    classes, factor = np.asarray(prediction.levels[level][:]), factors[level]
    middle = [
        (np.arange(n) + 0.5) * factor // own for n, own in zip(classes.shape, side, strict=True)
    ]
    rows, columns = (
        np.minimum(m, n - 1).astype(int) for m, n in zip(middle, squares.shape, strict=True)
    )
    values = np.where(classes != NOT_ANALYSED, squares[rows[:, None], columns], np.float32(np.nan))
    return values, frame.coarser(factor)
