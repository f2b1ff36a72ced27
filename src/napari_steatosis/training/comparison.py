"""Whether one model does better than another on the same units, by tests that hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """What lies between two models.

    Parameters
    ----------
    test : str
        Which test it was.
    value : float
        First minus second.
    low, high : float
        95 % interval of it; NaN where the test gives none, as of one patient.
    p : float
        Two-sided probability of such a difference where there is none.
    n : int
        Independent units.
    """

    test: str
    value: float
    low: float
    high: float
    p: float
    n: int


def paired_bootstrap(
    score: Callable[[NDArray[np.int64]], tuple[float, float]],
    groups: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Difference:
    """Compare any score of two models on the same units, drawing patients with replacement.

    Parameters
    ----------
    score : callable
        Given indices of units (some several times), the score of the first and second model.
    groups : sequence of str
        The patient of each unit.
    draws : int
        Bootstrap draws.
    seed : int
        Decides them.

    Examples
    --------
    >>> first, second = np.array([1, 1, 1, 0, 1, 1]), np.array([0, 1, 0, 0, 1, 0])
    >>> found = paired_bootstrap(lambda i: (first[i].mean(), second[i].mean()), list("abcdef"))
    >>> found.value, found.low >= 0
    (0.5, True)
    """
    unique, index = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(index == number) for number in range(len(unique))]
    random = np.random.default_rng(seed)
    found = []
    for _ in range(draws):
        drawn = random.integers(0, len(unique), len(unique))
        first, second = score(np.concatenate([members[number] for number in drawn]))
        found.append(first - second)
    first, second = score(np.arange(len(index)))
    gaps = np.array(found)[np.isfinite(found)]
    if len(unique) < 2:  # one patient drawn again is the same patient
        return Difference("paired bootstrap", float(first - second), np.nan, np.nan, np.nan, 1)
    if not len(gaps):
        return Difference("paired bootstrap", np.nan, np.nan, np.nan, np.nan, len(unique))
    low, high = np.percentile(gaps, [2.5, 97.5])
    tail = min(float(np.mean(gaps <= 0)), float(np.mean(gaps >= 0)))
    p = min(1.0, 2 * (tail * len(gaps) + 1) / (len(gaps) + 1))
    value = float(first - second)
    return Difference("paired bootstrap", value, float(low), float(high), p, len(unique))


def mcnemar(first: ArrayLike, second: ArrayLike) -> Difference:
    """Compare the accuracy of two classifiers on the same independent units, exactly.

    Parameters
    ----------
    first, second : (n,) bool
        Whether each was right about each unit; one unit per patient.

    Notes
    -----
    McNemar, Psychometrika 1947; the exact binomial test on the units that only one got right.

    Examples
    --------
    >>> right = np.r_[np.ones(30), np.zeros(10)].astype(bool)
    >>> round(mcnemar(right, np.r_[np.ones(20), np.zeros(20)].astype(bool)).p, 4)
    0.002
    """
    from scipy.stats import binomtest

    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape or not len(a):
        raise BadValueError(f"{a.shape} and {b.shape} units cannot be paired.")
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    p = float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return Difference("McNemar, exact", float(a.mean() - b.mean()), np.nan, np.nan, p, len(a))


def delong(truth: ArrayLike, first: ArrayLike, second: ArrayLike) -> Difference:
    """Compare the areas under two ROC curves on the same independent units.

    Parameters
    ----------
    truth : (n,) bool
        Whether each unit is positive; one unit per patient.
    first, second : (n,) float
        What each model gives them.

    Raises
    ------
    BadValueError
        Where fewer than two units are positive, or negative.

    Notes
    -----
    DeLong, DeLong and Clarke-Pearson, Biometrics 1988.

    Examples
    --------
    >>> truth = np.r_[np.zeros(20), np.ones(20)].astype(bool)
    >>> good = truth + np.random.default_rng(0).normal(0, 0.5, 40)
    >>> noise = np.random.default_rng(1).normal(0, 1, 40)
    >>> delong(truth, good, noise).p < 0.01
    True
    """
    from scipy.stats import norm, rankdata

    positive = np.asarray(truth, bool)
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) < 2:
        raise BadValueError(f"{m} positive and {n} negative units; there must be two of each.")
    auc, over, under = [], [], []
    for given in (np.asarray(first, float), np.asarray(second, float)):
        high, low = given[positive], given[~positive]
        among = rankdata(np.concatenate([high, low]))
        over.append((among[:m] - rankdata(high)) / n)
        under.append(1 - (among[m:] - rankdata(low)) / m)
        auc.append((among[:m].sum() - m * (m + 1) / 2) / (m * n))
    spread = np.cov(over) / m + np.cov(under) / n
    gap = float(auc[0] - auc[1])
    sd = float(np.sqrt(max(0.0, spread[0, 0] + spread[1, 1] - 2 * spread[0, 1])))
    if not sd:
        return Difference("DeLong", gap, gap, gap, 1.0 if not gap else 0.0, m + n)
    p = float(2 * norm.sf(abs(gap) / sd))
    return Difference("DeLong", gap, gap - 1.96 * sd, gap + 1.96 * sd, p, m + n)


def holm(p_values: ArrayLike) -> Numbers:
    """Return probabilities corrected for being several (Holm, Scand J Statist 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    grown = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty(len(p))
    found[order] = np.minimum(grown, 1)
    return found


@dataclass(frozen=True)
class Anova:
    """A one-way analysis of variance.

    Parameters
    ----------
    f, p : float
        Statistic and probability.
    note : str
        What it may be used for.
    """

    f: float
    p: float
    note: str


def anova(values: Mapping[str, ArrayLike], *, units: str) -> Anova:
    """Compare the means of several models over independent units.

    Parameters
    ----------
    values : mapping of str to (n,) float
        Per model, one value per unit.
    units : str
        What a value is of: ``"patient"``, ``"fold"``, ``"seed"``. With ``"bootstrap"``, replicates
        of one test set, it is computed as published studies do, and said not to hold: two
        models of equal sensitivity come out different nearly always, since replicates are no
        independent observations.

    Raises
    ------
    BadValueError
        Where there are fewer than two models, or a model with fewer than two values.

    Examples
    --------
    >>> anova({"a": [1, 2, 3], "b": [1, 2, 3.5]}, units="bootstrap").note
    'not valid inference: bootstrap replicates are no independent units'
    """
    from scipy.stats import f_oneway

    series = [np.asarray(one, float) for one in values.values()]
    if len(series) < 2 or min(map(len, series)) < 2:
        raise BadValueError(
            f"An analysis of variance needs two models with two values each, got "
            f"{[len(one) for one in series]} values."
        )
    found = f_oneway(*series)
    note = f"over {units}s, taken to be independent"
    if units == "bootstrap":
        note = "not valid inference: bootstrap replicates are no independent units"
    return Anova(float(found.statistic), float(found.pvalue), note)
