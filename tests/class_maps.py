"""Class maps with discs of known place and size, and the slides they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from arrays import slide_of
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.prediction import Prediction

Disc = tuple[float, float, float]
"""Centre (y, x) and radius, px."""


def drawn(height: int, width: int, discs: Iterable[Disc]) -> NDArray[np.uint8]:
    """Return a class map of tissue (1) with discs of fat (2)."""
    classes = np.ones((height, width), np.uint8)
    for y, x, r in discs:
        top, left = max(int(y - r - 1), 0), max(int(x - r - 1), 0)
        window = classes[top : int(y + r + 2), left : int(x + r + 2)]
        rows, columns = np.ogrid[top : top + window.shape[0], left : left + window.shape[1]]
        window[(rows - y) ** 2 + (columns - x) ** 2 <= r * r] = 2
    return classes


def crowd(height: int, width: int, count: int, seed: int = 0) -> list[Disc]:
    """Return discs of all sizes at random places; many touch, some stick out of the plane."""
    rng = np.random.default_rng(seed)
    radii = np.clip(rng.gamma(2, 4, count) + 1.5, None, 30)
    return list(
        zip(rng.uniform(0, height, count), rng.uniform(0, width, count), radii, strict=True)
    )


def apart(rows: int, columns: int, step: int, seed: int = 0) -> list[Disc]:
    """Return discs on a shaken grid, none of which touch."""
    rng = np.random.default_rng(seed)
    discs = []
    for row in range(rows):
        for column in range(columns):
            radius = rng.uniform(3, step / 2 - 4)
            dy, dx = rng.uniform(-1.5, 1.5, 2).tolist()
            discs.append(((row + 0.5) * step + dy, (column + 0.5) * step + dx, float(radius)))
    return discs


def prediction_of(classes: Any, um_per_px: float = 0.5, **values: Any) -> Prediction:
    """Return a class map as a prediction of fat."""
    return Prediction("fat", [classes], ("tissue", "fat"), Frame((um_per_px, um_per_px)), **values)


def on_slide(classes: NDArray[np.uint8]) -> Prediction:
    """Return a prediction at 0.5 um/px on a slide at 0.25 um/px that shows the same discs."""
    fine = classes.repeat(2, axis=0).repeat(2, axis=1)
    rgb = np.empty((*fine.shape, 3), np.uint8)
    rgb[:] = (190, 110, 160)
    rgb[fine == 2] = 245
    slide = slide_of(rgb, um_per_px=0.25)
    return Prediction(
        "fat",
        [classes, classes[::2, ::2]],
        ("tissue", "fat"),
        slide.frame().coarser(2),
        provenance={"digest": "ab", "slide": {"um_per_px": [0.25, 0.25]}, "within": None},
        slide=slide,
    )
