from __future__ import annotations

import numpy as np
import pytest

from class_maps import prediction_of
from napari_steatosis.quantify import measure
from napari_steatosis.quantify.grade import grade_of


def of_hepatocytes(share, side=90, seed=0):
    """Tissue of squares of 27.5 um (55 px), some of which hold a droplet in their middle."""
    fatty = np.random.default_rng(seed).random((side, side)) < share
    classes = np.ones((side * 55, side * 55), np.uint8)
    for y, x in np.argwhere(fatty):
        classes[55 * y + 20 : 55 * y + 36, 55 * x + 20 : 55 * x + 36] = 2
    return classes, 100 * float(fatty.mean())


@pytest.mark.parametrize(("share", "grade"), [(0.02, 0), (0.2, 1), (0.5, 2), (0.8, 3)])
def test_squares_with_fat_are_counted_and_graded(share, grade):
    classes, percent = of_hepatocytes(share)
    report = measure(prediction_of(classes, 0.5), measures=["grade"])
    found = report["hepatocyte_equivalent"]
    assert found.value == pytest.approx(percent)
    assert found.interval[0] < percent < found.interval[1]
    assert report["steatosis_grade"].value == grade
    shares = [report[f"grade_s{number}_share"].value for number in range(4)]
    assert sum(shares) == pytest.approx(100)
    assert shares[grade] > 95


def test_near_a_cut_off_both_grades_are_probable():
    classes, percent = of_hepatocytes(0.33, seed=4)
    report = measure(prediction_of(classes, 0.5), measures=["grade"])
    assert abs(percent - 33) < 0.6
    assert min(report["grade_s1_share"].value, report["grade_s2_share"].value) > 10
    low, high = report["steatosis_grade"].interval
    assert (low, high) == (1, 2)


def test_an_area_is_graded_nowhere():
    """A fifth of the area and four fifths of the hepatocytes: the grade is that of the latter."""
    classes, _ = of_hepatocytes(0.8)
    report = measure(prediction_of(classes, 0.5))
    assert report["fat_area_fraction"].value < 10
    assert report["steatosis_grade"].value == 3


def test_glass_is_no_hepatocyte():
    classes, percent = of_hepatocytes(0.4)
    with_glass = np.zeros((classes.shape[0], 2 * classes.shape[1]), np.uint8)
    with_glass[:, : classes.shape[1]] = classes
    report = measure(prediction_of(with_glass, 0.5), measures=["grade"])
    assert report["hepatocyte_equivalent"].value == pytest.approx(percent)


def test_without_tissue_there_is_no_grade():
    report = measure(prediction_of(np.zeros((400, 400), np.uint8), 0.5), measures=["grade"])
    assert np.isnan(report["steatosis_grade"].value)
    assert np.isnan(grade_of(np.nan))
    assert any("undefined" in flag.lower() for flag in report.flags)
