from __future__ import annotations

import numpy as np
import pytest

from class_maps import prediction_of
from napari_steatosis.quantify._evidence import Evidence
from napari_steatosis.quantify.fat_area import fat_area, percent_interval, why_no_interval


def measured(classes, **values):
    prediction = prediction_of(classes, **values)
    return {one.name: one for one in fat_area(Evidence.gather(prediction))}


def test_fat_is_in_the_denominator_and_glass_is_not():
    classes = np.zeros((600, 700), np.uint8)
    classes[:300] = 1
    classes[:100, :350] = 2
    found = measured(classes)
    assert found["fat_area_fraction"].value == 100 * 100 * 350 / (300 * 700)
    assert found["tissue_area"].value == 300 * 700 * 0.25 / 1e6
    assert found["fat_area"].value == 100 * 350 * 0.25 / 1e6
    assert found["fat_area_fraction"].n == 2  # 128 um = 256 px is half a square: 2 columns


def test_squares_add_up_whatever_the_rows_read_at_once():
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 3, (65, 55)).astype(np.uint8).repeat(20, axis=0).repeat(20, axis=1)
    for block_px in (100, 512, 2000):
        squares = Evidence.gather(prediction_of(classes), block_px=block_px).squares
        assert squares.side_px == (512, 512)
        assert squares.analysed.shape == (3, 3)
        for row in range(3):
            for column in range(3):
                part = classes[512 * row : 512 * (row + 1), 512 * column : 512 * (column + 1)]
                assert squares.analysed[row, column] == np.count_nonzero(part)
                assert squares.found[row, column] == np.count_nonzero(part == 2)


def test_the_square_has_the_same_size_in_the_tissue_at_any_resolution():
    classes = np.ones((2048, 1024), np.uint8)
    for um, n in ((0.25, 2), (0.5, 8), (1.0, 32)):
        assert measured(classes, um_per_px=um)["fat_area_fraction"].n == n


def test_the_interval_holds_the_truth_at_its_rate():
    """Squares of unequal tissue whose fat varies as from field to field of a liver."""
    rng = np.random.default_rng(11)
    truth, n, trials = 0.12, 60, 300
    hits = 0
    for _ in range(trials):
        analysed = rng.integers(20_000, 262_144, n)
        local = rng.gamma(4, truth / 4, n).clip(0, 0.9)
        fat = np.rint(analysed * local).astype(np.int64)
        interval = percent_interval(fat, analysed)
        assert interval is not None
        hits += interval[0] <= 100 * truth <= interval[1]
    assert 0.90 <= hits / trials <= 0.98


@pytest.mark.parametrize(
    ("fat", "why"),
    [
        ([5], "it lies in 1 square of 256 um, and 2 are needed"),
        ([], "it lies in no square of 256 um, and 2 are needed"),
        ([0, 0, 0], "nothing was found in it"),
        ([1000, 1000], "the squares do not differ"),
        ([70, 70, 70], "the squares do not differ"),
        ([5, 6], ""),
    ],
)
def test_where_there_is_no_interval_it_is_said_why(fat, why):
    part, whole = np.array(fat, np.int64), np.full(len(fat), 1000)
    assert why_no_interval(part, whole, "square of 256 um") == why
    assert (percent_interval(part, whole) is None) == bool(why)


def test_the_interval_of_many_squares_holds_the_value():
    analysed = np.random.default_rng(0).integers(1, 1000, 5_000)
    fat = analysed // 7
    low, high = percent_interval(fat, analysed)
    assert low < 100 * fat.sum() / analysed.sum() < high
    assert high - low < 0.2
