"""Light and stain: optical density by lookup table, relative to the slide's own white."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

WHITE = (245.0, 245.0, 245.0)
"""Taken for the white of a slide that shows none (a tile full of tissue)."""

BRIGHT = 200
"""Glass is at least this bright in every channel ..."""

NEUTRAL = 20
"""... and its channels differ by at most this much."""


def density_table(white: ArrayLike = WHITE) -> NDArray[np.float32]:
    """Return the optical density of every grey value, one row per channel.

    The density is ``-ln(value / white)`` (Beer-Lambert, natural logarithm); 0 counts as 1, and
    pixels brighter than white have density 0.

    Parameters
    ----------
    white : (3,) float
        Grey value of unstained glass in red, green and blue.

    Returns
    -------
    (3, 256) float32

    Examples
    --------
    >>> density_table((255, 255, 255))[0, [0, 94, 255]].round(2).tolist()
    [5.54, 1.0, 0.0]
    """
    values = np.maximum(np.arange(256, dtype=np.float64), 1)
    density = -np.log(values[None, :] / np.asarray(white, np.float64)[:, None])
    return np.clip(density, 0, None).astype(np.float32)


def optical_density(rgb: NDArray[np.uint8], white: ArrayLike = WHITE) -> NDArray[np.float32]:
    """Return the optical density of ``(..., 3) uint8`` pixels, same shape, float32.

    Examples
    --------
    >>> optical_density(np.uint8([[[245, 245, 90]]])).round(2).tolist()
    [[[0.0, 0.0, 1.0]]]
    """
    table = density_table(white)
    return np.stack([table[channel][rgb[..., channel]] for channel in range(3)], axis=-1)


def rgb_of_density(density: ArrayLike, white: ArrayLike = WHITE) -> NDArray[np.uint8]:
    """Return the ``(..., 3) uint8`` colour of an optical density: ``white * exp(-density)``.

    Examples
    --------
    >>> rgb_of_density([0.0, 0.0, 1.0]).tolist()
    [245, 245, 90]
    """
    light = np.asarray(white, np.float64) * np.exp(-np.asarray(density, np.float64))
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)


def white_level(rgb: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Estimate the grey value of unstained glass from pixels of a slide.

    Bright neutral pixels are glass, lumina and droplets; the 90th percentile of each channel
    among them lets pale cytoplasm pull it down no more than noise pulls it up. Where fewer
    than 1 in 1000 pixels qualify, `WHITE` is returned.

    Parameters
    ----------
    rgb : (..., 3) uint8
        Pixels from all over the slide.
    """
    pixels = rgb.reshape(-1, 3)
    low, high = pixels.min(1), pixels.max(1)
    glass = pixels[(low >= BRIGHT) & (high - low <= NEUTRAL)]
    if len(glass) * 1000 < len(pixels):
        return WHITE
    red, green, blue = np.percentile(glass, 90, axis=0)
    return float(red), float(green), float(blue)
