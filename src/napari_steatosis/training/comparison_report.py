"""An evaluation of one model or several as JSON and CSV for programs, and as one HTML page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..core.replacing import replacing
from ..core.report import RESEARCH_USE
from ..io._pictures import Picture
from .compare import Compared
from .evaluation import Scores
from .evaluation_plots import pictures_of

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


def write_evaluation(
    found: Sequence[Scores],
    compared: Sequence[Compared],
    folder: Path,
    *,
    examples: Mapping[str, Sequence[Picture]] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write ``evaluation.json``, ``.csv``, ``.html``, and ``differences.csv`` of several models.

    Parameters
    ----------
    found : sequence of Scores
        Of one dataset.
    compared : sequence of Compared
        Of `compare`.
    folder : Path
    examples : mapping of str to sequence of Picture, optional
        Per model, of `example_pictures`.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    CannotOpenError
        Where something is there already.
    """
    texts = {
        "evaluation.json": json.dumps(to_json(found, compared), indent=2, ensure_ascii=False),
        "evaluation.csv": _csv([row for one in found for row in one.rows()]),
        "evaluation.html": _html(found, compared, examples or {}),
    }
    if compared:
        texts["differences.csv"] = _csv([one.row() for one in compared])
    for name, text in texts.items():
        with replacing(folder / name, overwrite=overwrite) as part:
            part.write_text(text, encoding="utf-8", newline="")
    return [folder / name for name in texts]


def to_json(found: Sequence[Scores], compared: Sequence[Compared]) -> dict[str, Any]:
    """Return plain values of all that was found."""
    return {
        "notice": RESEARCH_USE,
        "version": __version__,
        "models": [one.to_json() for one in found],
        "differences": [one.row() for one in compared],
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


def _html(
    found: Sequence[Scores],
    compared: Sequence[Compared],
    examples: Mapping[str, Sequence[Picture]],
) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("napari_steatosis.training", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "chance": chance}
    environment.globals |= {"span": span}
    first = found[0]
    notes = list(dict.fromkeys(f"{o.model}: {note}" for o in found for note in o.notes))
    return environment.get_template("evaluation.html").render(
        title=Path(first.dataset).name or "Dataset",
        found=found,
        first=first,
        notes=notes,
        names=ordered(found),
        meanings=MEANINGS,
        pictures=pictures_of(found),
        compared=compared,
        examples=examples,
        version=__version__,
        written=datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
        notice=RESEARCH_USE,
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
