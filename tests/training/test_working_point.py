"""Thresholds for a wanted recall: by hand, on one set and scored on another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_steatosis.core.dataset import ArraySource, Dataset, Sample
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.models import load_model, save_model
from napari_steatosis.training.class_scores import threshold_for_recall
from napari_steatosis.training.evaluate import evaluate, predicted_fat
from napari_steatosis.training.fat_levels import count_levels
from napari_steatosis.training.working_point import working_points
from training.test_evaluation import BrightIsLate, WhiteIsFat
from training.trainings import drawn, squares


def graded(seed: int, count: int = 6) -> Dataset:
    """Images whose fat has a red of 130 to 250, so that a threshold decides how much is found."""
    rng = np.random.default_rng(seed)
    samples = []
    for number in range(count):
        image, mask = np.full((20, 20, 3), 110, np.uint8), np.zeros((20, 20), np.uint8)
        mask[:, :10] = 1
        image[:, :10] = rng.integers(130, 251, (20, 10, 1))
        image[0, 15] = 240  # taken for fat
        name = f"g{seed}-{number}"
        samples.append(Sample(name, ArraySource(image, mask), patient=name, um_per_px=0.5))
    return Dataset(tuple(samples), ("tissue", "fat"))


def test_pixels_of_fat_are_found_at_the_threshold_that_was_chosen():
    chosen, scored = (evaluate(WhiteIsFat(), graded(seed), draws=20) for seed in (1, 2))
    (point,) = working_points(scored, chosen, recall=0.95, draws=200)
    images = np.stack([one.image()[..., 0] for one in graded(1)])[:, :, :10]
    chance = np.clip((images.astype(np.float32) - 100) / 200, 0, 1)
    assert point.threshold.value == pytest.approx(np.quantile(chance, 0.05), abs=0.006)
    assert (chance >= point.threshold.value).mean() >= 0.95
    assert point.threshold.low <= point.threshold.value <= point.threshold.high
    other = np.stack([one.image()[..., 0] for one in graded(2)]).astype(np.float32)
    found = np.clip((other - 100) / 200, 0, 1) >= np.float32(point.threshold.value)
    assert point.scores["recall"].value == pytest.approx(found[:, :, :10].mean(), abs=1e-6)
    assert point.scores["specificity"].value == pytest.approx(1 - 1 / 200)
    hit = found[:, :, :10].sum()
    assert point.scores["precision"].value == pytest.approx(hit / (hit + len(other)), abs=1e-6)
    assert "6 samples of 6 patients" in point.chosen_on
    assert point.note == ""


def test_choosing_and_scoring_on_the_same_samples_is_told():
    scored = evaluate(WhiteIsFat(), graded(1), draws=20)
    (point,) = working_points(scored, scored, recall=0.9, draws=50)
    assert "Choose it on another set" in point.note
    assert point.scores["recall"].value >= 0.9
    mixed = replace(scored, names=tuple("uvwxyz"))
    (point,) = working_points(mixed, scored, recall=0.9, draws=50)
    assert "6 patients are among those chosen on" in point.note


def test_classes_have_their_thresholds_against_the_rest():
    chosen = evaluate(BrightIsLate(), squares(24, classes=3), draws=20)
    scored = evaluate(BrightIsLate(), squares(12, classes=3, seed=1), draws=20)
    points = working_points(scored, chosen, recall=0.75, draws=100)
    assert [one.kind for one in points] == ["a", "b", "c"]
    for kind, point in enumerate(points):
        exact = threshold_for_recall(
            chosen.truth == kind, chosen.probabilities[:, kind], recall=0.75
        )
        assert exact - 1e-4 <= point.threshold.value <= exact
    said = points[1].to_json()
    assert said["wanted_recall"] == 0.75
    assert {row["score"] for row in points[1].rows()} == {
        *("threshold", "recall at wanted recall", "specificity at wanted recall"),
        "precision at wanted recall",
    }


def test_of_two_classes_the_second_is_found():
    data = squares(12, classes=3)
    found = evaluate(BrightIsLate(), data, draws=5)
    two = replace(
        found,
        classes=("calm", "busy"),
        truth=np.minimum(found.truth, 1),
        probabilities=np.stack([found.probabilities[:, 0], found.probabilities[:, 1:].sum(1)], 1),
    )
    assert [one.kind for one in working_points(two, two, recall=1.0, draws=20)] == ["busy"]


def test_the_interval_of_a_threshold_covers_its_value_as_often_as_it_says():
    """Patients whose true 10 % quantile is 0.1: 95 % intervals of 200 draws, 100 times."""
    rng = np.random.default_rng(0)
    base = evaluate(BrightIsLate(), squares(60, classes=3), draws=1)
    inside = 0
    for _ in range(100):
        chance = rng.random(60)
        truth = np.ones(60, int)
        truth[:2] = 0
        one = replace(
            base,
            classes=("no", "yes"),
            truth=truth,
            probabilities=np.stack([1 - chance, chance], 1),
        )
        (point,) = working_points(one, one, recall=0.9, draws=200)
        inside += point.threshold.low <= 0.1 <= point.threshold.high
    assert inside >= 85


def test_what_cannot_be_chosen_is_said():
    scored = evaluate(WhiteIsFat(), graded(1), draws=5)
    with pytest.raises(BadValueError, match="more than 0 and at most 1"):
        working_points(scored, scored, recall=95)
    with pytest.raises(BadValueError, match=r"is none of 'white'"):
        working_points(scored, replace(scored, digest="2" * 64, model="other"), recall=0.9)
    with pytest.raises(BadValueError, match="takes the likeliest"):
        working_points(replace(scored, classes=("a", "b", "c")), scored, recall=0.9)
    none = np.zeros_like(scored.levels)
    with pytest.raises(BadValueError, match="is fat, so no threshold"):
        working_points(scored, replace(scored, levels=none), recall=0.9)


def test_levels_count_what_is_judged():
    chance = np.array([[0.0, 0.5], [0.9999, 1.0]], np.float32)
    truth = np.array([[False, True], [True, False]])
    judged = np.array([[True, True], [True, False]])
    found = count_levels(chance, truth, judged)
    assert np.argwhere(found).tolist() == [[0, 0], [1, 500], [1, 999]]
    assert found.sum() == 3


def test_a_model_can_be_saved_with_the_threshold(tmp_path):
    own = load_model("steatosis-he-drawn", device="cpu", precision="fp32")
    other = own.with_threshold(0.1)
    save_model(other, tmp_path / "m")
    again = load_model(tmp_path / "m", device="cpu", precision="fp32")
    assert (again.spec.threshold, again.spec.scores) == (0.1, {})
    assert again.digest == other.digest != own.digest
    assert own.spec.threshold != 0.1
    image = drawn(1, side_px=96)[0].image()
    assert predicted_fat(again, image).sum() > predicted_fat(own, image).sum()
    with pytest.raises(BadValueError, match=r"the threshold is 1\.5"):
        own.with_threshold(1.5)
