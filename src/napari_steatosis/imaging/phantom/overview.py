"""Coarse levels, drawn from the same shapes without cells: colour and coverage only."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .droplets import gathering
from .lattice import Doubles, Floats, key_of, noise
from .paint import paint
from .scene import Scene
from .stamp import stamp
from .vessels import vessels_in, zone
from .view import View

FROM_UM = 3.0
"""Pixels larger than this, um, show no cells."""


def overview(scene: Scene, view: View) -> NDArray[np.uint8]:
    """Draw a view of large pixels as ``(height, width, 3) uint8``."""
    y, x, um = view.rows, view.columns, np.float32(view.um)
    deep = scene.outline.depth(y, x, finest_um=view.um)
    lumen = stamp(vessels_in(scene.seed, view.box).lumina, view, 2 * view.um).distance
    zonal = zone(scene.seed, y, x)
    share = scene.fat_percent / 100 * gathering(scene.seed, zonal, y, x) / GATHERING_MEAN
    cover = np.clip(np.float32(0.5) + deep / um, 0, 1) * np.clip(np.float32(0.5) + lumen / um, 0, 1)
    cover = cover * (1 - np.minimum(share, 0.8))
    cover = cover * (1 + 0.25 * (noise(y, x, 330.0, key_of(scene.seed, "stain")) - 0.5))
    return _mixed(cover, np.array(scene.style.white), _tissue_colour(scene))


def _mixed(cover: Floats, white: Doubles, tissue: Doubles) -> NDArray[np.uint8]:
    out = np.empty((*cover.shape, 3), np.uint8)
    for channel in range(3):
        depth = np.float32(tissue[channel] - white[channel])
        value = np.float32(white[channel]) + depth * cover
        out[..., channel] = np.clip(np.rint(value), 0, 255)
    return out


GATHERING_MEAN = 0.86
"""Mean of `gathering` over the tissue."""


@lru_cache(maxsize=64)
def _tissue_colour(scene: Scene) -> Doubles:
    """Return the mean colour of the tissue without fat, from small windows drawn in full."""
    whole = replace(scene.style, tears=0.0, holes=0.0, loose=0.0)
    outline = replace(scene.outline, shape="everywhere", style=whole)
    plain = replace(scene, outline=outline, fat_percent=0.0)
    corners = (100, 700, 1500, 2600)
    windows = [paint(plain, View(y, x, 96, 96, 1.0), 1) for y in corners for x in corners]
    return np.mean(windows, axis=(0, 1, 2))
