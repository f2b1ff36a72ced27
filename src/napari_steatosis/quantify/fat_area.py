"""Fat as a share of the analysed tissue, with an interval from resampled squares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.report import Measurement
from ._evidence import Evidence
from ._origin import denominator_of
from ._squares import SQUARE_UM

FEWEST_SQUARES = 8
"""With fewer squares of tissue no interval is given."""

REPLICATES = 2000
SEED = 20120
AT_ONCE = 2_000_000
"""Draws that are held at once."""


def fat_area(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return the fat area fraction, the analysed area and the area of fat.

    The fraction is a ratio of sums, so a square counts by the tissue that it holds. Its
    interval is the 95 % percentile interval over squares drawn with replacement (`interval_of`):
    neighbouring pixels are alike, so squares, not pixels, are the sampling units. It says
    how much the value would vary with the place of the section; it says nothing of the
    errors of the model. It is not to be graded by 5/33/66 %, which are shares of hepatocytes.
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
            f"Interval: bootstrap over squares of {SQUARE_UM:g} um. A share of area, not of "
            "hepatocytes: not comparable with 5/33/66 % grades.",
            ratio_interval(100 * fat, analysed),
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


def ratio_interval(
    above: NDArray[np.int64], below: NDArray[np.int64]
) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of ``sum(above) / sum(below)``.

    Parameters
    ----------
    above, below : (n,) int64
        Per sampling unit; `below` is positive.

    Returns
    -------
    (float, float), optional
        None for fewer than `FEWEST_SQUARES` units, and where nothing is above the line in
        any of them: resampling can say nothing then, and a width of 0 would be false.

    Examples
    --------
    >>> low, high = ratio_interval(np.arange(100), np.full(100, 99))
    >>> low < 0.5 < high
    True
    """
    found = ratio_replicates(above, below)
    if found is None:
        return None
    return interval_of(found, len(above))


def interval_of(drawn: NDArray[np.float64], n: int) -> tuple[float, float]:
    """Return the 95 % interval of a statistic of `n` units that were drawn with replacement.

    Percentiles (Efron), moved outwards as far as Student's t and ``sqrt(n / (n - 1))`` move the
    normal interval: with few units plain percentiles are too narrow (Hesterberg 2015, doi
    10.1080/00031305.2015.1089789, the *expanded percentile* interval).

    Parameters
    ----------
    drawn : (replicates,) float64
        The statistic in each draw.
    n : int
        Units; at least 2.

    Examples
    --------
    >>> drawn = np.arange(2001.0)
    >>> [round(end) for end in interval_of(drawn, 10_000)]
    [50, 1950]
    >>> [round(end) for end in interval_of(drawn, 8)]
    [11, 1989]
    """
    from scipy.stats import norm, t

    outside = 100 * float(norm.cdf(np.sqrt(n / (n - 1)) * t.ppf(0.025, n - 1)))
    low, high = np.percentile(drawn, [outside, 100 - outside])
    return float(low), float(high)


def ratio_replicates(
    above: NDArray[np.int64], below: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Return ``sum(above) / sum(below)`` for units drawn with replacement, or None.

    Parameters
    ----------
    above, below : (n,) int64
        As in `ratio_interval`, which says when it is None.

    Returns
    -------
    (2000,) float64, optional
    """
    n = len(above)
    if n < FEWEST_SQUARES or not above.any():
        return None
    random = np.random.default_rng(SEED)
    ratios = []
    left = REPLICATES
    while left:
        rows = min(left, max(1, AT_ONCE // n))
        drawn = random.integers(0, n, (rows, n))
        ratios.append(above[drawn].sum(axis=1) / below[drawn].sum(axis=1))
        left -= rows
    return np.concatenate(ratios)
