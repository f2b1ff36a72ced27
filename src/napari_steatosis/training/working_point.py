"""The threshold at which a wanted share of what there is is found, and what it costs elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .class_scores import Score, drawn_score, threshold_for_recall
from .evaluation import Scores, plain_score
from .fat_levels import LEVELS

Numbers = NDArray[np.float64]

FINEST = 1e4
"""Thresholds of classifiers are rounded down to a whole number of parts of this."""

SAME = (
    "The threshold was chosen on the samples that are scored: their recall is what was asked for "
    "and no test, and the other numbers are too good. Choose it on another set."
)


@dataclass(frozen=True)
class WorkingPoint:
    """A threshold that was chosen for a recall, and how the model does with it.

    Parameters
    ----------
    model, kind : str
        Whose, and which class is found: fat, or one class of a classifier against the rest.
    wanted : float
        Recall that was asked for.
    threshold : Score
        Probability from which on the class is said, with its 95 % interval over the patients of
        the samples that it was chosen on.
    chosen_on : str
        Which these are, in words.
    scores : mapping of str to Score
        ``recall``, ``specificity``, ``precision`` on the samples that are scored, at this
        threshold, with intervals over their patients. Of fat: of pixels, pooled.
    note : str
        What must be known before using it; empty for nothing.
    """

    model: str
    kind: str
    wanted: float
    threshold: Score
    chosen_on: str
    scores: Mapping[str, Score]
    note: str = ""

    def rows(self) -> list[dict[str, Any]]:
        """Return a row per number, in the columns of `Scores.rows` and two of its own."""
        named = {"threshold": self.threshold, **self.scores}
        return [
            {
                "model": self.model,
                "class": self.kind,
                "score": f"{name} at wanted recall" if name != "threshold" else name,
                **plain_score(one),
                "wanted_recall": self.wanted,
                "chosen_on": self.chosen_on,
            }
            for name, one in named.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; what cannot be had is null, and says so."""
        return {
            "model": self.model,
            "class": self.kind,
            "wanted_recall": self.wanted,
            "threshold": plain_score(self.threshold),
            "chosen_on": self.chosen_on,
            "scores": {name: plain_score(one) for name, one in self.scores.items()},
            "note": self.note,
        }


def working_points(
    scored: Scores, chosen_on: Scores, *, recall: float, draws: int = 1000
) -> list[WorkingPoint]:
    """Choose thresholds on some samples, and say what they give on others.

    Parameters
    ----------
    scored : Scores
        Of `evaluate`, on the samples to be reported.
    chosen_on : Scores
        Of the same model on the samples to choose on; the same value gives a warning.
    recall : float
        More than 0, at most 1.
    draws : int
        Bootstrap draws of patients, for both intervals.

    Returns
    -------
    list of WorkingPoint
        One of a segmenter and of a classifier of two classes; of more classes one each, against
        the rest, so that a sample may be over several thresholds.

    Raises
    ------
    BadValueError
        Where they are of two models, the recall is no share, nothing is there to be found, or a
        segmenter has more than two classes, of which it takes the likeliest.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> from napari_steatosis.training.evaluate import evaluate
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> model = load_model("steatosis-he-drawn", device="cpu")
    >>> one, two = (
    ...     evaluate(model, as_dataset(drawn_tiles(4, seed=seed, side_px=64)), draws=20)
    ...     for seed in (1, 2)
    ... )
    >>> (point,) = working_points(one, two, recall=0.9, draws=20)
    >>> point.kind, 0 <= point.threshold.value < 1, point.note
    ('fat', True, '')
    """
    if scored.digest != chosen_on.digest:
        raise BadValueError(
            f"A threshold of {chosen_on.model!r} is none of {scored.model!r}: evaluate one model "
            f"on both sets."
        )
    if scored.task == "segmentation" and len(scored.classes) > 2:
        raise BadValueError(
            f"Model {scored.model!r} has {len(scored.classes)} classes and takes the likeliest, so "
            f"no threshold gives a wanted recall. Leave the recall out."
        )
    segmenter = scored.task == "segmentation"
    kinds = [1] if segmenter or len(scored.classes) == 2 else range(len(scored.classes))
    return [_point(scored, chosen_on, kind, recall, draws) for kind in kinds]


def _point(scored: Scores, chosen_on: Scores, kind: int, recall: float, draws: int) -> WorkingPoint:
    same = (scored.dataset_digest, scored.names) == (chosen_on.dataset_digest, chosen_on.names)
    shared = set(scored.patients) & set(chosen_on.patients)
    note = SAME if same else ""
    if shared and not same:
        note = f"{len(shared)} patients are among those chosen on and those scored: optimistic."
    segmenter = scored.task == "segmentation"
    threshold = _threshold(chosen_on, kind, recall, draws)
    return WorkingPoint(
        model=scored.model,
        kind="fat" if segmenter else scored.classes[kind],
        wanted=recall,
        threshold=threshold,
        chosen_on=described(chosen_on),
        scores=_at(scored, kind, threshold.value, draws),
        note=note,
    )


def described(scores: Scores) -> str:
    """Return which samples scores are of, in words."""
    name = Path(scores.dataset).name or "samples"
    part = f", set {scores.split}" if scores.split else ""
    return f"{name}{part}: {scores.n} samples of {scores.groups} patients"


def _drawn(patients: tuple[str, ...], draws: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the patient of each sample, and how often each patient is drawn; first once each."""
    unique, index = np.unique(np.asarray(patients), return_inverse=True)
    chance = np.full(len(unique), 1 / len(unique))
    times = np.random.default_rng(0).multinomial(len(unique), chance, size=draws)
    return index, np.concatenate([np.ones((1, len(unique)), np.int64), times])


def _threshold(chosen_on: Scores, kind: int, recall: float, draws: int) -> Score:
    """Return the largest threshold with this recall, and that of each draw of patients."""
    index, times = _drawn(chosen_on.patients, draws)
    if chosen_on.task == "segmentation":
        values = np.arange(LEVELS - 1, -1, -1) / LEVELS
        counts = np.zeros((times.shape[1], LEVELS))
        np.add.at(counts, index, chosen_on.levels[:, 1, ::-1])
        weights = times @ counts
        if not counts.sum():
            raise BadValueError(
                f"No pixel of {described(chosen_on)} is fat, so no threshold finds a share of it."
            )
        _check(recall)
    else:
        own = chosen_on.truth == kind
        chance = chosen_on.probabilities[:, kind]
        threshold_for_recall(own, chance, recall=recall)  # refuses what cannot be had
        order = np.argsort(-chance[own], kind="stable")
        values = np.floor(chance[own][order].astype(np.float64) * FINEST) / FINEST
        weights = times[:, index[own][order]].astype(np.float64)
    reached = np.cumsum(weights, 1)
    total = reached[:, -1:]
    place = (reached >= recall * total * (1 - 1e-9)).argmax(1)
    found = values[place]
    return drawn_score(np.where(total[:, 0] > 0, found, np.nan))


def _check(recall: float) -> None:
    if not 0 < recall <= 1:
        raise BadValueError(f"The recall is {recall:g}; give more than 0 and at most 1, as 0.95.")


def _at(scored: Scores, kind: int, threshold: float, draws: int) -> dict[str, Score]:
    """Return the scores at a threshold, with intervals over patients."""
    index, times = _drawn(scored.patients, draws)
    if scored.task == "segmentation":
        start = round(threshold * LEVELS)
        found = scored.levels[:, :, start:].sum(2)
        false, true = found.T
        without, whole = scored.levels.sum(2).T
    else:
        own = scored.truth == kind
        said = scored.probabilities[:, kind] >= np.float32(threshold)
        true, false, whole, without = said & own, said & ~own, own, ~own
    table = np.zeros((times.shape[1], 4))
    np.add.at(table, index, np.stack([true, false, whole, without], 1))
    hit, wrong, positive, negative = (times @ table).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "recall": drawn_score(hit / positive),
            "specificity": drawn_score(1 - wrong / negative),
            "precision": drawn_score(hit / (hit + wrong)),
        }
