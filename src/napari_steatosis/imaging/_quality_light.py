"""Light and coding: what is clipped, how white the glass is, and the blocks of JPEG."""

from __future__ import annotations

import numpy as np

from ._quality_look import Look
from ._quality_windows import Windows
from .optics import BRIGHT, NEUTRAL, density_table

STAINED = 0.15
"""Optical density in any channel from which a pixel is stained."""

FULL, EMPTY = 254, 3
"""Grey values from which, and up to which, a channel says nothing more."""

JPEG = 8
"""Side of the blocks of JPEG, px."""


def clipped_shares(windows: Windows, white: tuple[float, float, float]) -> tuple[float, float]:
    """Return which shares of the stained pixels are full or empty in a channel, 0 to 1."""
    table = density_table(white) >= STAINED
    stained = full = empty = 0
    for rgb in windows.pixels:
        red, green, blue = np.moveaxis(rgb, -1, 0)
        here = table[0][red] | table[1][green] | table[2][blue]
        stained += int(np.count_nonzero(here))
        brightest = np.maximum(np.maximum(red, green), blue)
        darkest = np.minimum(np.minimum(red, green), blue)
        full += int(np.count_nonzero(here & (brightest >= FULL)))
        empty += int(np.count_nonzero(here & (darkest <= EMPTY)))
    return full / max(1, stained), empty / max(1, stained)


def brightness(seen: Look) -> tuple[float, bool]:
    """Return the grey value of the brightest places, and whether they are neutral glass."""
    values = seen.brightest[seen.seen]
    top = float(np.percentile(values, 99.5))
    least = seen.density.max(axis=0)[seen.seen] <= 100 * STAINED
    return top, bool(top >= BRIGHT and np.mean(least & (values >= BRIGHT - NEUTRAL)) > 0.001)


def blockiness(windows: Windows) -> float | None:
    """Return how much larger steps are across the borders of 8 x 8 blocks than elsewhere.

    1 is none. The phase of the blocks is looked for, since files may begin anywhere.
    None without a window of some contrast.
    """
    sums, counts = np.zeros((2, JPEG)), np.zeros((2, JPEG))
    for region, rgb in zip(windows.regions, windows.pixels, strict=True):
        green = rgb[..., 1].astype(np.int16)
        for axis, start in ((0, region.y), (1, region.x)):
            step = np.abs(np.diff(green, axis=axis)).mean(axis=1 - axis)
            phase = (start + np.arange(len(step))) % JPEG
            sums[axis] += np.bincount(phase, step, JPEG)
            counts[axis] += np.bincount(phase, minlength=JPEG)
    if not counts.all() or not sums.all():
        return None
    mean = sums / counts
    return float(np.min(mean.max(axis=1) / np.median(mean, axis=1)))
