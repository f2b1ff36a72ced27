"""Whether one model does better than another on the same samples: every difference, corrected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .comparison import Difference, delong, holm, mcnemar, paired_bootstrap
from .detections import average_precision
from .evaluation import Scores
from .metrics import score_of, table_of

Pair = Callable[[NDArray[np.int64]], tuple[float, float]]

COMPARED = {
    "jaccard_pooled": "jaccard",
    "jaccard_mean": "jaccard_mean",
    "dice": "dice",
    "droplet_f1": "droplet_f1",
    "panoptic_quality": "panoptic_quality",
    "fat_area_error_points": "fat_area_error_points",
}
"""Scores of segmenters that are compared, and their names in `metrics.SCORES`."""


@dataclass(frozen=True)
class Compared:
    """One difference between two models.

    Parameters
    ----------
    first, second : str
        Names of the models.
    score : str
        What differs.
    difference : Difference
        First minus second.
    p_holm : float
        Its probability, corrected for all that were computed together.
    """

    first: str
    second: str
    score: str
    difference: Difference
    p_holm: float

    def row(self) -> dict[str, Any]:
        """Return plain values; the interval or probability that a test does not give is None."""
        found = {
            "value": self.difference.value,
            "low": self.difference.low,
            "high": self.difference.high,
            "p": self.difference.p,
            "p_holm": self.p_holm,
        }
        plain = {k: float(f"{v:.6g}") if np.isfinite(v) else None for k, v in found.items()}
        named = {"first": self.first, "second": self.second, "score": self.score}
        return {**named, "test": self.difference.test, **plain, "units": self.difference.n}


def compare(found: Sequence[Scores], *, draws: int = 1000) -> list[Compared]:
    """Compare all pairs of models on the same samples.

    Of segmenters: differences of `COMPARED` and of the average precision by the paired bootstrap
    over patients. Of classifiers: of accuracy, balanced accuracy and mean F1 likewise; and where
    every patient has one sample, so that samples are independent, McNemar's exact test of the
    accuracy and DeLong's of each class's area under the ROC curve. Probabilities are corrected by
    Holm over all rows.

    Parameters
    ----------
    found : sequence of Scores
        Of `evaluate`, on one dataset.
    draws : int
        Bootstrap draws.

    Raises
    ------
    BadValueError
        Where they are of other samples, tasks or classes.

    Examples
    --------
    >>> compare([])
    []
    """
    for one in found[1:]:
        _check(found[0], one)
    made: list[tuple[str, str, str, Difference]] = []
    for first, second in combinations(found, 2):
        pairs = _fat_pairs(first, second) if first.tiles else _class_pairs(first, second)
        made += [
            (first.model, second.model, name, paired_bootstrap(pair, first.patients, draws=draws))
            for name, pair in pairs.items()
        ]
        if not first.tiles and first.groups == first.n:
            made += [(first.model, second.model, *one) for one in _independent_tests(first, second)]
    known = [i for i, row in enumerate(made) if np.isfinite(row[3].p)]
    corrected = np.full(len(made), np.nan)
    if known:
        corrected[known] = holm([made[i][3].p for i in known])
    return [Compared(*row, float(p)) for row, p in zip(made, corrected, strict=True)]


def _check(first: Scores, other: Scores) -> None:
    if (first.names, first.dataset_digest) != (other.names, other.dataset_digest):
        raise BadValueError(
            f"{first.model!r} and {other.model!r} were scored on different samples "
            f"({first.n} and {other.n}). Evaluate both on one dataset and split."
        )
    if (first.task, bool(first.tiles) or first.classes) != (
        other.task,
        bool(other.tiles) or other.classes,
    ):
        raise BadValueError(
            f"{first.model!r} ({first.task}: {', '.join(first.classes)}) and {other.model!r} "
            f"({other.task}: {', '.join(other.classes)}) do different things."
        )


def _fat_pairs(first: Scores, second: Scores) -> dict[str, Pair]:
    tables = table_of(first.tiles), table_of(second.tiles)

    def by_sums(name: str) -> Pair:
        return lambda i: (score_of(tables[0][i].sum(0), name), score_of(tables[1][i].sum(0), name))

    def precision(i: NDArray[np.int64]) -> tuple[float, float]:
        times = np.bincount(i, minlength=first.n)
        return average_precision(first.detections, times), average_precision(
            second.detections, times
        )

    return {**{said: by_sums(name) for said, name in COMPARED.items()}, "droplet_ap": precision}


def _class_pairs(first: Scores, second: Scores) -> dict[str, Pair]:
    from sklearn.metrics import f1_score

    truth = first.truth
    said = [one.probabilities.argmax(1) for one in (first, second)]

    def both(score: Callable[[Any, Any], float]) -> Pair:
        return lambda i: (score(truth[i], said[0][i]), score(truth[i], said[1][i]))

    def recall(true: NDArray[Any], found: NDArray[Any]) -> float:
        return float(np.mean([np.mean(found[true == kind] == kind) for kind in np.unique(true)]))

    return {
        "accuracy": both(lambda true, found: float(np.mean(true == found))),
        "balanced_accuracy": both(recall),
        "f1_mean": both(
            lambda true, found: float(f1_score(true, found, average="macro", zero_division=0))
        ),
    }


def _independent_tests(first: Scores, second: Scores) -> list[tuple[str, Difference]]:
    truth = first.truth
    right = [one.probabilities.argmax(1) == truth for one in (first, second)]
    tests = [("accuracy", mcnemar(*right))]
    kinds = range(1, 2) if len(first.classes) == 2 else range(len(first.classes))
    for kind in kinds:
        own = truth == kind
        if min(own.sum(), (~own).sum()) >= 2:
            chances = first.probabilities[:, kind], second.probabilities[:, kind]
            tests.append((f"auc {first.classes[kind]}", delong(own, *chances)))
    return tests
