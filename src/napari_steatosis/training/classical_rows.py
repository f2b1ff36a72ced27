"""The classical model through the same door as networks: settings by name, rows, a folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..core.dataset import Dataset
from ..core.errors import BadValueError, UnknownNameError
from ..models import save_model
from ..models._names import near
from ..models.classical.candidates import CandidateRule
from ..models.classical.descriptors import Preset
from ..models.classical.model import ClassicalModel, ClassicalRule
from .beginnings import About, Beginning, classes_of, scale_of
from .checks import refuse_shared_patients, refuse_taken, remarks
from .classical import PUBLISHED_DRAWS, Search, train_classical
from .classical import Trained as Fitted
from .evaluate import fat_scores
from .evaluation import patient_marks
from .finish import made_with, write_card
from .rows import Notice, Rows, Trained
from .samples import Samples, Wanted
from .white_thresholds import fit_white

NAME = "classical"

GIVEN: dict[str, dict[str, Any]] = {
    "gradient-boosting": {
        "n_estimators": 200,
        "max_depth": 4,
        "learning_rate": 0.1,
        "max_features": 0.3,
    },
    "random-forest": {"n_estimators": 200, "max_features": 0.3, "min_samples_leaf": 3},
    "logistic": {"C": 1.0},
    "svm-rbf": {"C": 10.0, "gamma": 0.02},
}
"""Parameters of each classifier where none are looked for."""


@dataclass(frozen=True)
class ClassicalRecipe:
    """How the classical model is trained.

    Parameters
    ----------
    learner : str
        One of `napari_steatosis.models.classical.predictors.LEARNERS`.
    descriptors : {"strict", "improved", "extended"}
        How a candidate is described.
    white : {"fitted", "published"}
        Thresholds of saturation and value: those that suit the masks best, or 0.10 and 0.78. Of
        samples with points only they are the published ones.
    separate : {"erosion", "watershed"}
        How candidates that touch are taken apart.
    draws, most, folds, jobs, seed
        As in `napari_steatosis.training.classical.Search`.
    given : dict, optional
        Parameters of the classifier; where none are looked for, `GIVEN` by default.
    """

    learner: str = "gradient-boosting"
    descriptors: Preset = "extended"
    white: Literal["fitted", "published"] = "fitted"
    separate: Literal["erosion", "watershed"] = "erosion"
    draws: int = 0
    most: int = 0
    folds: int = 5
    jobs: int = 1
    seed: int = 0
    given: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.white not in ("fitted", "published"):
            raise BadValueError(f"white is {self.white!r}; give 'fitted' or 'published'.")

    @property
    def search(self) -> Search:
        """How the parameters of the classifier are looked for."""
        given = self.given or ({} if self.draws else GIVEN.get(self.learner, {}))
        return Search(self.draws, self.folds, self.seed, self.jobs, given, self.most)


PUBLISHED = ClassicalRecipe(
    descriptors="strict", white="published", draws=PUBLISHED_DRAWS, most=1700
)
"""Eleven descriptors, thresholds as they are, 350 sets of parameters on 1700 candidates."""


def classical_rows(
    training: Dataset,
    validation: Dataset | None = None,
    *,
    preset: object = None,
    out: Path | None = None,
    **changes: Any,
) -> Rows:
    """Train the classical model; the last row is the model, as of `train`.

    Parameters
    ----------
    training : Dataset
        With point markers or masks (255: not judged), at one scale; points count where a sample
        has both.
    validation : Dataset, optional
        Samples of other patients, with masks; scores are of them, and nothing is chosen by them.
    preset : {"classical"} or ClassicalRecipe, optional
        As published (`PUBLISHED`), or your own. By default extended descriptors, white fitted to
        the masks, 200 boosted trees, and nothing looked for.
    out : Path, optional
        Folder for the model, which must not hold one.
    **changes
        Fields of `ClassicalRecipe` and of `napari_steatosis.training.beginnings.About`.

    Raises
    ------
    BadValueError
        Where patients are in both sets, fat is not the second class, or a value is not possible.
    MissingScaleError
        Where the size of a pixel is unknown.
    UnknownNameError
        Where there is no such preset or field.

    Examples
    --------
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> tiles = as_dataset(drawn_tiles(4, seed=1, side_px=128))
    >>> *_, last = classical_rows(tiles, learner="logistic")
    >>> last.model.spec.classes
    ('tissue', 'fat')
    """
    recipe, about = _asked(_recipe(preset), changes)
    refuse_taken(out)
    if not len(training):
        raise BadValueError(f"{training.root or 'The dataset'} has no training sample.")
    if validation is not None:
        refuse_shared_patients(training, validation)
    classes = classes_of(training, "segmentation")
    if classes[1] != "fat":
        raise BadValueError(
            f"The second class of a classical model is fat, but the samples are of "
            f"{', '.join(classes)}. Name or order them so."
        )
    begun = Beginning(NAME, "segmentation", classes, {})
    scale = scale_of(about, training, begun, None)
    about = replace(about, um_per_px=scale, name=about.name or (out.name if out else NAME))
    return _rows(training, validation, recipe, (about, classes), out)


def _recipe(preset: object) -> ClassicalRecipe:
    if isinstance(preset, ClassicalRecipe):
        return preset
    if preset not in (None, NAME):
        raise UnknownNameError(f"There is no preset named {preset!r} of {NAME}. Known: {NAME}.")
    return PUBLISHED if preset else ClassicalRecipe()


def _asked(recipe: ClassicalRecipe, changes: Mapping[str, Any]) -> tuple[ClassicalRecipe, About]:
    known = [one.name for one in fields(ClassicalRecipe)]
    said = {one.name for one in fields(About)}
    rest = {key: value for key, value in changes.items() if key not in said}
    for key, usual in (("device", "cpu"), ("precision", "fp64")):
        if rest.pop(key, "auto") not in ("auto", usual):
            raise BadValueError(
                f"A classical model is trained on the processor in fp64, not with {key}="
                f"{changes[key]!r}. Leave it out."
            )
    for key in rest:
        if key not in known:
            raise UnknownNameError(
                f"The training of {NAME} has no {key!r}.{near(key, known)} Known: "
                f"{', '.join(known)}."
            )
    about = About(**{key: value for key, value in changes.items() if key in said})
    return replace(recipe, **rest), about


def _rows(
    training: Dataset,
    validation: Dataset | None,
    recipe: ClassicalRecipe,
    named: tuple[About, tuple[str, ...]],
    out: Path | None,
) -> Rows:
    began = time.perf_counter()
    (about, classes), white = named, CandidateRule(separate=recipe.separate)
    for text in remarks(training, validation):
        yield Notice(text)
    if recipe.white == "fitted" and _painted(training):
        white = fit_white(training, white)
    elif recipe.white == "fitted":
        yield Notice("White cannot be fitted without masks; its thresholds are as published.")
    yield Notice(
        f"White: saturation of at most {white.saturation:.2f} and value of at least "
        f"{white.value:.2f}. Candidates are found and described next, and {recipe.learner} "
        f"learns from them{f', of {recipe.draws} sets of parameters' if recipe.draws else ''}."
    )
    words = {"stain": about.stain or "H&E, any; no normalisation", "licence": about.licence}
    fitted = train_classical(
        training,
        name=about.name,
        classes=classes,
        rule=ClassicalRule(white, recipe.descriptors, recipe.learner),
        search=recipe.search,
        um_per_px=about.um_per_px,
        modality=about.modality or "brightfield-he",
        training_data=about.training_data or f"{len(training)} samples",
        **words,
    )
    yield Notice(_learned_from(fitted))
    model = fitted.model
    if validation is not None and all(one.mask() is not None for one in validation):
        wanted = Wanted("segmentation", classes, about.um_per_px)
        found = fat_scores(model, Samples(validation, wanted))
        model = model.with_scores({"validation": {"samples": len(validation), **found}})
    elif validation is not None:
        yield Notice("The samples to validate on have no masks, so the model has no scores.")
    if out is not None:
        _write(out, model, fitted, recipe, (training, time.perf_counter() - began))
    yield Trained(model, out, model.digest, model.spec.scores)


def _painted(training: Dataset) -> bool:
    """Whether all samples have masks, and fat is painted on one."""
    masks = [one.mask() for one in training]
    return all(one is not None for one in masks) and any(np.any(one == 1) for one in masks)


def _learned_from(fitted: Fitted) -> str:
    examples = fitted.examples
    said = f"{len(examples.y)} candidates had a class, {examples.unlabelled} had none"
    if examples.dropped or examples.contradictory:
        said += (
            f"; {examples.dropped} markers lay at no candidate, and {examples.contradictory} "
            f"candidates had markers of several classes"
        )
    chosen = ", ".join(f"{key} {value}" for key, value in sorted(fitted.parameters.items()))
    judged = "" if fitted.score != fitted.score else f", {fitted.score:.3f} in cross-validation"
    return f"{said}. Parameters: {chosen}{judged}."


def _write(
    out: Path,
    model: ClassicalModel,
    fitted: Fitted,
    recipe: ClassicalRecipe,
    of: tuple[Dataset, float],
) -> None:
    training, seconds = of
    searched = {"balanced_accuracy": fitted.score} if recipe.draws else {}
    chosen = {
        key: value.item() if isinstance(value, np.generic) else value
        for key, value in fitted.parameters.items()
    }
    made = {
        **made_with("cpu, fp64", seconds),
        "training": {
            "samples": len(training),
            "candidates": len(fitted.examples.y),
            "manifest_sha256": training.digest,
            "patient_marks": patient_marks(training),
        },
        "image_level_split": training.image_level,
        "recipe": {one.name: getattr(recipe, one.name) for one in fields(recipe)},
        "parameters": {**chosen, **searched},
    }
    save_model(model, out, made=made)
    write_card(out, model, seconds)
    model.folder = out
