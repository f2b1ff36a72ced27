"""Stain mixing: tissue takes the colours of another image, white stays white."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_steatosis.imaging.optics import optical_density
from napari_steatosis.training.augment import STILL, vary
from napari_steatosis.training.stain_mixing import StainPool, remixing, stains_of
from training.trainings import drawn


@pytest.fixture(scope="module")
def tiles() -> list[np.ndarray]:
    return [one.image() for one in drawn(6, seed=4, side_px=128)]


def test_the_stains_of_a_tile_explain_its_density(tiles):
    found = [stains_of(tile) for tile in tiles]
    assert sum(one is not None for one in found) >= 4
    known, tile = next((s, t) for s, t in zip(found, tiles, strict=True) if s is not None)
    assert np.allclose(np.linalg.norm(known.vectors, axis=1), 1)
    density = optical_density(tile).reshape(-1, 3)
    explained = density @ np.linalg.pinv(known.vectors) @ known.vectors
    assert np.sum((density - explained) ** 2) < 0.05 * np.sum(density**2)


def test_no_stain_no_mixing():
    pool = StainPool([np.full((64, 64, 3), 240, np.uint8)] * 2)
    assert pool.mixing(0, np.random.default_rng(0)) is None


def test_pure_stains_become_those_of_the_other_and_the_rest_stays():
    own = np.array([[0.8, 0.5, 0.33], [0.1, 0.9, 0.4]])
    own /= np.linalg.norm(own, axis=1, keepdims=True)
    goal = own[:, [1, 0, 2]]
    matrix = remixing(own, goal, np.array([2.0, 0.5]))
    assert np.allclose(own @ matrix, goal * [[2.0], [0.5]])
    residual = np.cross(*own)
    assert np.allclose(residual @ matrix, residual)


def test_tissue_changes_and_white_hardly(tiles):
    pool = StainPool(tiles)
    number = next(n for n, own in enumerate(pool.own) if own is not None)
    tile, moved = tiles[number].copy(), []
    tile[:20, :20] = 245
    for seed in range(8):
        rng = np.random.default_rng(seed)
        mixing = pool.mixing(number, rng)
        still, mixed = (
            vary(tile, None, np.random.default_rng(1), crop_px=128, variation=STILL, mixing=how)[0]
            for how in (None, mixing)
        )
        assert (still - mixed)[:, :16, :16].abs().max() < 12
        moved.append(float((still - mixed)[:, 30:].abs().mean()))
        assert torch.isfinite(mixed).all()
    assert max(moved) > 5
    assert np.std(moved) > 0.5
