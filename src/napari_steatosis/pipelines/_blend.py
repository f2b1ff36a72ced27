"""Blending of tiles that overlap, for models that see a tile as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..core.grid import Grid, Tile

FALL = 3.0
"""Standard deviations of the Gaussian in the strip where tiles overlap."""


def neighbours(grid: Grid, index: int) -> Iterator[int]:
    """Yield a tile and those around it, whose outer parts reach into what it owns."""
    row, column = divmod(index, grid.columns)
    for r in range(max(0, row - 1), min(grid.rows, row + 2)):
        for c in range(max(0, column - 1), min(grid.columns, column + 2)):
            yield r * grid.columns + c


def blended(
    tile: Tile, seen: Iterable[tuple[Tile, NDArray[np.float32]]], halo_px: int
) -> NDArray[np.float32]:
    """Return the mean of what several tiles say of the pixels that one of them owns.

    Each is weighted with 1 in its middle and with a Gaussian that falls over the strip, twice
    `halo_px` wide, in which it overlaps its neighbours. The sum is divided by the weights that
    went into it, so that what all agree on stays as it is.

    Parameters
    ----------
    tile : Tile
        Whose inner part is wanted.
    seen : iterable of (Tile, (class, y, x) float32)
        Tiles that reach into it, itself included, with the probabilities of their outer parts.
    halo_px : int
        Of the grid.

    Returns
    -------
    (class, height, width) float32
    """
    inner = tile.inner
    total: NDArray[np.float32] | None = None
    weight = np.zeros((inner.height, inner.width), np.float32)
    for other, probabilities in seen:
        common = inner.intersect(other.outer)
        if common is None:
            continue
        here, there = common.within(inner), common.within(other.outer)
        part = _weights(other.outer.height, other.outer.width, halo_px)[there]
        if total is None:
            total = np.zeros((len(probabilities), *weight.shape), np.float32)
        total[(slice(None), *here)] += part * probabilities[(slice(None), *there)]
        weight[here] += part
    assert total is not None
    return total / weight


@lru_cache(maxsize=16)
def _weights(height: int, width: int, halo_px: int) -> NDArray[np.float32]:
    return _fall(height, halo_px)[:, None] * _fall(width, halo_px)[None, :]


def _fall(length: int, halo_px: int) -> NDArray[np.float32]:
    if not halo_px:
        return np.ones(length, np.float32)
    place = np.arange(length) + 0.5
    outward = np.clip(2 * halo_px - np.minimum(place, length - place), 0, None)
    return np.exp(-((FALL * outward / (2 * halo_px)) ** 2) / 2).astype(np.float32)
