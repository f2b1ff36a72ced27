"""Differences between models that are known, and a page that holds itself."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.training.compare import compare
from napari_steatosis.training.comparison import holm
from napari_steatosis.training.comparison_report import Evaluation, write_evaluation
from napari_steatosis.training.evaluate import evaluate
from napari_steatosis.training.examples import example_pictures
from training.test_evaluation import BrightIsLate, WhiteIsFat, example
from training.trainings import QUICK, drawn, squares, trained


@pytest.fixture(scope="module")
def classified():
    data = squares(24, classes=3)
    return data, [
        evaluate(BrightIsLate("good"), data, draws=20),
        evaluate(BrightIsLate("poor", flip=60), data, draws=20),
    ]


def test_classifiers_are_compared_by_tests_for_independent_samples(classified):
    _, found = classified
    rows = compare(found, draws=400)
    tests = {(row.score, row.difference.test) for row in rows}
    assert ("accuracy", "McNemar, exact") in tests
    assert {("auc a", "DeLong"), ("auc b", "DeLong"), ("auc c", "DeLong")} <= tests
    accuracy = next(row for row in rows if row.score == "accuracy")
    assert accuracy.difference.value == pytest.approx(2 / 3, abs=0.05)
    assert accuracy.p_holm < 0.05
    p = [row.difference.p for row in rows]
    assert [row.p_holm for row in rows] == pytest.approx(holm(p).tolist())


def test_several_samples_of_a_patient_are_not_taken_for_independent():
    data = squares(12, classes=3)
    paired = replace(
        data,
        samples=tuple(replace(one, patient=f"p{n // 2}") for n, one in enumerate(data)),
    )
    found = [evaluate(BrightIsLate(n, f), paired, draws=5) for n, f in (("a", 0), ("b", 60))]
    assert {row.difference.test for row in compare(found, draws=20)} == {"paired bootstrap"}


def test_a_model_does_not_differ_from_itself():
    found = evaluate(WhiteIsFat(), example(), draws=5)
    rows = compare([found, found], draws=20)
    assert {row.difference.value for row in rows} == {0.0}
    assert {row.p_holm for row in rows} == {1.0}


def test_what_was_scored_on_other_samples_is_not_compared(classified):
    first = evaluate(WhiteIsFat(), example(), draws=5)
    other = evaluate(WhiteIsFat(), drawn(2), draws=5)
    with pytest.raises(BadValueError, match="different samples"):
        compare([first, other])


def test_the_page_needs_nothing_else(classified, tmp_path):
    data, found = classified
    shown = {"poor": example_pictures(BrightIsLate("poor", flip=60), data, found[1])}
    stamped = replace(found[1], notes=("image-level split: optimistic",))
    rows = compare(found, draws=20)
    made = write_evaluation(Evaluation([found[0], stamped], rows, examples=shown), tmp_path)
    page = (tmp_path / "evaluation.html").read_text()
    assert "Research use only" in page
    assert "image-level split: optimistic" in page
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    assert page.count("data:image/png") == 4 + len(shown["poor"])
    captions = [one.caption for one in shown["poor"]]
    with Image.open(tmp_path / "examples_poor.png") as figure:
        assert figure.width > 1000  # three in a row
    assert sum(text.startswith("Correct: true ") for text in captions) == 3
    assert any(text.startswith("Wrong: true b, predicted a") for text in captions)
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert values["models"][0]["scores"]["accuracy"]["value"] == 1
    with (tmp_path / "differences.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == len(rows)
    assert {path.name for path in made} == {path.name for path in tmp_path.iterdir()}
    with pytest.raises(CannotOpenError, match="there already"):
        write_evaluation(Evaluation(found, rows), tmp_path)


def test_the_best_and_the_worst_tile_are_shown(tmp_path):
    found = evaluate(WhiteIsFat(), example(), draws=5)
    captions = [one.caption for one in example_pictures(WhiteIsFat(), example(), found)]
    assert [text.split(",")[0] for text in captions] == [
        "Best: Jaccard 0.90",
        "Best: Jaccard 0.10",
        "Worst: Jaccard 0.00",
    ]
    write_evaluation(Evaluation([found]), tmp_path)
    assert not (tmp_path / "differences.csv").exists()


def test_grad_cam_is_laid_over_the_examples_of_a_network():
    data = squares(6, classes=2, side=32)
    quick = {**QUICK, "parameters": {}, "epochs": 1, "per_sample": 1}
    model = trained("cnn-fc", data, **quick).model
    found = evaluate(model, data, draws=5)
    shown = example_pictures(model, data, found)
    assert shown
    assert all("Grad-CAM over it" in one.caption for one in shown)
    assert np.isfinite(found.values["accuracy"].value)
