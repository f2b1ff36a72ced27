"""The classical model through the door of the networks: rows, a folder, and faults by name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_steatosis.core.dataset import IGNORE, ArraySource, Dataset
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.models import load_model
from napari_steatosis.training.classical import Search, train_classical
from napari_steatosis.training.classical_rows import GIVEN, PUBLISHED, ClassicalRecipe
from napari_steatosis.training.evaluate import evaluate
from napari_steatosis.training.process import TrainingProcess
from napari_steatosis.training.rows import Notice, Trained
from napari_steatosis.training.train import train
from training.droplets import sample
from training.trainings import rows_of, trained

QUICK = {"learner": "logistic", "device": "cpu"}


def painted(*seeds: int, points: bool = False) -> Dataset:
    """Discs and slits of one patient each; with points and masks that say nothing."""
    found = [sample(seed, f"patient {seed}") for seed in seeds]
    if points:
        marks = [sample(seed, points=True).points() for seed in seeds]
        blank = [np.full_like(one.mask(), IGNORE) for one in found]
        sources = [
            ArraySource(*of) for of in zip([s.image() for s in found], blank, marks, strict=True)
        ]
        found = [replace(one, source=source) for one, source in zip(found, sources, strict=True)]
    return Dataset(tuple(found), ("tissue", "fat"))


def test_masks_become_a_model_with_scores_in_a_folder(tmp_path: Path):
    rows = rows_of("classical", painted(1, 2), painted(3, 4), out=tmp_path / "mine", **QUICK)
    said = " ".join(row.text for row in rows if isinstance(row, Notice))
    assert "candidates had a class" in said
    assert "White: saturation of at most" in said
    last = rows[-1]
    assert isinstance(last, Trained)
    model = load_model(tmp_path / "mine")
    assert model.digest == last.digest == last.model.digest
    assert model.spec.name == "mine"
    found = evaluate(model, painted(3, 4))
    jaccard = model.spec.scores["validation"]["jaccard"][0]
    assert jaccard == pytest.approx(found.values["jaccard_pooled"].value, abs=1e-4)
    assert jaccard > 0.8
    made = json.loads((tmp_path / "mine" / "model.json").read_text())["made"]
    assert made["recipe"]["learner"] == "logistic"
    assert made["parameters"] == GIVEN["logistic"]
    assert "Jaccard" in (tmp_path / "mine" / "card.md").read_text()
    with pytest.raises(BadValueError, match="holds a model already"):
        train("classical", painted(1, 2), out=tmp_path / "mine")


def test_it_is_the_model_that_the_function_trains():
    recipe = ClassicalRecipe(learner="logistic", descriptors="strict", white="published")
    last = trained("classical", painted(1, 2), preset=recipe)
    plain = train_classical(
        painted(1, 2),
        rule=last.model.rule,
        search=Search(0, given=GIVEN["logistic"]),
        stain=last.model.spec.stain,
        training_data=last.model.spec.training_data,
    )
    assert last.model.digest == plain.model.digest
    assert last.model.rule.descriptors == "strict"
    assert last.model.rule.candidates.saturation == pytest.approx(0.10)


def test_points_are_enough():
    rows = rows_of("classical", painted(1, 2, points=True), **QUICK)
    said = " ".join(row.text for row in rows if isinstance(row, Notice))
    assert "thresholds are as published" in said
    assert "0 markers lay at no candidate" not in said
    model = rows[-1].model
    assert model.rule.candidates.saturation == pytest.approx(0.10)
    assert evaluate(model, painted(3, 4)).values["jaccard_pooled"].value > 0.8


def test_published_is_what_the_study_states():
    assert (PUBLISHED.draws, PUBLISHED.most, PUBLISHED.descriptors) == (350, 1700, "strict")
    last = trained(
        "classical", painted(1, 2, 3), preset="classical", draws=3, folds=2, learner="logistic"
    )
    assert last.model.rule.descriptors == "strict"
    assert last.model.rule.candidates.value == pytest.approx(0.78)


def test_it_trains_in_a_process_of_its_own(tmp_path: Path):
    with TrainingProcess("classical", painted(1, 2), None, out=tmp_path / "mine", **QUICK) as run:
        *_, last = run.rows()
    assert last.digest == load_model(tmp_path / "mine").digest


def test_what_is_wrong_is_said_before_the_first_row():
    with pytest.raises(UnknownNameError, match=r"has no 'epochs'.*Known: learner"):
        train("classical", painted(1, 2), epochs=3)
    with pytest.raises(UnknownNameError, match="no preset named 'valid-unet'"):
        train("classical", painted(1, 2), preset="valid-unet")
    with pytest.raises(BadValueError, match="on the processor in fp64, not with device='cuda'"):
        train("classical", painted(1, 2), device="cuda")
    with pytest.raises(BadValueError, match="white is 'grey'"):
        train("classical", painted(1, 2), white="grey")
    with pytest.raises(BadValueError, match="patients are both in training and in validation"):
        train("classical", painted(1, 2), painted(2, 3))
    with pytest.raises(BadValueError, match="second class of a classical model is fat"):
        train("classical", Dataset(painted(1, 2).samples, ("fat", "tissue")))


def test_a_tile_is_segmented_as_before_it_was_saved(tmp_path: Path):
    last = trained("classical", painted(1, 2), out=tmp_path, **QUICK)
    tile = painted(9)[0].image()[None]
    read = load_model(tmp_path)
    assert np.array_equal(read.predict(tile), last.model.predict(tile))
