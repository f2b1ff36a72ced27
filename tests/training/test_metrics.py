"""Scores on masks whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.training.metrics import count_tile, scores

UM = 0.5  # 20 um2 are 80 px


def blank() -> np.ndarray:
    return np.zeros((100, 100), bool)


def square(y: int, x: int, side: int) -> np.ndarray:
    mask = blank()
    mask[y : y + side, x : x + side] = True
    return mask


def test_a_perfect_mask_scores_one_everywhere():
    truth = square(10, 10, 20) | square(60, 60, 10)
    found = scores([count_tile(truth, truth, UM)], ["a"])
    for name in ("jaccard", "jaccard_1um", "droplet_f1", "droplet_f1_all", "panoptic_quality"):
        assert found[name][0] == 1.0
    assert found["fat_area_error_points"][0] == 0.0
    assert found["droplets"] == 2
    assert found["false_fat_percent"] is None  # no tile without fat


def test_jaccard_is_pooled_over_tiles_not_averaged():
    # 900/1000, 2/20 and 0/5 pixels: pooled 902/1025, mean of the tiles 0.333
    def strip(start: int, stop: int) -> np.ndarray:
        mask = np.zeros((10, 100), bool)
        mask.flat[start:stop] = True
        return mask

    counts = [
        count_tile(strip(0, 900), strip(0, 1000), UM),
        count_tile(strip(9, 20), strip(0, 11), UM),
        count_tile(strip(0, 5), strip(0, 0), UM),
    ]
    assert [(one.both, one.either) for one in counts] == [(900, 1000), (2, 20), (0, 5)]
    assert scores(counts, ["a", "b", "c"])["jaccard"][0] == pytest.approx(902 / 1025, abs=1e-4)


def test_an_outline_off_by_one_um_is_forgiven_by_the_tolerant_index_only():
    truth = square(20, 20, 30)
    wider = square(18, 18, 34)  # 2 px = 1 um on each side, but the corners are 2.8 px off
    counts = count_tile(wider, truth, UM)
    assert counts.either - counts.both == 34**2 - 30**2
    assert counts.beyond == 4 * 3  # of the 2 x 2 px at each corner all but the inner one


def test_small_unmatched_objects_are_left_out_by_the_rule_but_small_pairs_count():
    large, small = square(10, 10, 20), square(60, 60, 5)  # 100 and 6.25 um2
    tiny_elsewhere = square(80, 10, 8)  # 16 um2
    counts = count_tile(large | tiny_elsewhere, large | small, UM)
    assert (counts.matched, counts.missed, counts.invented) == (1, 1, 1)
    assert (counts.missed_large, counts.invented_large) == (0, 0)
    assert scores([counts], ["a"])["droplet_f1_all"][0] == 0.5
    assert scores([counts], ["a"])["droplet_f1"][0] == 1.0
    assert count_tile(small, small, UM).matched == 1


@pytest.mark.parametrize(("side", "large"), [(8, 0), (9, 1)])
def test_the_rule_for_small_objects_begins_at_20_um2(side: int, large: int):
    counts = count_tile(square(10, 10, side), blank(), UM)  # 16 and 20.25 um2
    assert (counts.invented, counts.invented_large) == (1, large)


def test_a_pair_needs_more_than_half_in_common():
    truth = square(10, 10, 20)
    half = truth.copy()
    half[20:] = False  # IoU exactly 0.5
    more = truth.copy()
    more[21:] = False
    assert count_tile(half, truth, UM).matched == 0
    counts = count_tile(more, truth, UM)
    assert counts.matched == 1
    assert scores([counts], ["a"])["panoptic_quality"][0] == pytest.approx(0.55)


def test_droplets_that_touch_at_a_corner_are_one():
    assert count_tile(square(10, 10, 10) | square(20, 20, 10), blank(), UM).invented == 1


def test_error_of_the_area_and_false_fat_are_in_points_of_the_tile():
    counts = [count_tile(square(0, 0, 10), blank(), UM), count_tile(blank(), square(0, 0, 20), UM)]
    found = scores(counts, ["a", "b"])
    assert found["fat_area_error_points"][0] == 2.5  # (1 + 4) / 2
    assert found["false_fat_percent"][0] == 1.0  # over the one tile without fat
    assert (found["tiles"], found["fat_free_tiles"], found["groups"]) == (2, 1, 2)


def test_the_interval_is_over_groups_not_tiles():
    good = count_tile(square(0, 0, 20), square(0, 0, 20), UM)
    bad = count_tile(square(0, 40, 20), square(40, 0, 20), UM)
    one_patient = scores([good, bad] * 10, ["a"] * 20)["jaccard"]
    assert one_patient[0] == one_patient[1] == one_patient[2]
    many = scores([good, bad] * 10, [str(i) for i in range(20)])["jaccard"]
    few = scores([good, bad] * 10, ["a", "b"] * 10)["jaccard"]
    assert few[2] - few[1] > many[2] - many[1] > 0.1


def test_intervals_are_the_same_every_time():
    counts = [count_tile(square(0, i, 20), square(0, 3, 20), UM) for i in range(20)]
    groups = [str(i) for i in range(20)]
    assert scores(counts, groups) == scores(counts, groups)
    assert scores(counts, groups, seed=1) != scores(counts, groups)
