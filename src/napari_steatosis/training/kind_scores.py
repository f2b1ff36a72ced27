"""How well candidates are told apart by kind, with intervals over patients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import Sample
from ..core.errors import BadValueError
from ..models.classical.model import ClassicalModel
from .candidate_labels import UNLABELLED, painted_classes

DRAWS, SEED = 1000, 0
"""Of the bootstrap over patients."""


def kind_scores(model: ClassicalModel, samples: Iterable[Sample]) -> dict[str, Any]:
    """Compare what a model says of candidates with masks of kinds.

    Parameters
    ----------
    model : ClassicalModel
        Whose classes are the indices of the masks.
    samples : iterable of Sample
        With masks, at the model's scale, on which it was not trained.

    Returns
    -------
    dict
        ``candidates``, ``groups``; ``accuracy`` and ``balanced_accuracy`` as ``[value, low,
        high]``, intervals of 95 % by bootstrap over patients; ``kinds``: for each class ``n``,
        ``found`` (how many the model says), ``recall`` and ``precision`` with intervals, None
        where there is nothing to divide by; ``confusion``: rows are the truth.

    Raises
    ------
    BadValueError
        Where a sample has no mask.

    Notes
    -----
    A kind is that of at least half of a candidate's pixels. White places that are no candidate
    (too pale a contrast, too small) are not counted: this judges the classifier alone.
    """
    classes = model.spec.classes
    by_group: dict[str, NDArray[np.int64]] = {}
    for sample in samples:
        mask = sample.mask()
        if mask is None:
            raise BadValueError(f"{sample.name} has no mask of kinds to compare with.")
        judged = model.judge(sample.image())
        truth = painted_classes(judged.labels, mask, len(classes))
        known = truth != UNLABELLED
        joint = truth[known] * len(classes) + judged.probabilities[known].argmax(1)
        counts = np.bincount(joint, minlength=len(classes) ** 2)
        square = counts.reshape(len(classes), len(classes))
        by_group[sample.group] = by_group.get(sample.group, 0) + square
    table = np.stack(list(by_group.values())).astype(np.float64)
    whole = table.sum(0)
    times = np.random.default_rng(SEED).multinomial(
        len(table), np.full(len(table), 1 / len(table)), size=DRAWS
    )
    drawn = np.tensordot(times, table, axes=1)
    kinds = {
        name: {
            "n": int(whole[i].sum()),
            "found": int(whole[:, i].sum()),
            "recall": _interval(_recall(whole)[i], _recall(drawn)[:, i]),
            "precision": _interval(_precision(whole)[i], _precision(drawn)[:, i]),
        }
        for i, name in enumerate(classes)
    }
    return {
        "candidates": int(whole.sum()),
        "groups": len(table),
        "accuracy": _interval(_accuracy(whole), _accuracy(drawn)),
        "balanced_accuracy": _interval(
            np.nanmean(_recall(whole)), np.nanmean(_recall(drawn), axis=-1)
        ),
        "kinds": kinds,
        "confusion": whole.astype(np.int64).tolist(),
    }


def _recall(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.diagonal(counts, axis1=-2, axis2=-1) / counts.sum(-1)


def _precision(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.diagonal(counts, axis1=-2, axis2=-1) / counts.sum(-2)


def _accuracy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.diagonal(counts, axis1=-2, axis2=-1).sum(-1) / counts.sum((-2, -1))


def _interval(value: Any, spread: NDArray[np.float64]) -> list[float] | None:
    if not np.isfinite(value):
        return None
    low, high = np.percentile(spread[np.isfinite(spread)], [2.5, 97.5])
    return [round(float(x), 4) for x in (value, low, high)]
