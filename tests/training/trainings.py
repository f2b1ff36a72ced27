"""A network and samples so small that an epoch takes a moment."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_steatosis.core.dataset import ArraySource, Dataset, Sample
from napari_steatosis.training.rows import Row, Trained
from napari_steatosis.training.tiles import as_dataset, drawn_tiles
from napari_steatosis.training.train import train

SMALL = {"channels": (16,), "down": (1,), "up": ()}
QUICK: dict[str, Any] = {
    "epochs": 2,
    "crop_px": 32,
    "batch": 4,
    "per_sample": 2,
    "parameters": SMALL,
    "device": "cpu",
    "precision": "fp32",
}


def drawn(count: int = 4, seed: int = 1, side_px: int = 64) -> Dataset:
    return as_dataset(drawn_tiles(count, seed=seed, side_px=side_px))


def squares(count: int, *, side: int = 32, seed: int = 0, classes: int = 2) -> Dataset:
    """Images whose brightness says the class, of one patient each."""
    rng = np.random.default_rng(seed)
    names = tuple("abcdef"[:classes])
    samples = []
    for number in range(count):
        kind = number % classes
        level = 60 + 150 * kind // (classes - 1)
        image = np.clip(rng.normal(level, 8, (side, side, 3)), 0, 255).astype(np.uint8)
        samples.append(
            Sample(
                f"s{seed}-{number}",
                ArraySource(image),
                label=names[kind],
                patient=f"p{seed}-{number}",
                um_per_px=1.0,
            )
        )
    return Dataset(tuple(samples), names)


def regions(count: int, *, seed: int = 0, ignored: bool = True) -> Dataset:
    """Images of three classes of pixels, told by colour; a corner is not judged."""
    rng = np.random.default_rng(seed)
    colours = np.array([[150, 60, 140], [240, 240, 240], [40, 70, 180]])
    samples = []
    for number in range(count):
        mask = np.zeros((48, 48), np.uint8)
        mask[:, 16:] = 1
        mask[24:, :] = 2
        image = np.clip(colours[mask] + rng.normal(0, 6, (48, 48, 3)), 0, 255).astype(np.uint8)
        if ignored:
            mask[:8, :8] = 255
        name = f"r{seed}-{number}"
        samples.append(Sample(name, ArraySource(image, mask), patient=name, um_per_px=0.5))
    return Dataset(tuple(samples), ("tissue", "fat", "vessel"))


def rows_of(*asked: Any, **how: Any) -> list[Row]:
    return list(train(*asked, **how))


def trained(*asked: Any, **how: Any) -> Trained:
    last = rows_of(*asked, **how)[-1]
    assert isinstance(last, Trained)
    return last
