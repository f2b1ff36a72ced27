"""How unevenly the fat lies: hot spots, variation between places, distance between droplets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.report import Measurement
from ._evidence import Evidence
from ._squares import SQUARE_UM

FEWEST_SQUARES = 8
"""With fewer squares there is no score of how they differ."""

MOSTLY = 0.5
"""Share of a square that must have been analysed for its own fraction to count."""

HOT = 0.95
"""The hot-spot score is this quantile of the squares."""

TO_BE_SURE = 72
"""With fewer squares even the largest may lie below the quantile: ``HOT ** 71 > 0.025``."""


def heterogeneity(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return the hot-spot score, the variation over squares and the droplets' distance.

    Fat in hot spots discriminates small differences better than the mean does (Homeyer and
    others, Diagnostic Pathology 2018, doi 10.1186/s13000-018-0753-5).
    """
    fraction = square_fractions(evidence)
    n, nan = len(fraction), float("nan")
    enough = n >= FEWEST_SQUARES
    interval = hot_spot_interval(fraction)
    mean = float(fraction.mean()) if n else nan
    squares = (
        f"squares of {SQUARE_UM:g} um of which at least {100 * MOSTLY:g} % were analysed; needs "
        f"{FEWEST_SQUARES} of them"
    )
    return (
        Measurement(
            "fat_hot_spot",
            float(np.quantile(fraction, HOT)) if enough else nan,
            "%",
            f"95th percentile of the fat area fraction over {squares}. Interval: the two squares "
            "by rank between which it lies (binomial), whatever the distribution.",
            interval,
            n if interval else None,
            ""
            if interval or not enough
            else f"No interval: {n} squares, and {TO_BE_SURE} are "
            "needed to say how high the 95th percentile can be.",
        ),
        Measurement(
            "fat_variation",
            100 * float(fraction.std(ddof=1)) / mean if enough and mean > 0 else nan,
            "%",
            f"Standard deviation of the fat area fraction over {squares}, of their mean; 0 where "
            "fat is spread evenly. Undefined without fat.",
        ),
        Measurement(
            "droplet_distance_median",
            _distance(evidence),
            "um",
            "From the centre of a droplet to that of the nearest other one: median. Needs two.",
        ),
    )


def square_fractions(evidence: Evidence) -> NDArray[np.float64]:
    """Return the fat area fraction, %, of every square that was analysed for the most part."""
    squares = evidence.squares
    used = squares.analysed >= MOSTLY * squares.side_px[0] * squares.side_px[1]
    found: NDArray[np.float64] = 100 * squares.found[used] / squares.analysed[used]
    return found


def hot_spot_interval(fraction: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the 95 % interval of the 95th percentile, from the ranks of the squares.

    How many of n squares lie below a quantile is binomial, so two of the sorted squares enclose it
    in at least 95 % of samples, whatever the distribution (Conover, Practical Nonparametric
    Statistics, 3.2). Resampling is no way: of 20 squares its interval held the truth in 66 % of
    simulated samples, since no draw exceeds the largest square.

    Parameters
    ----------
    fraction : (n,) float64
        One value per square.

    Returns
    -------
    (float, float), optional
        None for fewer than `TO_BE_SURE` squares.

    Examples
    --------
    >>> hot_spot_interval(np.arange(100.0))
    (89.0, 99.0)
    """
    from scipy.stats import binom

    n = len(fraction)
    if n < TO_BE_SURE:
        return None
    low, high = binom.ppf([0.025, 0.975], n, HOT).astype(int)
    ranked = np.sort(fraction)
    return float(ranked[low - 1]), float(ranked[high])


def _distance(evidence: Evidence) -> float:
    from scipy.spatial import cKDTree

    centres = np.stack([evidence.droplets["y_um"], evidence.droplets["x_um"]], axis=1)
    if len(centres) < 2:
        return float("nan")
    apart, _ = cKDTree(centres).query(centres, k=2)
    return float(np.median(apart[:, 1]))
