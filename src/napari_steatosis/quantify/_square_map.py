"""A column of the table of squares as a map over the tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Frame
from ..core.report import Report


def square_map(report: Report, column: str) -> tuple[NDArray[np.float32], Frame]:
    """Return a column of the table ``"tiles"`` as a map, one pixel per square.

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
        Where the squares lie in the tissue.

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
    >>> square_map(report, "fat_area_fraction_percent")[0].tolist()
    [[0.0, 50.0]]
    """
    tiles, prediction = report.tables.get("tiles", {}), report.prediction
    if column not in tiles or prediction is None:
        known = ", ".join(tiles) or "no table of squares"
        raise BadValueError(f"The report of {report.title!r} has no {column!r}; it has: {known}.")
    frame = prediction.frame
    side_um = float(report.provenance["measure"]["square_um"])
    side = np.array([max(1, round(side_um / um)) for um in frame.um_per_px])
    height, width = -(-np.array(prediction.shape) // side)
    values = np.full((height, width), np.nan, np.float32)
    centres = frame.to_px(np.stack([tiles["y_um"], tiles["x_um"]], axis=1))
    row, column_of = np.floor((centres + 0.5) / side).astype(np.int64).T
    values[row, column_of] = tiles[column]
    return values, frame.coarser((float(side[0]), float(side[1])))
