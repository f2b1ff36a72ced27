"""An evaluation of one model or several as JSON and CSV for programs, and as one HTML page."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..core.replacing import replacing
from ..core.report import RESEARCH_USE, Measurement
from ..io._pictures import Picture
from .class_scores import Score
from .compare import Compared
from .evaluation import NOTHING_THERE, ONE_PATIENT, Scores
from .evaluation_plots import pictures_of
from .examples import write_figure
from .page import filled
from .variance import Analysis
from .working_point import WorkingPoint

MEANINGS = {
    "jaccard_pooled": "Jaccard index, pixels pooled over the tiles",
    "jaccard_mean": "Jaccard index, mean over tiles; 1 where neither truth nor prediction has fat",
    "jaccard_positive": "Jaccard index, pooled, tiles with fat only",
    "jaccard_mean_positive": "Jaccard index, mean over the tiles with fat",
    "jaccard_1um": "Jaccard index, pooled, outlines within 1 µm forgiven",
    "dice": "Dice, pixels pooled",
    "precision": "Precision of pixels, pooled",
    "recall": "Recall of pixels, pooled",
    "specificity": "Specificity of pixels, pooled",
    "droplet_precision": "Droplet precision, IoU > 0.5; unpaired below 20 µm² left out",
    "droplet_recall": "Droplet recall, IoU > 0.5; unpaired below 20 µm² left out",
    "droplet_f1": "Droplet F1, IoU > 0.5; unpaired below 20 µm² left out",
    "droplet_precision_all": "Droplet precision, nothing left out",
    "droplet_recall_all": "Droplet recall, nothing left out",
    "droplet_f1_all": "Droplet F1, nothing left out",
    "droplet_ap": "Average precision of droplets at IoU 0.5, nothing left out",
    "panoptic_quality": "Panoptic quality; unpaired below 20 µm² left out",
    "fat_area_error_points": "Absolute error of the fat area, mean over tiles, points",
    "fat_area_bias_points": "Fat area found less true, pixels pooled, points",
    "false_fat_percent": "Fat found on tiles without fat, mean, %",
    "clean_share": "Share of the tiles without fat on which none is found",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Accuracy, mean over the classes",
    "auc_macro": "Area under the ROC curve, mean over the classes",
    "auc_weighted": "Area under the ROC curve, weighted by class size",
    "calibration_error": "Expected calibration error, ten bins",
    "f1_mean": "F1, mean over the classes",
}
"""Scores in words, in the order of the tables."""

UNITS = {"_points": "points", "_percent": "%"}
"""How names of scores end that are no shares, and their units."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """All that was found of one model or several on one dataset.

    Parameters
    ----------
    models : sequence of Scores
        Of `evaluate`.
    differences : sequence of Compared
        Of `compare`.
    points : sequence of WorkingPoint
        Of `working_points`.
    analyses : sequence of Analysis
        Of `analyses`.
    examples : mapping of str to sequence of Picture
        Per model, of `example_pictures`.
    """

    models: Sequence[Scores]
    differences: Sequence[Compared] = ()
    points: Sequence[WorkingPoint] = ()
    analyses: Sequence[Analysis] = ()
    examples: Mapping[str, Sequence[Picture]] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """What must be known before using the numbers, each once, with the model it is of."""
        said = [f"{one.model}: {note}" for one in self.models for note in one.notes]
        said += [f"{one.model}, wanted recall: {one.note}" for one in self.points if one.note]
        return list(dict.fromkeys(said))

    def measurements(self, number: int) -> list[Measurement]:
        """Return the scores and thresholds of one of the models as measurements, shares in %."""
        scores = self.models[number]
        found = [
            _measurement(name, scores.values[name], MEANINGS[name], scores.groups)
            for name in MEANINGS
            if name in scores.values
        ]
        for point in self.points:
            if point.model == scores.model:
                what = f"{point.kind}, wanted recall {point.wanted:g}"
                chosen = f"Chosen on {point.chosen_on}."
                for name, one in {"threshold": point.threshold, **point.scores}.items():
                    found.append(_measurement(f"{name}, {what}", one, chosen, scores.groups))
        return found


def _measurement(name: str, score: Score, meaning: str, groups: int) -> Measurement:
    own = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
    factor = 1 if own else 100
    value, low, high = (factor * x for x in (score.value, score.low, score.high))
    interval = (low, high) if np.isfinite([low, high]).all() else None
    note = ONE_PATIENT if interval is None else ""
    note = note if np.isfinite(value) else NOTHING_THERE
    return Measurement(name, value, own or "%", meaning, interval, groups, note)


def write_evaluation(value: Evaluation, folder: Path, *, overwrite: bool = False) -> list[Path]:
    """Write an evaluation.

    ``evaluation.json``, ``.csv``, ``.html``; of several models ``differences.csv``; where asked for
    ``anova.csv``; and ``examples_MODEL.png`` of each model with examples.

    Parameters
    ----------
    value : Evaluation
    folder : Path
    overwrite : bool
        Replace what is there.

    Raises
    ------
    CannotOpenError
        Where something is there already.
    """
    rows = [row for one in value.models for row in one.rows()]
    rows += [row for point in value.points for row in point.rows()]
    texts = {
        "evaluation.json": json.dumps(to_json(value), indent=2, ensure_ascii=False),
        "evaluation.csv": _csv(rows),
        "evaluation.html": _html(value),
    }
    if value.differences:
        texts["differences.csv"] = _csv([one.row() for one in value.differences])
    if value.analyses:
        texts["anova.csv"] = _csv([one.row() for one in value.analyses])
    for name, text in texts.items():
        with replacing(folder / name, overwrite=overwrite) as part:
            part.write_text(text, encoding="utf-8", newline="")
    figures = [
        write_figure(shown, folder / f"examples_{_plain_name(model)}.png", overwrite=overwrite)
        for model, shown in value.examples.items()
        if shown
    ]
    return [*(folder / name for name in texts), *figures]


def _plain_name(model: str) -> str:
    return re.sub(r"[^\w.-]+", "-", model)


def to_json(value: Evaluation) -> dict[str, Any]:
    """Return plain values of all that was found."""
    return {
        "notice": RESEARCH_USE,
        "version": __version__,
        "models": [one.to_json() for one in value.models],
        "differences": [one.row() for one in value.differences],
        "working_points": [one.to_json() for one in value.points],
        "analyses_of_variance": [one.row() for one in value.analyses],
    }


def ordered(found: Sequence[Scores]) -> list[str]:
    """Return the names of the scores that any model has, in the order of the tables."""
    return [name for name in MEANINGS if any(name in one.values for one in found)]


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = csv.DictWriter(text, names, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


def _html(value: Evaluation) -> str:
    found, first = value.models, value.models[0]
    return filled(
        "evaluation.html",
        words={"number": number, "chance": chance, "span": span},
        title=Path(first.dataset).name or "Dataset",
        found=found,
        first=first,
        notes=value.notes,
        names=ordered(found),
        meanings=MEANINGS,
        pictures=pictures_of(found),
        compared=value.differences,
        points=value.points,
        analyses=value.analyses,
        examples=value.examples,
    )


def number(value: float) -> str:
    """Return a number with three decimals; a dash where it cannot be had.

    Examples
    --------
    >>> number(0.12345), number(float("nan"))
    ('0.123', '–')
    """
    return f"{value:.3f}" if np.isfinite(value) else "–"


def span(low: float, high: float) -> str:
    """Return an interval; a dash where there is none.

    Examples
    --------
    >>> span(0.1, 0.25), span(float("nan"), float("nan"))
    ('0.100 to 0.250', '–')
    """
    return f"{number(low)} to {number(high)}" if np.isfinite([low, high]).all() else "–"


def chance(p: float) -> str:
    """Return a probability; very small ones as such.

    Examples
    --------
    >>> chance(0.0123), chance(1e-9)
    ('0.012', '< 0.001')
    """
    return "< 0.001" if p < 0.001 else number(p)
