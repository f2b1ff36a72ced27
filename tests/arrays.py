"""Slides whose pixels are an array in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from discs import DiscSource
from napari_steatosis.core.slide import Slide, virtual_levels


def slide_of(pixels: NDArray[np.uint8], um_per_px: float | None = 0.5) -> Slide:
    """Return a slide of one stored level, with virtual levels like a picture."""
    height, width = pixels.shape[:2]
    scale = None if um_per_px is None else (um_per_px, um_per_px)
    levels = tuple(virtual_levels([(height, width, 1.0)]))
    return Slide("array", "array", DiscSource(pixels), levels, "array", scale)


def stained_ground(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Eosin-like ground with haematoxylin-like dots of 7 px, and noise."""
    rng = np.random.default_rng(seed)
    ground = np.empty((height, width, 3))
    ground[:] = (215, 150, 190)
    y, x = (
        rng.integers(0, height, height * width // 800),
        rng.integers(0, width, height * width // 800),
    )
    for dy in range(-3, 4):
        for dx in range(-3, 4):
            ground[np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)] = (95, 70, 145)
    return np.clip(ground + rng.normal(0, 6, ground.shape), 0, 255).astype(np.uint8)


def glass(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Bare glass with the noise of a camera."""
    noise = np.random.default_rng(seed).normal(242, 2.5, (height, width, 3))
    return np.clip(noise, 0, 255).astype(np.uint8)
