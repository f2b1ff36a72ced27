"""What floats on glass beside tissue and in holes: fragments, naked nuclei, spilt red cells."""

from __future__ import annotations

import numpy as np

from .cells import scattered
from .grain import grain
from .lattice import Floats, key_of, noise
from .outline import LITTER_UM
from .scene import Scene
from .stamp import stamp
from .view import View


def fragments(scene: Scene, view: View) -> tuple[Floats, Floats]:
    """Return haematoxylin and eosin of fragments that lie on glass."""
    style, seed = scene.style, scene.seed
    pieces = scattered(seed, "debris", view.box.grow(10.0), (10.0, 0.6, 4.0))
    depth = scene.outline.depth(pieces.y, pieces.x)
    crowd = noise(pieces.y, pieces.x, 60.0, key_of(seed, "debris crowd"))
    chance = style.debris * np.clip(1 + depth / LITTER_UM, 0, 1) * np.clip(2 * crowd - 0.4, 0, 1)
    pieces = pieces.where((depth < -2) & (pieces.mark * 13 % 1 < chance))
    near = stamp(pieces, view, 2.0)
    ragged = near.distance + np.float32(0.8) * grain(view, 1.2, 11)
    body = np.clip(np.float32(0.5) - ragged / np.float32(1.5), 0, 1).astype(np.float32)
    dark = pieces.mark * 29 % 1 < 0.2
    stains = np.where(dark, 1.3, 0.1), np.where(dark, 0.5, 0.2 + 0.7 * (pieces.mark * 7 % 1))
    haematoxylin, eosin = (np.append(stain, 0.0).astype(np.float32) for stain in stains)
    return body * haematoxylin[near.index], body * eosin[near.index]


def spilt(scene: Scene, under: View, deep: Floats) -> Floats:
    """Return where glass near tissue may hold red cells, 0 to 1, on the coarse grid."""
    pool = noise(under.rows, under.columns, 70.0, key_of(scene.seed, "spilt"))
    share = np.clip(6 * (pool - (1.1 - 0.5 * scene.style.debris)), 0, 1)
    return share * np.clip((deep + np.float32(LITTER_UM)) / 10, 0, 1)
