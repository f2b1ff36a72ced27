"""The share of hepatocytes with fat, estimated by squares of their size, and its grade.

The cut-offs of 5, 33 and 66 % are shares of hepatocytes (Kleiner and others, Hepatology 2005,
doi 10.1002/hep.20701), not of area. Here squares as wide as a hepatocyte stand for hepatocytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.report import Measurement
from ._evidence import HEPATOCYTE_UM, Evidence
from .fat_area import ratio_replicates

CUT_OFFS = (5.0, 33.0, 66.0)
"""S0 below the first, S1 from it to the second, S2 above it to the third, S3 above it, %."""

MOSTLY = 0.5
"""Share of a square that must be parenchyma for it to stand for a hepatocyte."""

RULE = (
    f"Squares of {HEPATOCYTE_UM:g} um, the width of a hepatocyte, that hold fat, of all squares "
    f"that are parenchyma for at least {100 * MOSTLY:g} %. An estimate of the share of hepatocytes "
    "with fat: a droplet across a border counts for both sides, nuclei are not looked at. Not "
    "validated against a pathologist"
)


def grade(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return the hepatocyte-equivalent percentage, its grade, and how probable each grade is.

    The probabilities say how often the grade would be found on other pieces of tissue like this
    one (bootstrap over squares of 256 um). They contain neither the errors of the model nor that
    the rule is an estimate.
    """
    above, below = hepatocytes_by_square(evidence)
    above, below = above[used := below > 0], below[used]
    total = int(below.sum())
    percent = 100 * int(above.sum()) / total if total else float("nan")
    drawn = ratio_replicates(100 * above, below)
    interval = None
    if drawn is not None:
        low, high = np.percentile(drawn, [2.5, 97.5])
        interval = (float(low), float(high))
    grades = None if interval is None else (grade_of(interval[0]), grade_of(interval[1]))
    which = (
        "Steatosis grade 0 to 3 by the cut-offs of 5, 33 and 66 % (Kleiner 2005) applied to "
        "hepatocyte_equivalent, not to an area"
    )
    return (
        Measurement(
            "hepatocyte_equivalent",
            percent,
            "%",
            f"{RULE}. Interval: bootstrap over squares of 256 um.",
            interval,
            None if interval is None else len(below),
        ),
        Measurement(
            "steatosis_grade",
            float(grade_of(percent)),
            "",
            f"{which}. {RULE}. Research use only, no diagnosis.",
            None if grades is None else (float(grades[0]), float(grades[1])),
            None if interval is None else len(below),
        ),
        *(
            Measurement(
                f"grade_s{number}_share",
                float("nan") if drawn is None else 100 * float(np.mean(grade_of(drawn) == number)),
                "%",
                f"Share of resampled sections of grade {number}. {which}. Undefined without fat "
                "and with fewer than 8 squares of 256 um.",
            )
            for number in range(4)
        ),
    )


def grade_of(percent: ArrayLike) -> NDArray[np.float64]:
    """Return the grade, 0 to 3, of a share of hepatocytes; NaN stays NaN.

    Parameters
    ----------
    percent : (...) float
        Of hepatocytes with fat. An area fraction is something else: calibrate it.

    Examples
    --------
    >>> grade_of([4.9, 5, 33, 33.1, 66, 66.1]).tolist()
    [0.0, 1.0, 1.0, 2.0, 2.0, 3.0]
    """
    value = np.asarray(percent, float)
    first, second, third = CUT_OFFS
    found = (value >= first).astype(float) + (value > second) + (value > third)
    return np.where(np.isnan(value), np.nan, found)


def hepatocytes_by_square(evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count hepatocyte squares, with fat and in all, per square of tissue that is resampled.

    Returns
    -------
    above, below : (n,) int64
        For every square of `Evidence.squares`, row by row; 0 where there is no tissue.
    """
    small, large = evidence.hepatocytes, evidence.squares
    full = small.side_px[0] * small.side_px[1]
    rows, columns = np.nonzero(small.analysed >= MOSTLY * full)
    fat_um2 = small.found[rows, columns] * evidence.frame.um2_per_px
    fatty = (fat_um2 > 0) & (fat_um2 >= evidence.rule.smallest_um2)
    middle = [
        (place * own + own // 2) // other
        for place, own, other in zip((rows, columns), small.side_px, large.side_px, strict=True)
    ]
    index = np.minimum(middle[0], large.found.shape[0] - 1) * large.found.shape[1]
    index += np.minimum(middle[1], large.found.shape[1] - 1)
    below = np.bincount(index, minlength=large.found.size)
    above = np.bincount(index[fatty], minlength=large.found.size)
    return above, below
