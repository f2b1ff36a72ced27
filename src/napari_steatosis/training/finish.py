"""The end of a training: the best weights as a model, its scores, its folder and card."""

from __future__ import annotations

import csv
import datetime
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .. import __version__
from ..models import save_model
from ..models._torch import TorchModel
from .beginnings import spec_of
from .card import model_card
from .evaluate import fat_scores
from .evaluation import patient_marks
from .rows import Trained

if TYPE_CHECKING:
    from ..models.classical.model import ClassicalModel
    from .samples import Census, Samples
    from .session import Session

ROWS = "epochs.csv"
"""Table of the epochs, in the folder ``training`` of the model."""

LIMITS = """
- Scores are on the validation samples, which also chose the weights: expect somewhat less on
  patients that were never looked at.
- Other scanners, stains and laboratories than those of the training samples: not validated.
- Not for diagnosis.
"""

OPTIMISTIC = "split by images: a patient may be in both, so the scores are optimistic"


def finished(session: Session, seconds: float) -> Trained:
    """Return the model with its scores, and write it where there is a folder for it.

    Parameters
    ----------
    session : Session
        Whose epochs are done.
    seconds : float
        That the training took.
    """
    recipe, progress = session.recipe, session.progress
    network, _ = session.begun.finished(recipe)
    network.load_state_dict(session.best or session.learner.averaged.state_dict())
    spec = spec_of(session.begun, session.about, session.scale, recipe)
    if not spec.training_data:
        spec = replace(spec, training_data=_described(session.training))
    compute = session.compute
    model = TorchModel(network, spec, device=compute.device, precision=compute.precision)
    scores = _scores(session, model)
    model = model.with_scores(scores)
    if session.out is not None:
        save_model(model, session.out, made=_made(session, seconds))
        _write_epochs(session.out / "training" / ROWS, progress.rows)
        write_card(session.out, model, seconds)
        model.folder = session.out
    return Trained(
        model=model,
        folder=session.out,
        digest=model.digest,
        scores=scores,
        best_epoch=progress.best_epoch,
        epochs=progress.done,
        stopped_early=session.stopped_early,
    )


def _scores(session: Session, model: TorchModel) -> dict[str, Any]:
    if session.validation is None:
        return {}
    found: dict[str, Any] = {}
    if model.spec.classes == ("tissue", "fat"):
        found = fat_scores(model, session.validation)
    best = session.progress.rows[session.progress.best_epoch - 1]["scores"]
    found = {"samples": len(session.validation), **found}
    found["best_epoch"] = {key: round(float(value), 5) for key, value in best.items()}
    if session.image_level:
        found["split"] = OPTIMISTIC
    return {"validation": found}


def _made(session: Session, seconds: float) -> dict[str, Any]:
    """Return what a model was made of, for its ``model.json``."""
    compute = session.compute
    return {
        **made_with(f"{compute.kind}, {compute.precision}", seconds),
        "begun_with": session.begun.model.name if session.begun.model else "",
        "training": _set(session.training, session.counts),
        "validation": _set(session.validation, session.judged),
        "image_level_split": session.image_level,
        "recipes": [one.to_json() for one in session.phases],
        "epochs": session.progress.done,
        "best_epoch": session.progress.best_epoch,
    }


def made_with(arithmetic: str, seconds: float) -> dict[str, Any]:
    """Return what every model says of how it was made: versions, machine, date, seconds."""
    return {
        "with": {
            "napari-steatosis": __version__,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "arithmetic": arithmetic,
        },
        "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds),
    }


def _set(samples: Samples | None, counts: Census | None) -> dict[str, Any] | None:
    if samples is None or counts is None:
        return None
    return {
        "samples": len(samples),
        "patients": len({one.patient for one in samples.dataset if one.patient}),
        "counts": dict(zip(samples.wanted.classes, counts.counts, strict=True)),
        "manifest_sha256": samples.dataset.digest,
        "patient_marks": patient_marks(samples.dataset),
        "content_sha256": counts.digest,
    }


def _described(samples: Samples) -> str:
    patients = len({one.patient for one in samples.dataset if one.patient})
    whose = f"{patients} patients" if patients else "unknown patients"
    return f"{len(samples)} samples of {whose}"


def _write_epochs(file: Path, rows: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    flat = [{**{k: v for k, v in row.items() if k != "scores"}, **row["scores"]} for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    with file.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, names, lineterminator="\n")
        table.writeheader()
        table.writerows(flat)


def write_card(folder: Path, model: TorchModel | ClassicalModel, seconds: float) -> None:
    """Write ``card.md`` into the folder of a model that `seconds` of training made."""
    made_by = f"napari-steatosis {__version__}, {seconds / 60:.0f} minutes; see model.json"
    card = model_card(model.spec, model.digest, made_by=made_by, limits=LIMITS)
    (folder / "card.md").write_text(card, encoding="utf-8")
