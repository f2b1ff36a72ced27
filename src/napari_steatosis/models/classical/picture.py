"""An image as descriptors see it: brightness, saturation, hue, optical density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .parts import Doubles, Parts


@dataclass(frozen=True, eq=False)
class Picture:
    """An image as descriptors see it.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
    parts : Parts
        Its candidates.
    um_per_px : float, optional
        Side of a pixel, um; None where unknown, which only the ring puts up with.
    """

    rgb: NDArray[np.uint8]
    parts: Parts
    um_per_px: float | None

    @cached_property
    def ground(self) -> NDArray[np.bool_]:
        """Where there is no candidate."""
        return self.parts.labels == 0

    @cached_property
    def value(self) -> NDArray[np.uint8]:
        """The brightest channel."""
        return np.maximum(np.maximum(self.rgb[..., 0], self.rgb[..., 1]), self.rgb[..., 2])

    @cached_property
    def chroma(self) -> NDArray[np.uint8]:
        """The brightest channel less the darkest."""
        rgb = self.rgb
        return self.value - np.minimum(np.minimum(rgb[..., 0], rgb[..., 1]), rgb[..., 2])

    @cached_property
    def saturation(self) -> NDArray[np.float32]:
        """Saturation (HSV), 0 to 1."""
        return np.divide(self.chroma, np.maximum(self.value, 1), dtype=np.float32)

    @cached_property
    def density(self) -> NDArray[np.float32]:
        """Optical density (decadic, relative to 255) of red, green and blue, ``(3, y, x)``."""
        table = -np.log10(np.maximum(np.arange(256), 1) / 255).astype(np.float32)
        return np.stack([table[self.rgb[..., channel]] for channel in range(3)])


def hue(rgb: NDArray[np.uint8]) -> Doubles:
    """Return the hue (HSV) of pixels, in turns: 0 is red, 1/3 green, 2/3 blue; 0 where grey.

    Examples
    --------
    >>> hue(np.uint8([[255, 0, 0], [0, 255, 0], [255, 0, 255], [7, 7, 7]])).round(3).tolist()
    [0.0, 0.333, 0.833, 0.0]
    """
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)
    high = np.maximum(np.maximum(red, green), blue)
    chroma = high - np.minimum(np.minimum(red, green), blue)
    safe = np.where(chroma > 0, chroma, 1.0)
    sector = np.where(
        high == red,
        (green - blue) / safe,
        np.where(high == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    return np.where(chroma > 0, sector / 6 % 1, 0.0)


def circular_mean(turns: Doubles, weights: Doubles) -> tuple[float, float]:
    """Return the weighted mean of angles, turns in -0.5 to 0.5, and how much they agree, 0 to 1.

    Examples
    --------
    >>> mean, _ = circular_mean(np.array([350, 355, 2, 8, 15]) / 360, np.ones(5))
    >>> round(360 * mean)
    2
    """
    sums = np.array([[np.sum(weights * wave(2 * np.pi * turns)) for wave in (np.cos, np.sin)]])
    mean, agreement = direction(sums, np.array([np.sum(weights)]))
    return float(mean[0]), float(agreement[0])


def direction(sums: Doubles, weight: Doubles) -> tuple[Doubles, Doubles]:
    """Return the angles of vectors ``(n, 2)``, turns, and their lengths over a weight."""
    angle = np.arctan2(sums[:, 1], sums[:, 0]) / (2 * np.pi)
    return angle, np.hypot(sums[:, 0], sums[:, 1]) / np.maximum(weight, 1e-9)


def inside(picture: Picture) -> tuple[Doubles, Doubles, Doubles]:
    """Return mean and deviation of the value, and mean saturation, of each candidate, 0 to 1."""
    parts = picture.parts
    value = picture.value[parts.y, parts.x].astype(np.int64)
    mean = parts.sums(value) / parts.area
    spread = np.maximum(parts.sums(value**2) / parts.area - mean**2, 0)
    saturation = parts.sums(picture.saturation[parts.y, parts.x].astype(np.float64)) / parts.area
    return mean / 255, np.sqrt(spread) / 255, saturation
