"""Fat as a share of the analysed tissue, with an interval over squares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.report import Measurement
from ._evidence import Evidence
from ._intervals import FEWEST_UNITS, SHARE_METHOD, pair_of, share_interval
from ._origin import denominator_of
from ._squares import SQUARE_UM

INTERVAL = f"{SHARE_METHOD}; squares of {SQUARE_UM:g} um are the units"
"""How the interval of a share of the tissue is made."""


def fat_area(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return the fat area fraction, the analysed area and the area of fat.

    The fraction is a ratio of sums, so a square counts by the tissue that it holds. Its
    interval (`share_interval`) has squares of the tissue as its units: neighbouring pixels are
    alike, so squares, not pixels, are what is sampled. It says how much the value would vary with
    the place of the section; it says nothing of the errors of the model. It is not to be graded by
    5/33/66 %, which are shares of hepatocytes.
    """
    used = evidence.squares.analysed > 0
    analysed = evidence.squares.analysed[used].astype(np.int64)
    fat = evidence.squares.found[used].astype(np.int64)
    total = int(analysed.sum())
    denominator = denominator_of(evidence.prediction)
    here = f" (here: {denominator})" if denominator else ""
    return (
        Measurement(
            "fat_area_fraction",
            100 * int(fat.sum()) / total if total else float("nan"),
            "%",
            "Area of fat divided by the analysed area of tissue; fat is inside the "
            f"denominator, glass and excluded regions are not{here}. Fat of any size counts. "
            f"Interval: {INTERVAL}. A share of area, not of hepatocytes: not comparable with "
            "5/33/66 % grades.",
            percent_interval(fat, analysed),
            len(fat),
        ),
        Measurement(
            "tissue_area",
            evidence.tissue_mm2,
            "mm^2",
            "Area that was analysed: tissue, with its fat; glass, excluded regions and tiles "
            f"that could not be read are left out{here}.",
        ),
        Measurement("fat_area", evidence.fat_mm2, "mm^2", "Area of fat of any size."),
    )


def percent_interval(part: ArrayLike, whole: ArrayLike) -> tuple[float, float] | None:
    """Return the 95 % interval of ``100 * sum(part) / sum(whole)`` over units of tissue.

    Parameters
    ----------
    part, whole : (n,) int or float
        Per unit, as in `share_interval`.

    Returns
    -------
    (float, float), optional
        None where `why_no_interval` says why.

    Examples
    --------
    >>> low, high = percent_interval(np.arange(100), np.full(100, 99))
    >>> low < 50 < high
    True
    """
    return pair_of(100 * share_interval(part, whole))


def why_no_interval(part: NDArray[Any], whole: NDArray[Any], unit: str) -> str:
    """Return why a share has no interval; empty where it has one.

    Parameters
    ----------
    part, whole : (n,) int or float
        Per unit.
    unit : str
        What they are, one of them: ``"square of 256 um"``.

    Examples
    --------
    >>> why_no_interval(np.array([3]), np.array([9]), "block of 512 um")
    'it lies in 1 block of 512 um, and 2 are needed'
    """
    there = int(np.count_nonzero(whole))
    if percent_interval(part, whole) is not None:
        return ""
    kind, _, size = unit.partition(" ")
    if there < FEWEST_UNITS:
        count = f"1 {kind}" if there == 1 else f"no {kind}"
        return f"it lies in {count} {size}".rstrip() + f", and {FEWEST_UNITS} are needed"
    return "nothing was found in it" if not np.any(part) else f"the {kind}s do not differ"
