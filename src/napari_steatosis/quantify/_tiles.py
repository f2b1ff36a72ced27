"""The table of tiles: the squares of tissue that intervals are computed from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.report import Columns
from ._evidence import Evidence
from .grade import hepatocytes_by_square, nuclei_by_square


def tile_table(evidence: Evidence) -> Columns:
    """Return one row per square of the plane that holds analysed pixels, from the top.

    Returns
    -------
    Columns
        ``y_um, x_um`` centre in the tissue; ``height_um, width_um``, smaller at the lower and
        right edge of the plane; ``tissue_area_um2``, ``fat_area_um2`` and their ratio
        ``fat_area_fraction_percent``. The areas add up to those of the report.
        ``hepatocyte_equivalent_percent`` (see `grade`) is NaN where no square of a hepatocyte's
        width is parenchyma for the most part. Where nuclei were looked for: ``hepatocytes``,
        their number, and ``hepatocytes_with_fat_percent``, NaN where there is none.
    """
    squares, frame = evidence.squares, evidence.frame
    rows, columns = np.nonzero(squares.analysed)
    tissue = squares.analysed[rows, columns].astype(np.int64)
    fat = squares.found[rows, columns].astype(np.int64)
    side = np.array(squares.side_px)
    first = np.stack([rows, columns], axis=1) * side
    end = np.minimum(first + side, evidence.prediction.shape)
    centre_um = frame.to_um((first + end - 1) / 2)
    extent_um = (end - first) * np.array(frame.um_per_px)
    own = rows * squares.found.shape[1] + columns
    table = {
        "y_um": centre_um[:, 0],
        "x_um": centre_um[:, 1],
        "height_um": extent_um[:, 0],
        "width_um": extent_um[:, 1],
        "tissue_area_um2": tissue * frame.um2_per_px,
        "fat_area_um2": fat * frame.um2_per_px,
        "fat_area_fraction_percent": 100 * fat / tissue,
        "hepatocyte_equivalent_percent": _percent(*hepatocytes_by_square(evidence), own),
    }
    if evidence.nuclei is not None:
        above, below = nuclei_by_square(evidence)
        table["hepatocytes"] = below[own]
        table["hepatocytes_with_fat_percent"] = _percent(above, below, own)
    return table


def _percent(
    above: NDArray[np.int64], below: NDArray[np.int64], own: NDArray[np.int64]
) -> NDArray[np.float64]:
    share = np.full(len(own), np.nan)
    np.divide(100 * above[own], below[own], out=share, where=below[own] > 0)
    return share
