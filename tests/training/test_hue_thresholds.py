from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.training.hue_thresholds import fit_hue


def drawn(seed=0, collagen=(70, 100, 190), tissue=(205, 120, 170)):
    """Noisy tissue with noisy collagen in its left third, and pale glass of any hue."""
    random = np.random.default_rng(seed)
    image = np.empty((60, 90, 3))
    image[:] = tissue
    image[:, :30] = collagen
    image += random.normal(0, 14, image.shape)
    image[:10] = 240 + random.normal(0, 3, (10, 90, 3))
    mask = np.zeros((60, 90), np.uint8)
    mask[10:, :30] = 1
    return image.clip(0, 255).astype(np.uint8), mask


@pytest.mark.parametrize("collagen", [(70, 100, 190), (200, 30, 60)], ids=["blue", "red"])
def test_collagen_is_found_again_on_another_image(collagen):
    """Red collagen has hues on both sides of 0."""
    image, mask = drawn(0, collagen, (220, 190, 110))
    roc = fit_hue([image], [mask])
    (low, high), _ = roc.best()
    image, mask = drawn(1, collagen, (220, 190, 110))
    again = fit_hue([image], [mask])
    assert roc.recall.max() == 1
    width, column = np.unravel_index((roc.recall - roc.false_alarm).argmax(), roc.recall.shape)
    assert again.recall[width, column] > 0.95
    assert again.false_alarm[width, column] < 0.05
    assert (low > high) == (collagen[0] > 100)


def test_the_curve_rises_from_nothing_to_all():
    image, mask = drawn()
    roc = fit_hue([image], [mask])
    false_alarm, recall = roc.curve(0.0)
    assert (np.diff(recall) >= 0).all()
    assert (np.diff(false_alarm) >= 0).all()
    assert recall[-1] == false_alarm[-1] == 1
    assert roc.jaccard.max() > 0.9
    assert roc.best("jaccard")[1] >= 0


def test_what_is_ignored_takes_no_part():
    image, mask = drawn()
    mask[:, :5] = 255
    roc = fit_hue([image], [mask])
    assert roc.collagen.sum() == 50 * 25
    assert roc.collagen.sum() + roc.other.sum() == 60 * 85


def test_bad_input():
    image, mask = drawn()
    with pytest.raises(BadValueError, match="both kinds"):
        fit_hue([image], [np.zeros_like(mask)])
    with pytest.raises(BadValueError, match="60, 90"):
        fit_hue([image], [mask[1:]])
    with pytest.raises(BadValueError, match="'otsu'"):
        fit_hue([image], [mask]).best("otsu")
