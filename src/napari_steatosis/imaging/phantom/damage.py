"""White things that are no fat: ragged holes, and loose tissue whose fibres lie apart."""

from __future__ import annotations

import numpy as np

from .lattice import Doubles, Floats, key_of, noise
from .style import Style

RIM_UM = np.float32(14.0)
"""The rim of a hole is torn within this distance of its smooth outline, um."""

FIBRES_UM = 9.0
"""Gaps between loose fibres are drawn on grids finer than this, um."""


def holes(seed: int, style: Style, y: Doubles, x: Doubles, finest_um: float = 0.0) -> Floats:
    """Return the signed distance to holes at points, um, positive inside.

    Roughness finer than `finest_um` is left out.
    """
    place = noise(y, x, 500.0, key_of(seed, "hole place"))
    level = np.float32(1.15 - 0.36 * style.holes) - np.float32(0.25) * place
    inside = 110 * (noise(y, x, 190.0, key_of(seed, "wide hole")) - level)
    narrow = 30 * (noise(y, x, 55.0, key_of(seed, "narrow hole")) - level - np.float32(0.03))
    inside = np.maximum(inside, narrow)
    at_rim = np.clip(1 + inside / RIM_UM, 0, 1)
    if not at_rim.any():
        return _far(inside)
    torn = noise(y, x, 130.0, key_of(seed, "torn"))
    torn = (1 + 1.5 * style.fray) * (np.float32(0.3) + torn) * at_rim
    for pitch, swing in ((28.0, 20.0), (9.0, 12.0), (3.5, 6.0)):
        if pitch > finest_um:
            rough = noise(y, x, pitch, key_of(seed, f"torn {pitch}")) - 0.5
            inside = inside + swing * rough * torn
    return _far(inside)


def loose(seed: int, style: Style, y: Doubles, x: Doubles) -> Floats:
    """Return the signed distance to patches of loose tissue at points, um, positive inside."""
    patch = noise(y, x, 170.0, key_of(seed, "loose")) - (1.08 - 0.45 * style.loose)
    return 90 * patch + 12 * (noise(y, x, 22.0, key_of(seed, "loose edge")) - 0.5)


def gaps(seed: int, style: Style, y: Doubles, x: Doubles, finest_um: float = 0.0) -> Floats:
    """Return the signed distance to the gaps of loose tissue at points, um, positive inside.

    Fibres are the contour lines of two fields of noise. Where `finest_um` is too coarse to
    show them, every point of a patch lies on the border of a gap.
    """
    patch = loose(seed, style, y, x)
    near = patch > -2
    if not near.any():
        return _far(patch)
    v, u = (points[near] for points in np.broadcast_arrays(y, x))
    width = np.zeros(len(v), np.float32)
    if finest_um < FIBRES_UM:
        bend = 40 * noise(v, u, 60.0, key_of(seed, "loose bend")).astype(np.float64)
        dense = noise(v, u, 45.0, key_of(seed, "loose density"))
        strand = noise(v + bend, 0.4 * u + 0.5 * bend, 9.0, key_of(seed, "strand"))
        thread = noise(0.5 * v - 0.4 * bend, u + bend, 7.0, key_of(seed, "thread"))
        width = np.minimum(
            11 * (np.abs(strand - 0.5) - (0.02 + 0.22 * dense)),
            9 * (np.abs(thread - 0.5) - np.float32(0.06)),
        )
    patch[near] = np.minimum(patch[near], width)
    return _far(patch)


def _far(inside: Floats) -> Floats:
    """Stretch distances outside, which noise keeps small however far the next gap is."""
    outside = np.minimum(inside, np.float32(0))
    return np.asarray(inside - outside * outside / 8, np.float32)
