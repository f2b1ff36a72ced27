"""Batches by number, samples that are checked and counted, classes that move with the image."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_steatosis.models._prepare import grey_equalised
from napari_steatosis.training.ahead import ahead
from napari_steatosis.training.augment import STILL, vary
from napari_steatosis.training.losses import objective
from napari_steatosis.training.recipe import Crops
from napari_steatosis.training.samples import Samples, Wanted, census
from napari_steatosis.training.sampling import Batches, hard_tiles, harder
from training.trainings import drawn, regions, squares

FAT = Wanted("segmentation", ("tissue", "fat"))


def test_a_batch_is_the_same_whenever_it_is_made():
    samples = Samples(drawn(), FAT)
    crops = Crops(batch=3, crop_px=32)
    one, two = (Batches(samples, crops, seed=5) for _ in range(2))
    later = [one.batch(n) for n in (4, 0, 4)][-1]
    assert torch.equal(later[0], two.batch(4)[0])
    assert not torch.equal(later[0], two.batch(5)[0])


def test_each_sample_comes_as_often_as_the_others():
    samples = Samples(drawn(5), FAT)
    batches = Batches(samples, Crops(4, 32, 3, order="each"), seed=0)
    chosen = [one for n in range(batches.per_epoch) for one in batches._chosen(n)]
    assert Counter(sample for sample, _ in chosen) == dict.fromkeys(range(5), 3)
    assert chosen != [one for n in range(4, 8) for one in batches._chosen(n)]


def test_fatty_samples_are_drawn_more_often():
    samples = Samples(drawn(6, seed=2), FAT)
    batches = Batches(samples, Crops(8, 32), seed=0)
    fat = np.array([tile.fat_fraction for tile in samples])
    assert (np.argsort(batches.weights) == np.argsort(0.15 + np.sqrt(fat))).all()
    assert batches.weights.sum() == pytest.approx(1)
    seen = Counter(sample for n in range(300) for sample, _ in batches._chosen(n))
    assert np.abs(np.array([seen[i] for i in range(6)]) / 2400 - batches.weights).max() < 0.04


def test_hard_samples_are_those_with_the_largest_loss():
    class Says(torch.nn.Module):
        stride_px = 1

        def __init__(self) -> None:
            super().__init__()
            self.level = torch.nn.Parameter(torch.tensor(-4.0))

        def forward(self, rgb: torch.Tensor) -> torch.Tensor:
            return self.level.expand(len(rgb), 1, *rgb.shape[2:])

    samples = Samples(drawn(6, seed=2), FAT)
    rows = list(hard_tiles(Says(), samples, objective("ce")))
    fat = [tile.fat_fraction for tile in samples]
    assert np.argmax([row.loss for row in rows]) == np.argmax(fat)
    own = np.full(6, 1 / 6)
    weights = harder(own, np.array([row.loss for row in rows]), 0.5)
    assert weights.sum() == pytest.approx(1)
    assert weights[np.argmax(fat)] == weights.max() > 1 / 6


def test_a_census_counts_what_is_judged():
    found = census(Samples(regions(2), Wanted("segmentation", ("tissue", "fat", "vessel"))))
    assert found.ignoring
    assert sum(found.counts) == 2 * (48 * 48 - 64)
    labels = census(Samples(squares(5, classes=2), Wanted("classification", ("a", "b"))))
    assert labels.counts == (3, 2)
    other = census(Samples(squares(5, seed=1), Wanted("classification", ("a", "b"))))
    assert labels.digest != other.digest


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("nearest", [False, True])
def test_classes_and_what_is_not_judged_move_with_the_image(seed: int, nearest: bool):
    image, mask = np.zeros((80, 80, 3), np.uint8), np.zeros((80, 80), np.uint8)
    for value, (y, x) in {1: (10, 10), 2: (50, 15), 255: (30, 50)}.items():
        mask[y : y + 20, x : x + 20] = value
    image[...] = np.where(mask == 255, 240, 70 * mask)[..., None]
    how = replace(STILL, turn_degrees=180.0, flip="any", nearest_mask=nearest)
    rgb, truth = vary(image, mask, np.random.default_rng(seed), crop_px=64, variation=how)
    said = torch.zeros_like(truth[0])
    for value, low, high in ((1, 60, 80), (2, 130, 150), (255, 230, 250)):
        inside = (rgb[0] > low) & (rgb[0] < high)
        said[inside] = value
        wrong = (truth[0][inside] != value).float().mean()
        assert wrong < 0.06  # rims, which are mixed
    assert set(truth.unique().tolist()) <= {0.0, 1.0, 2.0, 255.0}
    assert (truth[0] == said).float().mean() > 0.95


def test_jpeg_changes_little_and_only_where_asked():
    tile = next(iter(drawn(1, side_px=96))).image()
    plain, same, compressed = (
        vary(tile, None, np.random.default_rng(3), crop_px=96, variation=how)[0]
        for how in (STILL, STILL, replace(STILL, compressed=1.0))
    )
    assert torch.equal(plain, same)
    assert 0.3 < (plain - compressed).abs().mean() < 12


def test_work_ahead_comes_in_order_and_errors_come_through():
    assert list(ahead(lambda n: n * n, range(20), workers=3)) == [n * n for n in range(20)]

    def broken(number: int) -> int:
        return 1 // (number - 3)

    with pytest.raises(ZeroDivisionError):
        list(ahead(broken, range(9), workers=2))
    threads = torch.get_num_threads()
    rest = ahead(lambda n: n, iter(range(10**9)), workers=2)  # never all of it
    assert next(rest) == 0
    rest.close()
    assert torch.get_num_threads() == threads


def test_equalised_grey_is_that_of_scikit_image():
    from skimage.exposure import equalize_hist

    rng = np.random.default_rng(0)
    grey = np.clip(rng.normal(90, 20, (64, 64)), 0, 255).astype(np.uint8)
    smooth = grey_equalised(np.repeat(grey[..., None], 3, -1))
    from scipy.ndimage import median_filter

    expected = equalize_hist(median_filter(grey, 3), nbins=256)
    assert np.abs(smooth[..., 0] / 255 - expected).max() < 0.05
