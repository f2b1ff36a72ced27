"""How well a classifier does: per class and over all, with intervals over patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError

BINS = 10
"""Of the confidence, for the calibration error."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Score:
    """A value with its 95 % interval over groups; all NaN where it cannot be had.

    Parameters
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if not np.isfinite([self.low, self.high]).all():
            return f"{self.value:.3f}" if np.isfinite(self.value) else "undefined"
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True, eq=False)
class ClassScores:
    """The scores of a classifier on labelled units.

    Parameters
    ----------
    classes : tuple of str
        In the order of the probabilities.
    n, groups : int
        Units, and patients they belong to.
    confusion : (k, k) int64
        Truth by prediction.
    overall : mapping of str to Score
        ``accuracy``, ``balanced_accuracy``, ``auc_macro``, ``auc_weighted`` (one class against
        the rest), ``calibration_error`` (expected, ten bins of confidence).
    by_class : mapping of str to mapping of str to Score
        Per class ``sensitivity`` (recall), ``specificity``, ``precision``, ``f1``, ``auc``.
    """

    classes: tuple[str, ...]
    n: int
    groups: int
    confusion: NDArray[np.int64]
    overall: Mapping[str, Score]
    by_class: Mapping[str, Mapping[str, Score]]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what cannot be had is null."""

        def plain(score: Score) -> list[float | None]:
            found = (score.value, score.low, score.high)
            return [round(float(x), 4) if np.isfinite(x) else None for x in found]

        return {
            "classes": list(self.classes),
            "n": self.n,
            "groups": self.groups,
            "confusion": self.confusion.tolist(),
            "overall": {name: plain(one) for name, one in self.overall.items()},
            "by_class": {
                name: {what: plain(one) for what, one in scores.items()}
                for name, scores in self.by_class.items()
            },
        }


def class_scores(
    truth: ArrayLike,
    probabilities: ArrayLike,
    *,
    classes: Sequence[str],
    groups: Sequence[str],
    draws: int = 1000,
    seed: int = 0,
) -> ClassScores:
    """Score a classifier.

    Parameters
    ----------
    truth : (n,) int
        Index of the true class.
    probabilities : (n, k) float
        As the model gives them, summing to 1.
    classes : sequence of str
        Names.
    groups : sequence of str
        The patient of each unit. Patients, not units, are drawn for the intervals, which are
        the 2.5th and 97.5th percentile of the draws.
    draws : int
        Bootstrap draws.
    seed : int
        Decides them.

    Raises
    ------
    BadValueError
        Where the arrays do not fit together, or a label is no class.

    Examples
    --------
    >>> sure = np.eye(2)[[0, 1, 1, 0]] * 0.8 + 0.1
    >>> found = class_scores([0, 1, 0, 0], sure, classes=("no", "yes"), groups=list("abcd"))
    >>> found.overall["accuracy"].value, found.by_class["yes"]["sensitivity"].value
    (0.75, 1.0)
    """
    label, given = np.asarray(truth), np.asarray(probabilities, float)
    _check(label, given, classes, groups)
    count = len(classes)
    unique, index = np.unique(np.asarray(groups), return_inverse=True)
    random = np.random.default_rng(seed)
    chance = np.full(len(unique), 1 / len(unique))
    times = random.multinomial(len(unique), chance, size=draws)
    times = np.concatenate([np.ones((1, len(unique)), int), times])  # the first is the sample
    tables = np.zeros((len(unique), count, count))
    np.add.at(tables, (index, label, given.argmax(1)), 1)
    drawn = np.tensordot(times, tables, 1)
    aucs = np.stack([_aucs(label, given, of) for of in times[:, index]])
    share = drawn.sum(2) / drawn.sum((1, 2))[:, None]
    sums = _bin_sums(label, given, index, len(unique))
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = _rates(drawn)
        overall = {
            "accuracy": drawn.trace(axis1=1, axis2=2) / drawn.sum((1, 2)),
            "balanced_accuracy": rates["sensitivity"].mean(1),
            "auc_macro": aucs.mean(1),
            "auc_weighted": (aucs * share).sum(1),
            "calibration_error": _calibration_error(np.tensordot(times, sums, 1)),
        }
    rates["auc"] = aucs
    return ClassScores(
        tuple(classes),
        len(label),
        len(unique),
        tables.sum(0).astype(np.int64),
        {name: drawn_score(values) for name, values in overall.items()},
        {
            one: {name: drawn_score(values[:, number]) for name, values in rates.items()}
            for number, one in enumerate(classes)
        },
    )


def threshold_for_recall(truth: ArrayLike, probability: ArrayLike, *, recall: float) -> float:
    """Return the largest threshold at which a share of the positives is found.

    To be chosen on validation data, never on those that are reported.

    Parameters
    ----------
    truth : (n,) bool
        Whether each unit is positive.
    probability : (n,) float
        Of being positive; from the threshold on a unit counts as such.
    recall : float
        More than 0, at most 1.

    Raises
    ------
    BadValueError
        Where there is no positive unit, or the recall is no share.

    Examples
    --------
    >>> threshold_for_recall([0, 1, 1, 1, 0], [0.1, 0.4, 0.6, 0.9, 0.5], recall=0.6)
    0.6
    """
    positive = np.sort(np.asarray(probability, float)[np.asarray(truth, bool)])
    if not len(positive) or not 0 < recall <= 1:
        raise BadValueError(
            f"{len(positive)} positive units and a recall of {recall:g}: there must be at least "
            f"one, and the recall must be more than 0 and at most 1."
        )
    needed = int(np.ceil(recall * len(positive) - 1e-9))
    return float(positive[len(positive) - needed])


def _check(
    label: NDArray[Any], given: Numbers, classes: Sequence[str], groups: Sequence[str]
) -> None:
    if given.shape != (len(label), len(classes)) or len(groups) != len(label) or not len(label):
        raise BadValueError(
            f"{label.shape} labels, {given.shape} probabilities, {len(classes)} classes and "
            f"{len(groups)} groups do not fit together: there must be a label, a row of "
            f"probabilities (one per class) and a group for each unit."
        )
    if not np.isfinite(given).all():
        raise BadValueError("The probabilities hold values that are no numbers.")
    if label.min() < 0 or label.max() >= len(classes):
        raise BadValueError(
            f"Labels are from 0 to {len(classes) - 1}, got {label.min()} to {label.max()}."
        )


def _rates(tables: Numbers) -> dict[str, Numbers]:
    """Return what follows from confusion matrices, each ``(draw, class)``."""
    hit = np.diagonal(tables, axis1=1, axis2=2)
    true, said = tables.sum(2), tables.sum(1)
    rest = tables.sum((1, 2))[:, None] - true
    return {
        "sensitivity": hit / true,
        "specificity": (rest - said + hit) / rest,
        "precision": hit / said,
        "f1": 2 * hit / (true + said),
    }


def _aucs(label: NDArray[Any], given: Numbers, times: NDArray[np.int64]) -> Numbers:
    """Return the area under the curve of each class against the rest; NaN where one lacks."""
    from sklearn.metrics import roc_auc_score

    used = times > 0
    found = np.full(given.shape[1], np.nan)
    for number in range(given.shape[1]):
        own = label[used] == number
        if own.any() and not own.all():
            found[number] = roc_auc_score(own, given[used, number], sample_weight=times[used])
    return found


def _bin_sums(
    label: NDArray[Any], given: Numbers, index: NDArray[np.int64], groups: int
) -> Numbers:
    """Return per group and bin of confidence: units, correct ones, sum of confidence."""
    sure, said = given.max(1), given.argmax(1)
    place = np.minimum((sure * BINS).astype(int), BINS - 1)
    sums = np.zeros((groups, BINS, 3))
    np.add.at(sums, (index, place), np.stack([np.ones(len(sure)), said == label, sure], 1))
    return sums


def _calibration_error(sums: Numbers) -> Numbers:
    found: Numbers = np.abs(sums[..., 1] - sums[..., 2]).sum(1) / sums[..., 0].sum(1)
    return found


def drawn_score(values: Numbers) -> Score:
    """Return the first value with the 2.5th and 97.5th percentile of the others, where finite."""
    sure = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(sure):
        return Score(float(values[0]), float("nan"), float("nan"))
    low, high = np.percentile(sure, [2.5, 97.5])
    return Score(float(values[0]), float(low), float(high))
