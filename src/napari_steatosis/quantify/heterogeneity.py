"""How unevenly the fat lies: hot spots, variation between places, distance between droplets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.report import Measurement
from ._evidence import Evidence
from ._squares import SQUARE_UM
from .fat_area import FEWEST_SQUARES, SEED

MOSTLY = 0.5
"""Share of a square that must have been analysed for its own fraction to count."""

REPLICATES = 500
AT_ONCE = 2_000_000


def heterogeneity(evidence: Evidence) -> tuple[Measurement, ...]:
    """Return the hot-spot score, the variation over squares and the droplets' distance.

    Fat in hot spots discriminates small differences better than the mean does (Homeyer and
    others, Diagnostic Pathology 2018, doi 10.1186/s13000-018-0753-5).
    """
    fraction = square_fractions(evidence)
    n, nan = len(fraction), float("nan")
    enough = n >= FEWEST_SQUARES
    mean = float(fraction.mean()) if n else nan
    squares = (
        f"squares of {SQUARE_UM:g} um of which at least {100 * MOSTLY:g} % were analysed; needs "
        f"{FEWEST_SQUARES} of them"
    )
    return (
        Measurement(
            "fat_hot_spot",
            float(np.percentile(fraction, 95)) if enough else nan,
            "%",
            f"95th percentile of the fat area fraction over {squares}. Interval: bootstrap over "
            "squares.",
            _hot_spot_interval(fraction) if enough else None,
            n if enough else None,
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


def _hot_spot_interval(fraction: NDArray[np.float64]) -> tuple[float, float]:
    n, random, found = len(fraction), np.random.default_rng(SEED), []
    for start in range(0, REPLICATES, step := max(1, AT_ONCE // n)):
        rows = min(step, REPLICATES - start)
        found.append(np.percentile(fraction[random.integers(0, n, (rows, n))], 95, axis=1))
    low, high = np.percentile(np.concatenate(found), [2.5, 97.5])
    value = float(np.percentile(fraction, 95))
    return min(float(low), value), max(float(high), value)


def _distance(evidence: Evidence) -> float:
    from scipy.spatial import cKDTree

    centres = np.stack([evidence.droplets["y_um"], evidence.droplets["x_um"]], axis=1)
    if len(centres) < 2:
        return float("nan")
    apart, _ = cKDTree(centres).query(centres, k=2)
    return float(np.median(apart[:, 1]))
