"""Drawn slides of white discs on stained ground."""

from __future__ import annotations

import numpy as np

from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.slide import Slide, virtual_levels


class DiscSource:
    """Bright discs on stained ground, from an array; a region may be declared damaged."""

    def __init__(self, pixels: np.ndarray, damaged: Region | None = None) -> None:
        self.pixels, self.damaged = pixels, damaged

    def read(self, level: int, region: Region) -> np.ndarray:
        if self.damaged is not None and region.intersect(self.damaged) is not None:
            raise RuntimeError("truncated strip")
        return np.ascontiguousarray(self.pixels[region.slices])

    def associated(self, name: str) -> np.ndarray:
        raise CannotOpenError(f"no associated image {name!r}")


def disc_slide(height: int = 1300, width: int = 1100, damaged: Region | None = None) -> Slide:
    """Return a slide at 0.5 um/px with white discs, some across tile borders."""
    rng = np.random.default_rng(3)
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = (200, 120, 170)
    pixels += rng.integers(0, 20, pixels.shape, dtype=np.uint8)
    rows, columns = np.ogrid[:height, :width]
    for y, x, r in zip(
        rng.integers(0, height, 60),
        rng.integers(0, width, 60),
        rng.integers(8, 30, 60),
        strict=True,
    ):
        pixels[(rows - y) ** 2 + (columns - x) ** 2 <= r * r] = 245
    return Slide(
        path="discs.svs",
        reader="test",
        source=DiscSource(pixels, damaged),
        levels=tuple(virtual_levels([(height, width, 1.0)])),
        fingerprint=f"discs-{height}-{width}",
        um_per_px=(0.5, 0.5),
        scale_source="drawn",
    )
