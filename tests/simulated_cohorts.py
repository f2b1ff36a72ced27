"""Squares, blocks, slides, patients and pairs whose truth is known, many cohorts at once."""

from __future__ import annotations

import numpy as np

FAT = 0.12
"""Share of fat of the simulated livers."""

PATCHY = {"even": 0.5, "patchy": 1.0}
"""Coefficient of variation of fat from square to square."""


def squares(random, cohorts, n, kind):
    """Fat and analysed pixels of n squares, ``(cohorts, n)`` each; the share of fat is `FAT`."""
    analysed = random.integers(20_000, 262_144, (cohorts, n)).astype(float)
    shape = 1 / PATCHY[kind] ** 2
    fat = analysed * random.gamma(shape, FAT / shape, (cohorts, n))
    return np.minimum(fat, analysed), analysed


def blocks(random, cohorts, n, kind):
    """Fat and analysed area of zones 3 and 1 in n blocks, ``(2, cohorts, n)``; their ratio is 3.

    Lobules differ in their fat, and so do the zones of a lobule.
    """
    shape = {"even": 6.0, "patchy": 2.0}[kind]
    analysed = random.uniform(500, 5000, (2, cohorts, n))
    own = random.gamma(shape, 1 / shape, (2, cohorts, n))
    lobule = random.gamma(shape, 1 / shape, (cohorts, n))
    return np.array([0.06, 0.02])[:, None, None] * analysed * own * lobule, analysed


def slides(random, cohorts, n, unlike):
    """Fat, tissue and the truth of a patient of n slides, the largest so many times the least."""
    truth = random.uniform(0.1, 0.4, cohorts)
    tissue = 10 * unlike ** random.uniform(-0.5, 0.5, (cohorts, n))
    fat = tissue * np.clip(random.normal(truth[:, None], 0.03, (cohorts, n)), 0, 1)
    return fat, tissue, truth


def patients(random, cohorts, n, kind, group):
    """Fat of n patients, %, ``(cohorts, n)``; each has two slides that differ by a tenth."""
    size = (cohorts, n)
    if kind == "lognormal":
        fat = np.exp(random.normal(np.log((5.0, 9.0)[group]), 0.8, size))
    elif kind == "beta":
        fat = 100 * random.beta(*((1.2, 14.0), (1.5, 8.0))[group], size)
    else:
        fat = random.normal((20.0, 10.0)[group], 3, size)
    of_slides = 1 + 0.1 * random.normal(size=(2, *size)).mean(0)
    return np.clip(fat * of_slides, 0, 100)


def pairs(random, cohorts, n, kind):
    """Measured values and an expert's, ``(2, cohorts, n)``.

    ``"skewed"``: lognormal, errors that grow with the value; ``"even"``: uniform, errors of one
    size; ``"weak"``: beta, large errors.
    """
    size = (cohorts, n)
    if kind == "skewed":
        truth = np.minimum(np.exp(random.normal(np.log(8), 0.8, size)), 80)
        grown = np.exp(random.normal(0, 0.2, size)), np.exp(random.normal(0.1, 0.25, size))
        small = random.normal(0, 1, size), random.normal(0, 1.5, size)
        return np.stack([truth * grown[i] + small[i] for i in range(2)])
    if kind == "even":
        truth = random.uniform(2, 60, size)
        errors = random.normal(0, 4, size), random.normal(2, 6, size)
        return np.stack([truth + one for one in errors])
    truth = 100 * random.beta(1.2, 5, size)
    return np.stack([0.6 * truth + random.normal(0, 8, size), truth + random.normal(0, 15, size)])


def grades(random, cohorts, n, kind):
    """Grades 0 to 3 by two raters, ``(2, cohorts, n)``."""
    cuts = [5, 20, 45] if kind == "weak" else [5, 33, 66]
    return np.digitize(pairs(random, cohorts, n, kind), cuts).astype(float)


def calibrated(random, n, kind):
    """Areas of n patients, %, an expert's scores, and the curve that they follow."""
    area = np.minimum(random.lognormal(np.log(4), 0.8, n), 30)

    def truth(value):
        return 2 + 3 * value if kind == "linear" else 90 * (1 - np.exp(-value / 8))

    return area, np.clip(truth(area) + random.normal(0, 6, n), 0, 100), truth


def held(interval, truth):
    """Of cohorts that have an interval, whether it holds the truth."""
    low, high = interval
    known = np.isfinite(low) & np.isfinite(high)
    return ((low <= truth) & (truth <= high))[known]
