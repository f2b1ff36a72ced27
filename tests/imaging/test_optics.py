"""Optical density: there and back, white by white, and recolouring that spares white."""

from __future__ import annotations

import numpy as np
import pytest

from arrays import glass, stained_ground
from napari_steatosis.imaging.optics import (
    WHITE,
    optical_density,
    recolour,
    rgb_of_density,
    white_level,
)


def test_density_and_colour_are_inverse() -> None:
    grey = np.arange(1, 241, dtype=np.uint8)
    pixels = np.stack([grey, grey[::-1], np.roll(grey, 60)], axis=-1)
    white = (241.0, 243.0, 245.0)
    density = optical_density(pixels, white)
    assert density.dtype == np.float32
    assert (rgb_of_density(density, white) == pixels).all()
    assert density[119] == pytest.approx(-np.log(pixels[119] / np.array(white)), abs=1e-6)


def test_black_and_brighter_than_white_stay_finite() -> None:
    density = optical_density(np.uint8([[0, 0, 0], [255, 255, 255]]), (240, 240, 240))
    assert np.isfinite(density).all()
    assert (density[1] == 0).all()


def test_white_level_is_that_of_the_glass_and_known_where_none_is_seen() -> None:
    both = np.concatenate([stained_ground(300, 300), glass(200, 300)])
    assert white_level(both) == pytest.approx((245, 245, 245), abs=3)
    tinted = np.clip(both.astype(int) - [0, 6, 12], 0, 255).astype(np.uint8)
    assert white_level(tinted) == pytest.approx((245, 239, 233), abs=3)
    assert white_level(stained_ground(300, 300)) == WHITE


def test_recolouring_spares_white_without_a_step() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    out = recolour(ramp, WHITE, lambda pixels: np.full(pixels.shape, 40, np.float32))
    assert (out[212:] == ramp[212:]).all()  # density below 0.15
    assert (out[:170] == 40).all()  # density above 0.35
    steps = np.diff(out[170:213, 0].astype(int))
    assert (steps >= 0).all()
    assert steps.max() < 12
