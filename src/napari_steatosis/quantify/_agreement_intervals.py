"""The 95 % intervals of figures of agreement, from what each pair changes (the jackknife).

Formulas that suppose normal values (Fisher's z, F of the intraclass correlation, the limits of
agreement) hold the truth in as few as 60 % of cohorts where fat is skewed and errors grow with it,
which is how livers are. The jackknife supposes no distribution (Efron and Stein, Ann Statist 1981;
for concordance King and Chinchilli, Stat Med 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._intervals import NORMAL, SAME, quantile

Numbers = NDArray[np.float64]
Figure = Callable[[Numbers], Numbers]
"""From ``(2, ..., n)`` pairs to ``(...)``."""

FEWEST_RANKED = 4
"""With fewer pairs Spearman's rho has no interval."""

JACKKNIFE = "Interval: jackknife over patients, Student's t"
OF_CORRELATION = f"{JACKKNIFE}, Fisher's z."
OF_VALUE = f"{JACKKNIFE}."
OF_LIMIT = "Interval: of bias and jackknifed SD together (Zou 2013), Student's t."


def left_out(figures: Mapping[str, Figure], pairs: Numbers) -> dict[str, Numbers]:
    """Return each figure without each pair in turn, ``(..., n)``; NaN or infinite where undefined.

    Parameters
    ----------
    figures : mapping of str to callable
    pairs : (2, ..., n) float64
    """
    found: dict[str, Numbers] = {name: np.empty(pairs.shape[1:]) for name in figures}
    with np.errstate(divide="ignore", invalid="ignore"):
        for i in range(pairs.shape[-1]):
            rest = np.delete(pairs, i, axis=-1)
            for name, of in figures.items():
                found[name][..., i] = of(rest)
    return found


def jackknife_error(values: Numbers) -> Numbers:
    """Return the standard error of a figure from its values without each pair, ``(...)``."""
    n = values.shape[-1]
    with np.errstate(invalid="ignore"):
        apart = values - values.mean(-1, keepdims=True)
        found: Numbers = np.sqrt((n - 1) / n * (apart**2).sum(-1))
    return found


def value_interval(value: ArrayLike, values: Numbers, size: ArrayLike = 1.0) -> Numbers:
    """Return the interval of a figure of any size: slope, intercept, bias; ``(2, ...)``.

    NaN where leaving out a pair changes nothing.

    Parameters
    ----------
    value : (...) float
        Of all pairs.
    values : (..., n) float64
        Without each pair.
    size : (...) float
        How large such figures are, to know an error of rounding.
    """
    middle = np.asarray(value, float)
    reach = _known(jackknife_error(values), size) * quantile(values.shape[-1] - 1)
    return np.stack([middle - reach, middle + reach])


def correlation_interval(value: ArrayLike, values: Numbers) -> Numbers:
    """Return the interval of a figure between -1 and 1: t on Fisher's z; see `value_interval`.

    NaN where it is 1 or -1: pairs that agree perfectly do not say how well others would.
    """
    middle = np.asarray(value, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = _known(jackknife_error(values), 1.0) / _known(1 - middle**2, 1.0)
        reach = error * quantile(values.shape[-1] - 1)
        found: Numbers = np.tanh(np.arctanh(middle) + np.stack([-reach, reach]))
    return found


def identity_interval(value: ArrayLike, values: Numbers) -> Numbers:
    """Return the interval of R squared against identity: t on ``log(1 - R2)``."""
    middle = np.asarray(value, float)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        rest = _known(1 - middle, 1.0)
        reach = _known(jackknife_error(values), 1.0) / rest * quantile(values.shape[-1] - 1)
        found: Numbers = 1 - rest * np.exp(np.stack([reach, -reach]))
    return found


def squared(interval: Numbers) -> Numbers:
    """Return the interval of the square of what has an interval."""
    low, high = interval**2
    across = (interval[0] < 0) & (interval[1] > 0)
    return np.stack([np.where(across, 0, np.minimum(low, high)), np.maximum(low, high)])


def rank_interval(value: ArrayLike, n: int) -> Numbers:
    """Return the interval of Spearman's rho (Bonett and Wright, Psychometrika 2000).

    Parameters
    ----------
    value : (...) float
    n : int
        Pairs.
    """
    middle = np.asarray(value, float)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt((1 + middle**2 / 2) / (n - 3)) if n >= FEWEST_RANKED else np.nan
        error = np.where(np.abs(middle) < 1 - SAME, error, np.nan)
        found: Numbers = np.tanh(np.arctanh(middle) + np.stack([-error, error]) * NORMAL)
    return found


def limit_interval(gap: Numbers, sds: Numbers, sign: float) -> Numbers:
    """Return the interval of a limit of agreement, ``bias + sign * 1.96 SD``; ``(2, ...)``.

    The intervals of the bias (Student's t) and of the standard deviation (t on the logarithm, by
    jackknife) are put together by the method of variance estimates recovery (Zou, Stat Methods Med
    Res 2013).

    Parameters
    ----------
    gap : (..., n) float64
        Differences.
    sds : (..., n) float64
        Their standard deviation without each of them.
    sign : float
        -1 or 1.
    """
    n = gap.shape[-1]
    sd, t = gap.std(-1, ddof=1), quantile(n - 1)
    sure = _known(sd, np.abs(gap).max(-1))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        grown = np.exp(t * jackknife_error(np.log(sds)))
        of_bias = t * sure / np.sqrt(n)
        ends = np.stack([1 - 1 / grown, grown - 1])[:: int(sign)]
        reach = np.sqrt(of_bias**2 + (1.96 * sure * ends) ** 2)
    found: Numbers = gap.mean(-1) + sign * 1.96 * sd + np.stack([-reach[0], reach[1]])
    return found


def proportion_interval(hits: int, n: int) -> tuple[float, float]:
    """Return the interval of a share of independent units (Wilson), between 0 and 1.

    Examples
    --------
    >>> [round(end, 2) for end in proportion_interval(10, 10)]
    [0.72, 1.0]
    """
    from scipy.stats import binomtest

    found = binomtest(hits, n).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def _known(error: Numbers, size: ArrayLike) -> Numbers:
    """Return an error, NaN where it is that of rounding."""
    with np.errstate(invalid="ignore"):
        return np.where((error > SAME * np.asarray(size)) & np.isfinite(error), error, np.nan)
