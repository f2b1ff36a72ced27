"""How far two or more measurements of the same things agree: slides, patients, experts.

Every statistic is computed on units that are independent (one value per patient), with a 95 %
interval from what each patient changes (`napari_steatosis.quantify._agreement_intervals`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError
from ._agreement_intervals import (
    JACKKNIFE,
    OF_CORRELATION,
    OF_LIMIT,
    OF_VALUE,
    correlation_interval,
    identity_interval,
    left_out,
    limit_interval,
    rank_interval,
    squared,
    value_interval,
)

FEWEST = 3
"""Below this many pairs nothing can be said of agreement."""

FEW = 6
"""With fewer pairs a missing interval is put down to their number."""

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
        95 % interval; NaN where `note` says why there is none.
    definition : str
        What it is, in one sentence, and how the interval is made.
    note : str
        Why there is no value, or no interval.
    """

    name: str
    value: float
    low: float
    high: float
    definition: str
    note: str = ""

    def __str__(self) -> str:
        if not np.isfinite(self.low):
            return f"{self.value:.3g}" if np.isfinite(self.value) else "undefined"
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


def agreement(measured: ArrayLike, expert: ArrayLike) -> Agreement:
    """Compare two series, one pair per patient.

    A high correlation does not mean that the values agree: fat as a share of the area is about a
    quarter of the share of hepatocytes that a pathologist gives, and both may still correlate
    perfectly. So r, r squared, and the R squared against identity are all given.

    Parameters
    ----------
    measured, expert : (n,) float
        One value per patient each; a pair with NaN is left out.

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
    found = figures(pairs)
    statistics = (_statistic(name, *one, n) for name, one in found.items())
    return Agreement(pairs[0], pairs[1], len(x) - n, tuple(statistics))


def _statistic(name: str, value: Numbers, interval: Numbers, n: int) -> Statistic:
    low, high = (float(one) for one in interval)
    note = ""
    if not np.isfinite(value):
        note = "Undefined: the values do not vary."
    elif not np.isfinite([low, high]).all():
        low = high = float("nan")
        perfect = "the pairs agree perfectly, or all but one are alike"
        note = f"No interval: {f'{n} pairs are too few' if n < FEW else perfect}."
    return Statistic(name, float(value), low, high, STATISTICS[name][1], note)


def figures(pairs: Numbers) -> dict[str, tuple[Numbers, Numbers]]:
    """Return every statistic of many cohorts of one size, with its interval.

    Parameters
    ----------
    pairs : (2, ..., n) float
        Measured and expert.

    Returns
    -------
    dict of str to (value (...), interval (2, ...))
    """
    functions = {name: of for name, (of, _) in STATISTICS.items()}
    rest = left_out({**functions, "sd": _sd}, pairs)
    size = np.abs(pairs).max((0, -1))
    found: dict[str, tuple[Numbers, Numbers]] = {}
    for name, of in functions.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            value = of(pairs)
        if name in CORRELATIONS:
            interval = correlation_interval(value, rest[name])
        elif name == "spearman_rho":
            interval = rank_interval(value, pairs.shape[-1])
        elif name == "r_squared":
            interval = squared(found["pearson_r"][1])
        elif name == "r_squared_identity":
            interval = identity_interval(value, rest[name])
        elif name.startswith("limit_"):
            sign = -1.0 if name == "limit_low" else 1.0
            interval = limit_interval(_difference(pairs), rest["sd"], sign)
        else:
            interval = value_interval(value, rest[name], size if name in IN_UNITS else 1.0)
        found[name] = value, interval
    return found


def _sd(pairs: Numbers) -> Numbers:
    found: Numbers = _difference(pairs).std(-1, ddof=1)
    return found


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


def concordance(pairs: Numbers) -> Numbers:
    """Return Lin's concordance of ``(2, ..., n)`` pairs, ``(...)``; NaN where nothing varies."""
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


CORRELATIONS = ("pearson_r", "icc_2_1", "icc_3_1", "ccc")
IN_UNITS = ("intercept", "bias")

STATISTICS: dict[str, tuple[Callable[[Numbers], Numbers], str]] = {
    "pearson_r": (
        _pearson,
        f"Linear correlation; undefined where one side does not vary. {OF_CORRELATION}",
    ),
    "r_squared": (
        lambda pairs: _pearson(pairs) ** 2,
        "Square of Pearson's r: the share of variance that a fitted line explains. Interval: that "
        "of r, squared.",
    ),
    "r_squared_identity": (
        _identity,
        "1 minus the squared differences over the variance of the expert: how well the values "
        "themselves agree. Negative where the mean of the expert would be nearer. "
        f"{JACKKNIFE}, on the logarithm of 1 minus it.",
    ),
    "slope": (
        _slope,
        f"Of the line measured = slope x expert + intercept (least squares). {OF_VALUE}",
    ),
    "intercept": (_intercept, f"Of that line. {OF_VALUE}"),
    "spearman_rho": (
        _spearman,
        "Correlation of the ranks. Interval: Bonett and Wright 2000, Fisher's z.",
    ),
    "icc_2_1": (
        icc,
        f"Intraclass correlation, absolute agreement of single values. {OF_CORRELATION}",
    ),
    "icc_3_1": (
        lambda pairs: icc(pairs, consistency=True),
        "Intraclass correlation, consistency: a constant difference does not count. "
        f"{OF_CORRELATION}",
    ),
    "ccc": (
        concordance,
        f"Lin's concordance: correlation, less distance from identity. {OF_CORRELATION}",
    ),
    "bias": (
        lambda pairs: _difference(pairs).mean(-1),
        "Mean of measured minus expert. Interval: Student's t.",
    ),
    "limit_low": (
        _limit(-1),
        f"Lower limit of agreement: bias minus 1.96 SD of the difference. {OF_LIMIT}",
    ),
    "limit_high": (
        _limit(+1),
        f"Upper limit of agreement: bias plus 1.96 SD of the difference. {OF_LIMIT}",
    ),
    "proportional_bias": (
        _proportional,
        "Slope of the difference over the mean of both: 0 where the bias is the same for all. "
        f"{OF_VALUE}",
    ),
}
"""Name to a function of ``(2, ..., n)`` pairs and what it is."""
