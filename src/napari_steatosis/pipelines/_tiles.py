"""The task of one tile: read with its halo, normalise, predict, keep what the tile owns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UnreadableRegionError
from ..core.grid import Tile
from ._plan import Plan


@dataclass(frozen=True, eq=False)
class TilePixels:
    """A tile that has been read.

    Parameters
    ----------
    tile : Tile
        Which one.
    rgb : (y, x, 3) uint8, optional
        What the model is to see, `tile.outer`; None where it could not be read.
    error : str
        Why not.
    """

    tile: Tile
    rgb: NDArray[np.uint8] | None
    error: str = ""


@dataclass(frozen=True, eq=False)
class TileResult:
    """A tile that has been analysed.

    Parameters
    ----------
    tile : Tile
        Which one.
    classes : (y, x) uint8, optional
        Stored values for `tile.inner`; None where the tile could not be read.
    error : str
        Why not.
    """

    tile: Tile
    classes: NDArray[np.uint8] | None
    error: str = ""


def read_tile(plan: Plan, index: int) -> TilePixels:
    """Read and normalise one tile of a plan; a damaged file is a result, not a crash."""
    tile = plan.grid[index]
    try:
        rgb = plan.plane.read(tile.outer)
    except UnreadableRegionError as error:
        return TilePixels(tile, None, str(error))
    return TilePixels(tile, rgb if plan.stain is None else plan.stain.apply(rgb))


def predict_tiles(plan: Plan, read: Sequence[TilePixels]) -> list[TileResult]:
    """Analyse tiles of equal outer size in one batch; unreadable ones stay unreadable."""
    good = [item for item in read if item.rgb is not None]
    maps: list[NDArray[np.uint8]] = []
    if good:
        batch = np.stack([item.rgb for item in good if item.rgb is not None])
        for item, probabilities in zip(good, plan.model.predict(batch), strict=True):
            maps.append(_owned_classes(plan, item.tile, probabilities))
    done = iter(maps)
    return [
        TileResult(item.tile, None if item.rgb is None else next(done), item.error) for item in read
    ]


def run_tiles(plan: Plan, indices: Sequence[int]) -> list[TileResult]:
    """Read and analyse some tiles of a plan: the task that a cluster worker is given."""
    return [predict_tiles(plan, [read_tile(plan, index)])[0] for index in indices]


def _owned_classes(plan: Plan, tile: Tile, probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    own = probabilities[(slice(None), *tile.inner.within(tile.outer))]
    classes = class_values(own, plan.model.spec.threshold)
    if plan.within is not None:
        classes[~plan.within.on(tile.inner, plan.plane.frame)] = 0
    return classes


def class_values(probabilities: NDArray[np.float32], threshold: float) -> NDArray[np.uint8]:
    """Return the stored value per pixel: class index + 1.

    Parameters
    ----------
    probabilities : (class, y, x) float32
        Summing to 1 over the classes.
    threshold : float
        With two classes, the second one needs at least this; with more, the largest wins.

    Examples
    --------
    >>> class_values(np.array([[[0.8, 0.3]], [[0.2, 0.7]]], np.float32), 0.5).tolist()
    [[1, 2]]
    """
    if len(probabilities) == 2:
        return np.where(probabilities[1] >= threshold, np.uint8(2), np.uint8(1))
    return (probabilities.argmax(0) + 1).astype(np.uint8)
