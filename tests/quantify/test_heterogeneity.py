from __future__ import annotations

import numpy as np
import pytest

from class_maps import prediction_of
from napari_steatosis.quantify import measure


def patchwork(fractions, side=512):
    """Squares of 256 um, each with a share of fat in rows."""
    classes = np.ones((side * fractions.shape[0], side * fractions.shape[1]), np.uint8)
    for (y, x), share in np.ndenumerate(fractions):
        top, left = side * y, side * x
        classes[top : top + round(side * share), left : left + side] = 2
    return classes


def test_hot_spot_and_variation_are_those_of_the_squares():
    fractions = np.random.default_rng(1).beta(1, 12, (10, 10))
    classes = patchwork(fractions, 128)
    report = measure(prediction_of(classes, 2.0), measures=["heterogeneity"])
    percent = 100 * np.round(128 * fractions) / 128
    hot = report["fat_hot_spot"]
    assert hot.value == pytest.approx(np.percentile(percent, 95))
    ranked = np.sort(percent.ravel())
    assert hot.interval == pytest.approx((ranked[89], ranked[99]))
    assert hot.n == 100
    variation = 100 * percent.std(ddof=1) / percent.mean()
    assert report["fat_variation"].value == pytest.approx(variation)


def test_the_hot_spot_of_few_squares_has_no_interval_and_says_why():
    fractions = np.random.default_rng(1).beta(1, 12, (8, 9))
    for rows, sure in ((8, True), (7, False)):
        classes = patchwork(fractions[:rows], 128)
        hot = measure(prediction_of(classes, 2.0))["fat_hot_spot"]
        assert (hot.interval is not None) == sure
        assert hot.note == "" if sure else "63 squares, and 72 are needed" in hot.note


def test_even_fat_does_not_vary():
    report = measure(prediction_of(patchwork(np.full((4, 4), 0.25)), 0.5))
    assert report["fat_variation"].value == pytest.approx(0, abs=1e-9)
    assert report["fat_hot_spot"].value == pytest.approx(25)


def test_the_distance_of_droplets_on_a_lattice():
    classes = np.ones((1024, 1024), np.uint8)
    for y in range(32, 1024, 64):
        for x in range(32, 1024, 64):
            classes[y - 5 : y + 5, x - 5 : x + 5] = 2
    report = measure(prediction_of(classes, 0.5), measures=["heterogeneity"])
    assert report["droplet_distance_median"].value == pytest.approx(32)


def test_few_squares_give_no_score_but_a_flag():
    report = measure(prediction_of(patchwork(np.full((2, 2), 0.1)), 0.5))
    assert np.isnan(report["fat_hot_spot"].value)
    assert any("fat_hot_spot" in flag for flag in report.flags)
