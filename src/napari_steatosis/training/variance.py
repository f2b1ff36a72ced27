"""The analysis of variance that a published system compares models by, as such and with its caveat.

It is offered so that numbers can be set beside published ones. What decides whether one model does
better than another is the paired bootstrap over patients of `napari_steatosis.training.compare`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .comparison import Anova, anova
from .evaluation import Scores
from .metrics import NAMES, SCORES, table_of

Over = Literal["tile", "fold", "patient", "bootstrap"]
OVER: tuple[Over, ...] = ("tile", "fold", "patient", "bootstrap")

AS_PUBLISHED = "One-way analysis of variance between models, as in a published study"

NOT_PAIRED = "the same images were seen by all models, which it does not use"

NOTES = {
    "tile": f"tiles of one patient are no independent units, so p is too small; {NOT_PAIRED}",
    "fold": f"over the official sets as folds, few values; {NOT_PAIRED}",
    "patient": f"over patients, which are independent; {NOT_PAIRED}",
    "bootstrap": "no valid inference: replicates of one test set are no independent units, and p "
    "falls with their number",
}

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Analysis:
    """One analysis of variance between all models.

    Parameters
    ----------
    score : str
        Whose mean is compared.
    over : str
        What a value is of: tile, fold, patient or bootstrap replicate.
    values : int
        Values of each model.
    found : Anova
        F, p, and what it may be used for.
    """

    score: str
    over: str
    values: int
    found: Anova

    def row(self) -> dict[str, Any]:
        """Return plain values; what cannot be had is None."""
        numbers = {"f": self.found.f, "p": self.found.p}
        plain = {k: float(f"{v:.6g}") if np.isfinite(v) else None for k, v in numbers.items()}
        named = {"test": AS_PUBLISHED, "score": self.score, "over": self.over}
        return {**named, **plain, "values_per_model": self.values, "note": self.found.note}


def analyses(found: Sequence[Scores], *, over: Over, draws: int = 1000) -> list[Analysis]:
    """Compare the means of several models by one-way analysis of variance.

    Of segmenters the Jaccard index, the recall of pixels and the absolute error of the fat area;
    of classifiers the accuracy and the sensitivity of each class.

    Parameters
    ----------
    found : sequence of Scores
        Of `evaluate`, on the same samples.
    over : {"tile", "fold", "patient", "bootstrap"}
        What a value is of. Folds are the official sets of the samples. ``"bootstrap"``: replicates
        that draw patients, as published, of which one may make as many as one likes.
    draws : int
        Replicates.

    Raises
    ------
    BadValueError
        Where there are fewer than two models, or fewer than two values of each; or there is
        nothing of this name to go over.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> from napari_steatosis.training.evaluate import evaluate
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> data = as_dataset(drawn_tiles(3, seed=1, side_px=64))
    >>> names = ("steatosis-he", "steatosis-he-drawn")
    >>> both = [evaluate(load_model(name, device="cpu"), data, draws=20) for name in names]
    >>> [row.score for row in analyses(both, over="tile")]
    ['jaccard_mean', 'recall', 'fat_area_error_points']
    """
    if over not in OVER:
        raise BadValueError(f"An analysis of variance goes over {', '.join(OVER)}, not {over!r}.")
    if len(found) < 2:
        raise BadValueError(
            f"An analysis of variance compares two models or more, got {len(found)}."
        )
    times = _units(found[0], over, draws)
    made = []
    for score in _columns(found[0]):
        values = [_values(one, score, times) for one in found]
        known = np.isfinite(np.stack(values)).all(0)  # a tile without fat has no recall
        if known.sum() < 2:
            continue
        named = {str(number): value[known] for number, value in enumerate(values)}
        result = anova(named, units=over)
        noted = Anova(result.f, result.p, NOTES[over])
        made.append(Analysis(score, over, int(known.sum()), noted))
    if not made:
        raise BadValueError(
            f"There are fewer than two {over}s with a score in {found[0].dataset or 'the data'}; "
            f"an analysis of variance needs two. Go over another of {', '.join(OVER)}."
        )
    return made


def _units(scores: Scores, over: Over, draws: int) -> NDArray[np.int64]:
    """Return how often each sample counts in each unit, ``(unit, sample)``."""
    if over == "tile":
        return np.eye(scores.n, dtype=np.int64)
    if over == "fold" and not all(scores.sets):
        raise BadValueError(
            f"{sum(not one for one in scores.sets)} of {scores.n} samples belong to no official "
            f"set, which folds are taken from. Name it in the column split, or go over patients."
        )
    labels = scores.sets if over == "fold" else scores.patients
    unique, index = np.unique(np.asarray(labels), return_inverse=True)
    members = (index == np.arange(len(unique))[:, None]).astype(np.int64)
    if over != "bootstrap":
        return members
    chance = np.full(len(unique), 1 / len(unique))
    return np.random.default_rng(0).multinomial(len(unique), chance, size=draws) @ members


def _columns(scores: Scores) -> list[str]:
    if scores.tiles:
        return ["jaccard_mean", "recall", "fat_area_error_points"]
    return ["accuracy", *(f"sensitivity {kind}" for kind in scores.classes)]


def _values(scores: Scores, score: str, times: NDArray[np.int64]) -> Numbers:
    """Return the score of each unit; NaN where it cannot be had."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if scores.tiles:
            sums = times @ table_of(scores.tiles)
            return np.asarray(SCORES[score](dict(zip(NAMES, sums.T, strict=True))), float)
        right = scores.probabilities.argmax(1) == scores.truth
        kind = score.removeprefix("sensitivity ")
        own = np.ones(scores.n, bool)
        if score != "accuracy":
            own = scores.truth == scores.classes.index(kind)
        return np.asarray((times @ (right & own)) / (times @ own), float)
