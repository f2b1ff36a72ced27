"""What an evaluation found: scores, what they were counted from, and what must be known of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import Dataset
from ..core.model import Model, Task
from ..core.splits import IMAGE_LEVEL
from .class_scores import Score
from .samples import SAME_SCALE

if TYPE_CHECKING:
    from .detections import Detections
    from .metrics import Counts

ONE_PATIENT = "no interval: the samples are of one patient, and two are needed"
NOTHING_THERE = "cannot be had: the samples hold nothing that it could be computed from"


@dataclass(frozen=True, eq=False)
class Scores:
    """A model's scores on a dataset, with 95 % intervals over patients.

    Parameters
    ----------
    model, digest, task, classes
        Whose they are.
    dataset, dataset_digest, split : str
        On what: where it lies, identity of its table, and which official set.
    arithmetic : mapping
        Device and precision.
    names, patients : tuple of str
        Of each sample.
    notes : tuple of str
        What one must know before using the numbers.
    values : mapping of str to Score
        ``jaccard_pooled``, ``dice`` ... (`napari_steatosis.training.metrics.SCORES`), or those of
        `napari_steatosis.training.class_scores.ClassScores`; NaN where one cannot be had.
    counts : mapping of str to int
        Tiles, tiles without fat and droplets; or units of each class.
    by_class : mapping, optional
        Per class of a classifier.
    tiles, detections : tuple
        Of a segmenter: counts and droplets of each sample.
    truth, probabilities : (n,) int, (n, k) float
        Of a classifier.
    levels : (n, 2, level) int32
        Of a segmenter: judged pixels without and with fat by the probability of fat
        (`napari_steatosis.training.fat_levels`).
    sets : tuple of str
        The official set of each sample, empty where there is none.
    """

    model: str
    digest: str
    task: Task
    classes: tuple[str, ...]
    dataset: str
    dataset_digest: str
    split: str
    arithmetic: Mapping[str, str]
    names: tuple[str, ...]
    patients: tuple[str, ...]
    notes: tuple[str, ...]
    values: Mapping[str, Score]
    counts: Mapping[str, int]
    by_class: Mapping[str, Mapping[str, Score]] = field(default_factory=dict)
    tiles: tuple[Counts, ...] = ()
    detections: tuple[Detections, ...] = ()
    truth: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    probabilities: NDArray[Any] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    levels: NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 2, 0), np.int32))
    sets: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Samples."""
        return len(self.names)

    @property
    def groups(self) -> int:
        """Patients; samples of unknown patients count one each."""
        return len(set(self.patients))

    @property
    def confusion(self) -> NDArray[np.int64]:
        """Truth by prediction, ``(k, k)``, of a classifier."""
        found = np.zeros((len(self.classes),) * 2, np.int64)
        np.add.at(found, (self.truth, self.probabilities.argmax(1)), 1)
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per score: model, class, score, value, low, high, n, groups."""
        of = [("", self.values), *self.by_class.items()]
        return [
            {
                "model": self.model,
                "class": kind,
                "score": name,
                **plain_score(one),
                "n": self.n,
                "patients": self.groups,
            }
            for kind, scores in of
            for name, one in scores.items()
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain values; a score that cannot be had is null, and says so."""
        found: dict[str, Any] = {
            "model": self.model,
            "digest": self.digest,
            "task": self.task,
            "classes": list(self.classes),
            "dataset": Path(self.dataset).name,
            "dataset_digest": self.dataset_digest,
            "split": self.split,
            "arithmetic": dict(self.arithmetic),
            "n": self.n,
            "patients": self.groups,
            "counts": dict(self.counts),
            "notes": list(self.notes),
            "scores": {name: plain_score(one) for name, one in self.values.items()},
        }
        if self.task == "classification":
            found["confusion"] = self.confusion.tolist()
            found["by_class"] = {
                kind: {name: plain_score(one) for name, one in scores.items()}
                for kind, scores in self.by_class.items()
            }
        return found


def plain_score(score: Score) -> dict[str, Any]:
    """Return value and interval as plain values; what cannot be had is None, and says so."""
    named = {"value": score.value, "low": score.low, "high": score.high}
    found: dict[str, Any] = {
        name: round(float(one), 4) if np.isfinite(one) else None for name, one in named.items()
    }
    if found["value"] is None:
        found["reason"] = NOTHING_THERE
    elif found["low"] is None:
        found["reason"] = ONE_PATIENT
    return found


def patient_marks(dataset: Dataset) -> list[str]:
    """Return a short hash of each patient, in order of the hashes; a model folder keeps them.

    They tell whether a patient was trained on without naming any. Whoever can guess a name can
    check it, so they are pseudonyms, not anonymous.

    Examples
    --------
    >>> patient_marks(Dataset(()))
    []
    """
    whose = {one.patient for one in dataset if one.patient}
    return sorted(_mark(one) for one in whose)


def _mark(patient: str) -> str:
    return hashlib.sha256(f"patient {patient}".encode()).hexdigest()[:16]


def remarks_on(model: Model, whole: Dataset, data: Dataset) -> tuple[str, ...]:
    """Return what must be known of the scores of a model on a dataset.

    Parameters
    ----------
    model : Model
    whole : Dataset
        As it was given.
    data : Dataset
        The part that is evaluated on.
    """
    found = []
    if data.image_level:
        found.append(f"image-level split: optimistic. {IMAGE_LEVEL}")
    found += _trained_on(model, whole, data)
    unknown = sum(not one.patient for one in data)
    if unknown:
        found.append(
            f"{unknown} of {len(data)} samples name no patient: each counts as one, and intervals "
            f"are too narrow where a patient has several."
        )
    found += _scale_of(model, data)
    return tuple(found)


def _scale_of(model: Model, data: Dataset) -> Iterable[str]:
    """Yield how the images were brought to the scale of a model."""
    um, side = model.spec.um_per_px, model.spec.tile_px
    classifier = model.spec.task == "classification"
    unknown = sum(not one.um_per_px for one in data)
    if classifier and unknown:
        yield (
            f"{unknown} of {len(data)} images state no pixel size: each was brought to {side} x "
            f"{side} px, whatever scale that is. The model was trained at {um:g} um per pixel."
        )
    others = [one for one in data if one.um_per_px and abs(one.um_per_px / um - 1) > SAME_SCALE]
    if others:
        said = ", ".join(f"{one:g}" for one in sorted({o.um_per_px or 0 for o in others})[:4])
        yield (
            f"{len(others)} of {len(data)} images (at {said} um per pixel) were resampled to the "
            f"model's {um:g} um per pixel; scores are at that resolution."
        )


def _trained_on(model: Model, whole: Dataset, data: Dataset) -> Iterable[str]:
    """Yield what the folder of a model says of its training that touches these samples."""
    made = _made(model)
    training = made.get("training") or {}
    if made.get("image_level_split"):
        yield "image-level split: optimistic. The model was trained on a split by images."
    if training.get("manifest_sha256") in (data.digest, whole.digest):
        yield "The model was trained on this very dataset: its scores here are no test."
    known = set(training.get("patient_marks") or ())
    shared = sorted({one.patient for one in data if one.patient and _mark(one.patient) in known})
    if shared:
        yield (
            f"{len(shared)} of {len({one.group for one in data})} patients were trained on "
            f"({', '.join(shared[:3])}{' ...' if len(shared) > 3 else ''}): optimistic."
        )


def _made(model: Model) -> dict[str, Any]:
    folder = getattr(model, "folder", None)
    file = None if folder is None else Path(folder) / "model.json"
    if file is None or not file.is_file():
        return {}
    made: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")).get("made") or {}
    return made
