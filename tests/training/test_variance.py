"""The analysis of variance as published: its numbers, its label, its caveat."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import f_oneway

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.training.evaluate import evaluate
from napari_steatosis.training.variance import AS_PUBLISHED, analyses
from training.test_evaluation import BrightIsLate, WhiteIsFat
from training.test_working_point import graded
from training.trainings import squares


@pytest.fixture(scope="module")
def segmented():
    data = graded(1)
    samples = tuple(
        replace(one, patient=f"p{n // 2}", split=f"fold{n // 2}") for n, one in enumerate(data)
    )
    data = replace(data, samples=samples)
    worse = evaluate(WhiteIsFat(), data, draws=5)
    counts = tuple(replace(one, jaccard=one.jaccard * 0.5) for one in worse.tiles)
    return [worse, replace(worse, model="worse", tiles=counts)]


def test_tiles_give_the_numbers_of_scipy_and_their_caveat(segmented):
    rows = analyses(segmented, over="tile")
    assert [row.score for row in rows] == ["jaccard_mean", "recall", "fat_area_error_points"]
    own = [[tile.jaccard for tile in one.tiles] for one in segmented]
    expected = f_oneway(*own)
    assert rows[0].found.f == pytest.approx(expected.statistic)
    assert rows[0].found.p == pytest.approx(expected.pvalue)
    assert rows[0].values == 6
    row = rows[0].row()
    assert row["test"] == AS_PUBLISHED
    assert "no independent units" in row["note"]


def test_folds_and_patients_are_means_over_their_tiles(segmented):
    for over in ("fold", "patient"):
        row = analyses(segmented, over=over)[0]
        means = [
            [np.mean([t.jaccard for t in one.tiles[i : i + 2]]) for i in (0, 2, 4)]
            for one in segmented
        ]
        assert row.values == 3
        assert row.found.f == pytest.approx(f_oneway(*means).statistic)


def test_replicates_are_said_to_be_no_inference(segmented):
    few, many = (analyses(segmented, over="bootstrap", draws=n)[0] for n in (20, 500))
    assert many.found.p < few.found.p
    assert many.found.note.startswith("no valid inference")
    assert many.values == 500


def test_classifiers_are_compared_by_accuracy_and_sensitivity():
    data = squares(24, classes=3)
    both = [evaluate(BrightIsLate(n, f), data, draws=5) for n, f in (("good", 0), ("poor", 60))]
    rows = analyses(both, over="tile")
    assert [row.score for row in rows][:2] == ["accuracy", "sensitivity a"]
    assert rows[0].values == 24
    assert rows[1].values == 8  # only images of the class have a sensitivity


def test_what_cannot_be_analysed_is_said(segmented):
    with pytest.raises(BadValueError, match="two models or more, got 1"):
        analyses(segmented[:1], over="tile")
    with pytest.raises(BadValueError, match="not 'slide'"):
        analyses(segmented, over="slide")
    with pytest.raises(BadValueError, match="belong to no official set"):
        analyses([replace(one, sets=("",) * one.n) for one in segmented], over="fold")
    one_patient = [replace(one, patients=("p",) * one.n) for one in segmented]
    with pytest.raises(BadValueError, match="fewer than two patients"):
        analyses(one_patient, over="patient")
