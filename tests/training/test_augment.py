"""Crops: image and mask stay together, and a seed decides everything."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_steatosis.training.augment import Variation, vary

STILL = Variation(
    log_scale=0,
    stain_gain=(1, 1),
    stain_shift=0,
    gamma=(1, 1),
    contrast=0,
    brightness=0,
    channel=0,
    blurred=0,
    noise=0,
)


@pytest.fixture
def tile() -> tuple[np.ndarray, np.ndarray]:
    """White discs on purple, drawn as the mask says."""
    y, x = np.mgrid[:200, :200]
    mask = np.zeros((200, 200), np.uint8)
    for cy, cx, r in [(40, 50, 15), (120, 90, 25), (160, 170, 10), (60, 150, 8)]:
        mask[(y - cy) ** 2 + (x - cx) ** 2 < r * r] = 1
    image = np.where(mask[..., None] > 0, 245, np.array([150, 60, 140])).astype(np.uint8)
    return image, mask


@pytest.mark.parametrize("seed", range(8))
def test_the_mask_follows_the_image(tile, seed: int):
    rgb, mask = vary(*tile, np.random.default_rng(seed), crop_px=128)
    inside, outside = rgb[1][mask[0] > 0], rgb[1][mask[0] == 0]
    assert inside.numel() > 50
    middle = (inside.median() + outside.median()) / 2
    agree = ((rgb[1] > middle) == (mask[0] > 0)).float().mean()
    assert agree > 0.98


def test_without_variation_colours_stay_as_they_are(tile):
    image, mask = tile
    rgb, _ = vary(image, mask, np.random.default_rng(1), crop_px=64, variation=STILL)
    exact = torch.tensor([[150.0, 60, 140], [245, 245, 245]])
    distance = (rgb.permute(1, 2, 0)[:, :, None] - exact).abs().amax(-1).amin(-1)
    assert (distance <= 1).float().mean() > 0.85  # the rest is interpolated at outlines


def test_scale_changes_the_area_by_its_square(tile):
    image, mask = tile
    fat = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        fat.append(float(vary(image, mask, rng, crop_px=200, variation=STILL)[1].mean()))
    assert np.mean(fat) == pytest.approx(mask.mean(), rel=0.05)


def test_values_are_whole_numbers_of_eight_bits(tile):
    rgb, mask = vary(*tile, np.random.default_rng(2))
    assert rgb.shape == (3, 256, 256)
    assert mask.shape == (1, 256, 256)
    assert torch.equal(rgb, rgb.round())
    assert rgb.min() >= 0
    assert rgb.max() <= 255
    assert set(mask.unique().tolist()) == {0.0, 1.0}


def test_a_seed_decides_everything(tile):
    first, second = (vary(*tile, np.random.default_rng(5)) for _ in range(2))
    other = vary(*tile, np.random.default_rng(6))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], other[0])


def test_stain_really_varies_and_white_hardly(tile):
    image, mask = tile
    how = Variation(log_scale=0, contrast=0, brightness=0, channel=0, blurred=0, noise=0)
    crops = [vary(image, mask, np.random.default_rng(i), variation=how) for i in range(20)]
    tissue = [float(rgb[1][mask[0] == 0].median()) for rgb, mask in crops]
    white = [float(rgb[1][mask[0] > 0].median()) for rgb, mask in crops]
    assert np.std(tissue) > 15
    assert min(white) > 225
