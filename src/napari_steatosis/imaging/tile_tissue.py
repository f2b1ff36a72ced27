"""How much of a single image is tissue, fat included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region
from ..core.slide import Slide, virtual_levels
from .tissue import find_tissue


@dataclass(frozen=True, eq=False)
class _InMemory:
    pixels: NDArray[np.uint8]

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self.pixels[region.slices])

    def associated(self, name: str) -> NDArray[np.uint8]:
        raise KeyError(name)


def tissue_share(rgb: NDArray[np.uint8], um_per_px: float) -> float:
    """Return which share of an image is tissue by `find_tissue`: white droplets are tissue.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
        The image.
    um_per_px : float
        Size of its pixels, um.

    Returns
    -------
    float
        0 to 1.

    Examples
    --------
    >>> tissue_share(np.full((64, 64, 3), 243, np.uint8), 0.5)
    0.0
    """
    height, width = rgb.shape[:2]
    levels = tuple(virtual_levels([(height, width, 1.0)]))
    slide = Slide("image", "array", _InMemory(rgb), levels, "image", (um_per_px, um_per_px))
    found = find_tissue(slide)
    whole = Region(y=0, x=0, height=height, width=width)
    return float(found.on(whole, slide.frame()).mean())
