"""Fine texture: wrapped tiles of band-limited noise, exact in integers, looked up by place."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .lattice import Floats
from .view import View

STEPS = 32
"""Integer steps per standard deviation of the grain."""


def grain(view: View, sigma_um: float, key: int) -> Floats:
    """Return noise of about unit variance with a grain of `sigma_um`, one value per pixel.

    The sum of two wrapped tiles whose sides share no factor repeats only after their
    product, far beyond any view.
    """
    passes = max(0, round(2 * (sigma_um / view.um) ** 2))
    total = np.zeros((view.height, view.width), np.int16)
    for side, own in ((251, 2 * key), (199, 2 * key + 1)):
        rows = (np.arange(view.y, view.y + view.height) + 131 * own) % side
        column = (view.x + 57 * own) % side
        wide = _tile(side, min(passes, 40), own)
        if column + view.width > wide.shape[1]:
            wide = np.tile(wide[:, :side], (1, view.width // side + 2))
        total += wide[rows, column : column + view.width]
    return total.astype(np.float32) / np.float32(STEPS)


@lru_cache(maxsize=128)
def _tile(side: int, passes: int, key: int) -> NDArray[np.int8]:
    """Return a tile of noise smoothed by binomial passes, variance one half, six abreast."""
    values = np.random.default_rng([key, side]).integers(-(1 << 15), 1 << 15, (side, side))
    for _ in range(passes):
        for axis in (0, 1):
            values = np.roll(values, 1, axis) + 2 * values + np.roll(values, -1, axis)
            values >>= 2 - (axis ^ 1)  # the spread shrinks slower than the bits are dropped
    tile = values - int(values.mean())
    steps = np.rint(tile * (STEPS / (np.sqrt(2) * tile.std())))
    return np.tile(np.clip(steps, -127, 127).astype(np.int8), (1, 6))


def soften(plane: NDArray[np.int32], passes: int) -> NDArray[np.int32]:
    """Blur by binomial passes in integers; each pass loses one pixel on each side."""
    for _ in range(passes):
        plane = plane[:-2] + 2 * plane[1:-1] + plane[2:]
        plane = plane[:, :-2] + 2 * plane[:, 1:-1] + plane[:, 2:]
        plane = (plane + 8) >> 4
    return plane
