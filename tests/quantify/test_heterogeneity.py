from __future__ import annotations

import numpy as np
import pytest

from class_maps import prediction_of
from napari_steatosis.quantify import measure


def patchwork(fractions):
    """Squares of 256 um (512 px), each with a share of fat in rows."""
    classes = np.ones((512 * fractions.shape[0], 512 * fractions.shape[1]), np.uint8)
    for (y, x), share in np.ndenumerate(fractions):
        classes[512 * y : 512 * y + round(512 * share), 512 * x : 512 * x + 512] = 2
    return classes


def test_hot_spot_and_variation_are_those_of_the_squares():
    fractions = np.random.default_rng(1).beta(1, 12, (5, 6))
    report = measure(prediction_of(patchwork(fractions), 0.5), measures=["heterogeneity"])
    percent = 100 * np.round(512 * fractions) / 512
    hot = report["fat_hot_spot"]
    assert hot.value == pytest.approx(np.percentile(percent, 95))
    assert hot.interval[0] < hot.value <= hot.interval[1]
    assert hot.n == 30
    variation = 100 * percent.std(ddof=1) / percent.mean()
    assert report["fat_variation"].value == pytest.approx(variation)


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
