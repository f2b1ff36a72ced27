"""The share of hepatocytes with fat, by squares of their size or by their nuclei, and its grade.

The cut-offs of 5, 33 and 66 % are shares of hepatocytes (Kleiner and others, Hepatology 2005,
doi 10.1002/hep.20701), not of area. Squares as wide as a hepatocyte can stand for hepatocytes;
where nuclei were looked for, hepatocytes with a nucleus in the section are counted instead.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError
from ..core.report import Measurement
from ._evidence import HEPATOCYTE_UM, Evidence
from ._intervals import FEWEST_UNITS, share_below
from ._squares import SQUARE_UM
from .fat_area import INTERVAL, percent_interval, why_no_interval

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


NUCLEI_RULE = (
    "Hepatocytes whose nucleus was found in the section and that hold fat, of all hepatocytes "
    "whose nucleus was found. Fat is theirs within 10 um of the nucleus, where no other nucleus is "
    "nearer. Hepatocytes whose nucleus lies outside the section are not counted. Not validated "
    "against counts by hand or a pathologist"
)

Counted = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Hepatocytes with fat, and in all, of the squares of 256 um that hold any."""


def grade(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return the share of hepatocytes with fat, its grade, and how probable each grade is.

    The grade rests on nuclei where these were looked for, else on squares. The probabilities say
    what may be found on other pieces of tissue like this one (Student's t over squares of 256 um,
    as the interval of the share). They contain neither the errors of the model nor that the rule
    is an estimate.
    """
    counted = _held(*hepatocytes_by_square(evidence))
    percent = _percent("hepatocyte_equivalent", counted, RULE)
    if evidence.nuclei is None:
        return (percent, *_graded(percent, counted))
    counted = _held(*nuclei_by_square(evidence))
    by_nuclei = _percent("hepatocytes_with_fat", counted, NUCLEI_RULE)
    n = int(counted[1].sum())
    density = n / evidence.tissue_mm2 if evidence.tissue_mm2 else float("nan")
    what = "Nuclei taken for those of hepatocytes, by size, shape and stain"
    return (
        percent,
        by_nuclei,
        Measurement("hepatocyte_nuclei", float(n), "", f"{what}."),
        Measurement("hepatocyte_nuclei_density", density, "1/mm^2", f"{what}; per analysed area."),
        *_graded(by_nuclei, counted),
    )


def _held(above: NDArray[np.int64], below: NDArray[np.int64]) -> Counted:
    used = below > 0
    return above[used], below[used]


def _percent(name: str, counted: Counted, rule: str) -> Measurement:
    above, below = counted
    total = int(below.sum())
    interval = percent_interval(above, below)
    why = why_no_interval(above, below, f"square of {SQUARE_UM:g} um")
    return Measurement(
        name,
        100 * int(above.sum()) / total if total else float("nan"),
        "%",
        f"{rule}. Interval: {INTERVAL}.",
        interval,
        None if interval is None else len(below),
        f"No interval: {why}." if total and why else "",
    )


def _graded(percent: Measurement, counted: Counted) -> tuple[Measurement, ...]:
    """Return the grade of a share of hepatocytes, and how probable each grade is."""
    which = (
        "Steatosis grade 0 to 3 by the cut-offs of 5, 33 and 66 % (Kleiner 2005) applied to "
        f"{percent.name}, not to an area"
    )
    rule = percent.definition.partition(" Interval:")[0]
    grades = None if percent.interval is None else grade_of(percent.interval)
    shares = _probable(percent.value, counted)
    note = "" if math.isfinite(shares[0]) else percent.note.replace("No interval", "Undefined")
    return (
        Measurement(
            "steatosis_grade",
            float(grade_of(percent.value)),
            "",
            f"{which}. {rule} Research use only, no diagnosis. Interval: the grades at the ends "
            f"of that of {percent.name}.",
            None if grades is None else (float(grades[0]), float(grades[1])),
            percent.n,
            percent.note,
        ),
        *(
            Measurement(
                f"grade_s{number}_share",
                100 * shares[number],
                "%",
                f"Probability of grade {number}, given how the squares differ: by the same "
                f"Student's t as the interval of {percent.name}. {which}.",
                note=note,
            )
            for number in range(4)
        ),
    )


def _probable(percent: float, counted: Counted) -> list[float]:
    """Return the probability of each grade: all of it for one where the squares are alike."""
    if len(counted[1]) < FEWEST_UNITS:
        return [math.nan] * 4
    if percent_interval(*counted) is None:
        return [float(number == grade_of(percent)) for number in range(4)]
    below = [0.0, *(share_below(*counted, cut / 100) for cut in CUT_OFFS), 1.0]
    return [upper - lower for lower, upper in pairwise(below)]


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
    """Count hepatocyte squares, with fat and in all, per square of tissue.

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


def nuclei_by_square(evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count hepatocytes by their nuclei, with fat and in all, per square of tissue.

    Returns
    -------
    above, below : (n,) int64
        For every square of `Evidence.squares`, row by row.

    Raises
    ------
    BadValueError
        No nuclei were looked for.
    """
    if (nuclei := evidence.nuclei) is None:
        raise BadValueError("No nuclei were looked for: give those of find_hepatocytes.")
    large = evidence.squares
    centres = evidence.frame.to_px(np.stack([nuclei["y_um"], nuclei["x_um"]], axis=1))
    row, column = (
        np.clip((centres[:, axis] + 0.5) // large.side_px[axis], 0, n - 1).astype(np.int64)
        for axis, n in enumerate(large.found.shape)
    )
    index = row * large.found.shape[1] + column
    below = np.bincount(index, minlength=large.found.size)
    above = np.bincount(index[nuclei["with_fat"]], minlength=large.found.size)
    return above, below
