"""The 95 % intervals of findings: one way for each kind of number, whatever it is a number of.

All of them rest on Student's t (or a normal quantile) and on units that are independent: squares of
a section, slides of a patient, patients of a group. How often each holds the truth on simulated
cohorts stands on the page *Intervals* of the documentation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FEWEST_UNITS = 2
"""With a single unit nothing is known of how units differ."""

SAME = 1e-9
"""A relative error below this is that of rounding: the units do not differ."""

NORMAL = 1.959964
"""97.5 % quantile of the normal distribution."""

SHARE_METHOD = "Student's t on the logit scale, units weighted by tissue"
RATIO_METHOD = "Student's t on the logarithmic scale, units weighted by tissue"

Numbers = NDArray[np.float64]


class Spread(NamedTuple):
    """A share, how sure it is, and what that rests on; each ``(...) float64``.

    Parameters
    ----------
    value : float64
        Part of the whole, 0 to 1.
    relative : (..., n) float64
        What each unit adds to the relative error of the share.
    freedom : float64
        Degrees of freedom of Student's t; NaN with fewer than two units.
    """

    value: Numbers
    relative: Numbers
    freedom: Numbers

    @property
    def logit_error(self) -> Numbers:
        """Standard error on the logit scale; NaN where the units do not differ."""
        with np.errstate(divide="ignore", invalid="ignore"):
            error = np.sqrt((self.relative**2).sum(-1)) / (1 - self.value)
        return np.where((error > SAME) & np.isfinite(error), error, np.nan)


def spread_of_share(part: ArrayLike, whole: ArrayLike) -> Spread:
    """Return how sure ``sum(part) / sum(whole)`` is, a ratio of sums over independent units.

    A ratio of sums is a regression through the origin. Its error is that of residuals that are
    corrected for the weight of their unit (HC2), and its degrees of freedom are those of Bell and
    McCaffrey (Imbens and Kolesar, Rev Econ Stat 2016, doi 10.1162/REST_a_00552), for units whose
    shares vary alike: where one unit holds most of the tissue they are few.

    Parameters
    ----------
    part, whole : (..., n) float
        Per unit; ``0 <= part <= whole``. Units without a whole count for nothing.
    """
    above, below = np.asarray(part, float), np.asarray(whole, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = below / below.sum(-1, keepdims=True)
        value = above.sum(-1, keepdims=True) / below.sum(-1, keepdims=True)
        left = np.maximum(1 - weight, np.finfo(float).eps)
        residual = (above - value * below) / np.sqrt(left)
        relative = residual / above.sum(-1, keepdims=True)
        freedom = np.where((below > 0).sum(-1) < FEWEST_UNITS, np.nan, _freedom(weight, left))
    return Spread(value[..., 0], relative, freedom)


def _freedom(weight: Numbers, left: Numbers) -> Numbers:
    """Return Satterthwaite's degrees of freedom, without the matrix of n squared numbers.

    The residuals have the covariance ``diag(s) - w s' - s w' + sum(s) w w'`` with ``s = w ** 2``;
    the degrees are the squared trace of it, corrected as the residuals, over its squared norm.
    """
    variance = weight**2
    total = variance.sum(-1, keepdims=True)
    p, q = weight / np.sqrt(left), variance / np.sqrt(left)
    own, crossed = variance / left, total * p * p - 2 * p * q
    pp, qq, pq = ((a * b).sum(-1) for a, b in ((p, p), (q, q), (p, q)))
    total = total[..., 0]
    norm = (own**2 + 2 * own * crossed).sum(-1)
    norm = norm + 2 * pp * qq + 2 * pq**2 + total**2 * pp**2 - 4 * total * pp * pq
    found: Numbers = (own + crossed).sum(-1) ** 2 / norm
    return found


def share_interval(part: ArrayLike, whole: ArrayLike) -> Numbers:
    """Return the 95 % interval of ``sum(part) / sum(whole)``, ``(2, ...)``, between 0 and 1.

    Student's t on the logit scale, with the error and the degrees of freedom of
    `spread_of_share`. NaN with fewer than two units, and where units do not differ (nothing, or
    everything, or the same share in each): a width of 0 would be false.

    Parameters
    ----------
    part, whole : (..., n) float
        As in `spread_of_share`.

    Examples
    --------
    >>> share_interval([1, 4, 2, 3], [20, 30, 20, 20]).round(3).tolist()
    [0.058, 0.203]
    >>> share_interval([1], [20]).tolist()
    [nan, nan]
    """
    found = spread_of_share(part, whole)
    error = found.logit_error
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        reach = error * quantile(found.freedom)
        middle = np.log(found.value / (1 - found.value))
        middle = np.where(np.isfinite(error), middle, np.nan)
        return 1 / (1 + np.exp(np.stack([reach - middle, -reach - middle])))


def share_below(part: ArrayLike, whole: ArrayLike, cut: float) -> float:
    """Return how probable it is, by the same t, that ``sum(part) / sum(whole)`` is below `cut`.

    Parameters
    ----------
    part, whole : (n,) float
        As in `spread_of_share`.
    cut : float
        Between 0 and 1.

    Examples
    --------
    >>> round(share_below([1, 4, 2, 3], [20, 30, 20, 20], 0.1), 2)
    0.31
    """
    from scipy.stats import t

    found = spread_of_share(part, whole)
    if not np.isfinite(found.logit_error):
        return float("nan")
    gap = np.log(cut / (1 - cut)) - np.log(found.value / (1 - found.value))
    return float(t.cdf(gap / found.logit_error, found.freedom))


def ratio_interval(parts: ArrayLike, wholes: ArrayLike) -> Numbers:
    """Return the 95 % interval of one share over another of the same units, ``(2, ...)``.

    Student's t on the logarithmic scale. What a unit adds to both shares is taken together, so
    units that are rich in both do not count twice; the degrees of freedom are those of the share
    that has fewer.

    Parameters
    ----------
    parts, wholes : (2, ..., n) float
        Of the share above and of that below; see `spread_of_share`.

    Returns
    -------
    (2, ...) float64
        NaN with fewer than two units in either share, and where one of them is 0.

    Examples
    --------
    >>> parts, wholes = [[4, 6, 5], [2, 2, 3]], [[20, 20, 20], [20, 20, 20]]
    >>> ratio_interval(parts, wholes).round(2).tolist()
    [0.97, 4.72]
    """
    pairs = zip(np.asarray(parts, float), np.asarray(wholes, float), strict=True)
    above, below = (spread_of_share(*one) for one in pairs)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error = np.sqrt(((above.relative - below.relative) ** 2).sum(-1))
        error = np.where(error > SAME, error, np.nan)
        reach = error * quantile(np.minimum(above.freedom, below.freedom))
        middle = np.log(above.value / below.value)
        return np.exp(np.stack([middle - reach, middle + reach]))


def medians_interval(first: ArrayLike, second: ArrayLike) -> Numbers:
    """Return the 95 % interval of the median of `second` minus that of `first`, ``(2, ...)``.

    The error of a median is read from two of its ordered values, whatever the distribution
    (Bonett and Price, Psychol Methods 2002, doi 10.1037/1082-989X.7.3.370).

    Parameters
    ----------
    first, second : (..., n) float
        At least two values each.

    Returns
    -------
    (2, ...) float64
        NaN where the middle values of both are all the same.

    Examples
    --------
    >>> medians_interval([1, 2, 3, 4, 5, 6], [4, 6, 7, 8, 9, 12]).round(2).tolist()
    [-0.29, 8.29]
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    error = np.hypot(_median_error(a), _median_error(b))
    reach = np.where(error > 0, error, np.nan) * NORMAL
    middle = np.median(b, axis=-1) - np.median(a, axis=-1)
    return np.stack([middle - reach, middle + reach])


def _median_error(values: Numbers) -> Numbers:
    from scipy.stats import binom, norm

    n = values.shape[-1]
    rank = max(1, round((n + 1) / 2 - np.sqrt(n)))
    apart = norm.isf(binom.cdf(rank - 1, n, 0.5))
    ordered = np.sort(values, axis=-1)
    found: Numbers = (ordered[..., n - rank] - ordered[..., rank - 1]) / (2 * apart)
    return found


def quantile(freedom: ArrayLike) -> Numbers:
    """Return the 97.5 % quantile of Student's t; NaN without degrees of freedom."""
    from scipy.stats import t

    found: Numbers = t.ppf(0.975, np.asarray(freedom, float))
    return found


def pair_of(interval: Numbers) -> tuple[float, float] | None:
    """Return the ends of one interval as plain numbers, None where there is none."""
    low, high = (float(one) for one in interval)
    return (low, high) if np.isfinite([low, high]).all() else None
