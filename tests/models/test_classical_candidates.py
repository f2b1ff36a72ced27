"""White candidates: found, taken apart, and the same however an image is cut."""

from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.models.classical.candidates import (
    CandidateRule,
    find_candidates,
    numbered,
    white_pixels,
)

PINK = (200, 90, 140)


def with_discs(*discs: tuple[int, int, int], side: int = 120) -> np.ndarray:
    rgb = np.full((side, side, 3), PINK, np.uint8)
    rows, columns = np.ogrid[:side, :side]
    for y, x, radius in discs:
        rgb[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = 240
    return rgb


@pytest.mark.parametrize("level", range(1, 256, 7))
def test_white_is_pale_and_bright(level: int):
    """The whole numbers decide as real ones do: saturation and value, by their definitions."""
    least = np.arange(0, level + 1)
    rgb = np.stack([np.full_like(least, level), least, least], -1).astype(np.uint8)[None]
    saturation = (level - least) / level
    wanted = (saturation <= 0.10 + 1e-9) & (level / 255 >= 0.78 - 1e-9)
    assert np.array_equal(white_pixels(rgb, CandidateRule())[0], wanted)


def test_an_erosion_parts_what_touches_and_the_parts_grow_back():
    rgb = with_discs((40, 30, 12), (40, 56, 12), (90, 60, 20))
    rgb[40, 42:45] = 240
    labels = find_candidates(rgb, CandidateRule(), 0.5)
    assert labels.max() == 3
    # Not eroded: a disc of 12 px has 441 pixels; an erosion alone would have left 16 % less.
    assert np.all(np.abs(np.bincount(labels.ravel())[1:3] - 441) <= 4)


def test_a_watershed_parts_discs_that_share_a_neck():
    rgb = with_discs((50, 40, 14), (50, 62, 14))
    assert find_candidates(rgb, CandidateRule(), 0.5).max() == 1
    labels = find_candidates(rgb, CandidateRule(separate="watershed"), 0.5)
    assert labels.max() == 2
    assert abs(int((labels == 1).sum()) - int((labels == 2).sum())) <= 30


def test_a_small_droplet_beside_a_large_one_is_kept():
    rgb = with_discs((60, 50, 30), (60, 85, 4))
    labels = find_candidates(rgb, CandidateRule(separate="watershed"), 0.5)
    assert labels[60, 50] > 0
    assert labels[60, 85] > 0
    assert labels[60, 50] != labels[60, 85]


def test_threads_and_crumbs_are_no_candidates():
    rgb = with_discs()
    rgb[10, 5:100] = 240
    rgb[30:33, 30:33] = 240
    for separate in ("erosion", "watershed"):
        rule = CandidateRule(separate=separate)
        assert find_candidates(rgb, rule, 0.5).max() == 0
        assert find_candidates(rgb, rule, 2.0).max() == 1  # nine pixels are 36 um2 there


def test_all_white_is_one_candidate_and_all_stained_none():
    for separate in ("erosion", "watershed"):
        rule = CandidateRule(separate=separate)
        assert find_candidates(np.full((30, 40, 3), 244, np.uint8), rule, 0.5).min() == 1
        assert find_candidates(np.full((30, 40, 3), PINK, np.uint8), rule, 0.5).max() == 0
        assert find_candidates(np.zeros((30, 40, 3), np.uint8), rule, 0.5).max() == 0


def test_labels_are_numbered_by_their_first_pixel():
    labels = np.array([[0, 7, 0, 3], [5, 0, 0, 3]], np.int32)
    assert numbered(labels).tolist() == [[0, 1, 0, 2], [3, 0, 0, 2]]
    assert numbered(labels, 2).tolist() == [[0, 0, 0, 1], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    ("values", "word"),
    [({"saturation": 1.2}, "1.2"), ({"value": -1}, "-1"), ({"separate": "axe"}, "axe")],
)
def test_values_that_make_no_sense_are_named(values: dict, word: str):
    with pytest.raises(BadValueError, match=word):
        CandidateRule(**values)
