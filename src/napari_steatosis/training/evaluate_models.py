"""Several models on one dataset: scores, differences, thresholds, examples; for shell and form."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ..core.dataset import Dataset
from ..core.errors import BadValueError
from ..core.model import Model
from ..io._pictures import Picture
from .compare import compare
from .comparison_report import Evaluation
from .evaluate import evaluate
from .evaluation import Scores
from .examples import example_pictures
from .variance import OVER, Over, analyses
from .working_point import WorkingPoint, working_points


@dataclass(frozen=True)
class Questions:
    """What is to be found out of models.

    Parameters
    ----------
    split : str, optional
        Only on the samples of this official set.
    draws : int
        Bootstrap draws of patients.
    recall : float, optional
        Also the threshold at which such a share of what there is is found.
    recall_on : str, optional
        The official set that this threshold is chosen on; None: what is scored, with a warning.
    anova : {"tile", "fold", "patient", "bootstrap"}, optional
        Also the analysis of variance of a published system, over these.
    examples : bool
        Also pictures of good and bad samples.

    Raises
    ------
    BadValueError
        Where the recall is no share, or lacks, or there is no such analysis.
    """

    split: str | None = None
    draws: int = 1000
    recall: float | None = None
    recall_on: str | None = None
    anova: Over | None = None
    examples: bool = True

    def __post_init__(self) -> None:
        if self.recall is not None and not 0 < self.recall <= 1:
            raise BadValueError(
                f"The wanted recall is {self.recall:g}; give more than 0 and at most 1, as 0.95."
            )
        if self.recall_on is not None and self.recall is None:
            raise BadValueError(
                f"The set {self.recall_on!r} is named for a wanted recall, but none is; give it, "
                f"too, as --recall 0.95."
            )
        if self.anova is not None and self.anova not in OVER:
            raise BadValueError(
                f"An analysis of variance goes over {', '.join(OVER)}, not {self.anova!r}."
            )


PLAIN = Questions()
"""Scores, differences and examples, on all samples."""


def evaluate_models(
    models: Iterable[Model],
    data: Dataset,
    asked: Questions = PLAIN,
    *,
    on_model: Callable[[Scores], None] = lambda scores: None,
) -> Evaluation:
    """Score models on labelled images that they were not trained on, and compare them.

    Parameters
    ----------
    models : iterable of Model
        Taken one after the other, so that a generator may load each when it is its turn. Of two
        of one name the second is called by its digest, too.
    data : Dataset
        As for `napari_steatosis.training.evaluate.evaluate`.
    asked : Questions
        What is to be found out.
    on_model : callable
        Called with the scores of each model as soon as they are there.

    Raises
    ------
    BadValueError, MissingScaleError
        As `evaluate`, `compare`, `working_points` and `analyses`.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> data = as_dataset(drawn_tiles(2, seed=1, side_px=64))
    >>> names = ("steatosis-he", "steatosis-he-drawn")
    >>> asked = Questions(draws=20, examples=False)
    >>> found = evaluate_models((load_model(n, device="cpu") for n in names), data, asked)
    >>> [one.model for one in found.models], len(found.differences)
    (['steatosis-he', 'steatosis-he-drawn'], 7)
    """
    found: list[Scores] = []
    points: list[WorkingPoint] = []
    shown: dict[str, Sequence[Picture]] = {}
    part = data if asked.split is None else data.where(split=asked.split)
    if asked.recall_on is not None:
        data.where(split=asked.recall_on)  # that it is there is known before the first score
    for model in models:
        scores = evaluate(model, data, split=asked.split, draws=asked.draws)
        if any(one.model == scores.model for one in found):
            scores = replace(scores, model=f"{scores.model} {scores.digest[:8]}")
        found.append(scores)
        if asked.recall is not None:
            own = scores
            if asked.recall_on not in (None, asked.split):
                own = evaluate(model, data, split=asked.recall_on, draws=asked.draws)
            points += working_points(scores, own, recall=asked.recall, draws=asked.draws)
        if asked.examples:
            shown[scores.model] = example_pictures(model, part, scores)
        on_model(scores)
    tested = analyses(found, over=asked.anova, draws=asked.draws) if asked.anova else []
    return Evaluation(found, compare(found, draws=asked.draws), points, tested, shown)
