"""How far two or more measurements of the same things agree: slides, patients, experts.

Every statistic is computed on units that are independent (one value per patient), with a 95 %
percentile interval from patients drawn with replacement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError

FEWEST = 3
"""Below this many pairs nothing can be said of agreement."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Statistic:
    """One number of an agreement.

    Parameters
    ----------
    name : str
        ``"icc_2_1"``.
    value : float
        NaN where it is undefined; `definition` then says when that is.
    low, high : float
        95 % interval, percentiles over patients drawn with replacement.
    definition : str
        What it is, in one sentence.
    """

    name: str
    value: float
    low: float
    high: float
    definition: str

    def __str__(self) -> str:
        return f"{self.value:.3g} (95 % CI {self.low:.3g} to {self.high:.3g})"


@dataclass(frozen=True, eq=False)
class Agreement:
    """What two series of the same units have in common.

    Parameters
    ----------
    measured, expert : (n,) float64
        The pairs, incomplete ones left out.
    dropped : int
        Pairs that were left out since a value was missing.
    statistics : tuple of Statistic
        By name in `agreement[name]`.
    """

    measured: Numbers
    expert: Numbers
    dropped: int
    statistics: tuple[Statistic, ...]

    @property
    def n(self) -> int:
        """Number of pairs."""
        return len(self.measured)

    def __getitem__(self, name: str) -> Statistic:
        return {one.name: one for one in self.statistics}[name]


def agreement(
    measured: ArrayLike, expert: ArrayLike, *, draws: int = 1000, seed: int = 20120
) -> Agreement:
    """Compare two series, one pair per patient.

    A high correlation does not mean that the values agree: fat as a share of the area is about a
    quarter of the share of hepatocytes that a pathologist gives, and both may still correlate
    perfectly. So r, r squared, and the R squared against identity are all given.

    Parameters
    ----------
    measured, expert : (n,) float
        One value per patient each; a pair with NaN is left out.
    draws : int
        Bootstrap draws.
    seed : int
        Decides them.

    Returns
    -------
    Agreement
        ``pearson_r``, ``r_squared``, ``r_squared_identity``, ``slope``, ``intercept``,
        ``spearman_rho``, ``icc_2_1``, ``icc_3_1`` (Shrout and Fleiss 1979), ``ccc`` (Lin 1989),
        ``bias``, ``limit_low``, ``limit_high`` (Bland and Altman 1986), ``proportional_bias``.

    Raises
    ------
    BadValueError
        Where the series differ in length or fewer than three pairs are complete.

    Examples
    --------
    >>> expert = np.array([5.0, 10, 20, 40, 60, 80])
    >>> found = agreement(expert / 4, expert)
    >>> round(found["pearson_r"].value, 3), round(found["ccc"].value, 2)
    (1.0, 0.24)
    """
    x, y = np.asarray(measured, float).ravel(), np.asarray(expert, float).ravel()
    if len(x) != len(y):
        raise BadValueError(
            f"{len(x)} measured values and {len(y)} of the expert cannot be paired. Give one of "
            f"each per patient."
        )
    whole = np.isfinite(x) & np.isfinite(y)
    pairs = np.stack([x[whole], y[whole]])
    n = pairs.shape[1]
    if n < FEWEST:
        raise BadValueError(
            f"{n} of {len(x)} pairs are complete; agreement needs at least {FEWEST}, and an "
            f"interval that says anything needs far more."
        )
    drawn = pairs[:, np.random.default_rng(seed).integers(0, n, (draws, n))]
    return Agreement(pairs[0], pairs[1], len(x) - n, tuple(_statistics(pairs[:, None, :], drawn)))


def _statistics(pairs: Numbers, drawn: Numbers) -> Iterator[Statistic]:
    for name, (of, definition) in STATISTICS.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            value, spread = float(of(pairs)[0]), of(drawn)
        sure = spread[np.isfinite(spread)]
        low, high = np.percentile(sure, [2.5, 97.5]) if len(sure) else (np.nan, np.nan)
        yield Statistic(name, value, float(low), float(high), definition)


def _pearson(pairs: Numbers) -> Numbers:
    x, y = pairs - pairs.mean(-1, keepdims=True)
    found: Numbers = (x * y).sum(-1) / np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return found


def _spearman(pairs: Numbers) -> Numbers:
    from scipy.stats import rankdata

    return _pearson(rankdata(pairs, axis=-1))


def _identity(pairs: Numbers) -> Numbers:
    x, y = pairs
    spread = y - y.mean(-1, keepdims=True)
    found: Numbers = 1 - ((y - x) ** 2).sum(-1) / (spread**2).sum(-1)
    return found


def _slope(pairs: Numbers) -> Numbers:
    x, y = pairs - pairs.mean(-1, keepdims=True)
    found: Numbers = (x * y).sum(-1) / (y**2).sum(-1)
    return found


def _intercept(pairs: Numbers) -> Numbers:
    found: Numbers = pairs[0].mean(-1) - _slope(pairs) * pairs[1].mean(-1)
    return found


def icc(ratings: ArrayLike, *, consistency: bool = False) -> Numbers:
    """Return the intraclass correlation of a single rating (Shrout and Fleiss 1979).

    Parameters
    ----------
    ratings : (rater, ..., n) float
        One row per rater or method, complete.
    consistency : bool
        ICC(3,1): the raters are these, and a constant difference between them does not count.
        Else ICC(2,1): raters are a sample, and absolute agreement is asked for.

    Returns
    -------
    (...) float64
        NaN where all ratings are equal.

    Examples
    --------
    >>> judges = [[9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2], [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]]
    >>> float(icc(judges).round(2)), float(icc(judges, consistency=True).round(2))
    (0.29, 0.71)
    """
    x = np.asarray(ratings, float)
    k, n = x.shape[0], x.shape[-1]
    grand = x.mean((0, -1), keepdims=True)
    of_row, of_rater = x.mean(0, keepdims=True), x.mean(-1, keepdims=True)
    rows = k * ((of_row - grand) ** 2).sum((0, -1)) / (n - 1)
    raters = n * ((of_rater - grand) ** 2).sum((0, -1)) / (k - 1)
    rest = ((x - of_row - of_rater + grand) ** 2).sum((0, -1)) / ((n - 1) * (k - 1))
    below = rows + (k - 1) * rest + (0 if consistency else k * (raters - rest) / n)
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Numbers = np.asarray((rows - rest) / below)
    return found


def _concordance(pairs: Numbers) -> Numbers:
    x, y = pairs - pairs.mean(-1, keepdims=True)
    apart = (pairs[0].mean(-1) - pairs[1].mean(-1)) ** 2
    found: Numbers = 2 * (x * y).mean(-1) / ((x**2).mean(-1) + (y**2).mean(-1) + apart)
    return found


def _difference(pairs: Numbers) -> Numbers:
    found: Numbers = pairs[0] - pairs[1]
    return found


def _limit(sign: float) -> Callable[[Numbers], Numbers]:
    def limit(pairs: Numbers) -> Numbers:
        gap = _difference(pairs)
        found: Numbers = gap.mean(-1) + sign * 1.96 * gap.std(-1, ddof=1)
        return found

    return limit


def _proportional(pairs: Numbers) -> Numbers:
    return _slope(np.stack([_difference(pairs), pairs.mean(0)]))


STATISTICS: dict[str, tuple[Callable[[Numbers], Numbers], str]] = {
    "pearson_r": (_pearson, "Linear correlation; undefined where one side does not vary."),
    "r_squared": (
        lambda pairs: _pearson(pairs) ** 2,
        "Square of Pearson's r: the share of variance that a fitted line explains.",
    ),
    "r_squared_identity": (
        _identity,
        "1 minus the squared differences over the variance of the expert: how well the values "
        "themselves agree. Negative where the mean of the expert would be nearer.",
    ),
    "slope": (_slope, "Of the line measured = slope x expert + intercept (least squares)."),
    "intercept": (_intercept, "Of that line."),
    "spearman_rho": (_spearman, "Correlation of the ranks."),
    "icc_2_1": (icc, "Intraclass correlation, absolute agreement of single values."),
    "icc_3_1": (
        lambda pairs: icc(pairs, consistency=True),
        "Intraclass correlation, consistency: a constant difference does not count.",
    ),
    "ccc": (_concordance, "Lin's concordance: correlation, less distance from identity."),
    "bias": (lambda pairs: _difference(pairs).mean(-1), "Mean of measured minus expert."),
    "limit_low": (_limit(-1), "Lower limit of agreement: bias minus 1.96 SD of the difference."),
    "limit_high": (_limit(+1), "Upper limit of agreement: bias plus 1.96 SD of the difference."),
    "proportional_bias": (
        _proportional,
        "Slope of the difference over the mean of both: 0 where the bias is the same for all.",
    ),
}
"""Name to a function of ``(2, ..., n)`` pairs and what it is."""


def weighted_kappa(first: ArrayLike, second: ArrayLike, *, grades: int) -> float:
    """Return Cohen's kappa with quadratic weights between two gradings.

    Parameters
    ----------
    first, second : (n,) int
        Grades from 0 on.
    grades : int
        How many there are.

    Returns
    -------
    float
        1 for equal grades, 0 for chance; NaN where both gave everything one and the same grade.

    Raises
    ------
    BadValueError
        Where a value is no grade, or the gradings differ in length.

    Examples
    --------
    >>> weighted_kappa([0, 1, 2, 3], [0, 1, 2, 3], grades=4)
    1.0
    >>> round(weighted_kappa([0, 1, 2, 3], [0, 2, 2, 3], grades=4), 3)
    0.9
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or not len(a):
        raise BadValueError(f"{a.shape} and {b.shape} grades cannot be paired.")
    both = np.concatenate([a, b])
    if both.min() < 0 or both.max() >= grades or (both != both.astype(int)).any():
        raise BadValueError(
            f"Grades must be whole numbers from 0 to {grades - 1}, got {np.unique(both)[:6]}."
        )
    found = np.zeros((grades, grades))
    np.add.at(found, (a.astype(int), b.astype(int)), 1 / len(a))
    chance = found.sum(1)[:, None] * found.sum(0)[None, :]
    weight = (np.arange(grades)[:, None] - np.arange(grades)[None, :]) ** 2
    below = float((weight * chance).sum())
    return 1 - float((weight * found).sum()) / below if below else float("nan")
