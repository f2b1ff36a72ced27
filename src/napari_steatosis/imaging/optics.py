"""Light and stain: optical density by lookup table, relative to the slide's own white."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.geometry import Region
from ..core.plane import Plane

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
    >>> density_table((255, 255, 255))[0, [94, 255]].tolist() == [np.float32(np.log(255 / 94)), 0]
    True
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
    red, green, blue = pixels.T  # pairs are compared many times faster than rows of three
    low = np.minimum(np.minimum(red, green), blue)
    high = np.maximum(np.maximum(red, green), blue)
    glass = pixels[(low >= BRIGHT) & (high - low <= NEUTRAL)]
    if len(glass) * 1000 < len(pixels):
        return WHITE
    white = np.percentile(glass, 90, axis=0)
    return float(white[0]), float(white[1]), float(white[2])


def spread_pixels(plane: Plane) -> NDArray[np.uint8]:
    """Return the pixels of up to 8 x 8 patches of 128 px, spread evenly over a plane.

    Returns
    -------
    (n, 3) uint8
    """
    return np.concatenate(
        [
            plane.read(
                Region(y=y, x=x, height=min(128, plane.height), width=min(128, plane.width))
            ).reshape(-1, 3)
            for y in _spread(plane.height)
            for x in _spread(plane.width)
        ]
    )


def _spread(length: int) -> list[int]:
    count = min(8, -(-length // 128))
    last = max(0, length - 128)
    return [round(i * last / max(1, count - 1)) for i in range(count)]


CHUNK = 1 << 15
"""Pixels that are recoloured at a time, so that the temporaries stay in the cache."""

CLEAR, TINTED = 0.15, 0.35
"""Up to the first density a pixel is white and passes; from the second it is recoloured."""

ALL = np.full((3, 256), 255, np.uint8)
"""Shares of the new colour where white is not spared."""


def recolour(
    rgb: NDArray[np.uint8],
    white: ArrayLike,
    change: Callable[[NDArray[np.uint8]], NDArray[np.float32]],
    *,
    spare_white: bool = True,
) -> NDArray[np.uint8]:
    """Change the colour of stained pixels and leave white ones as they are.

    A pixel whose density is below `CLEAR` in every channel passes unchanged; from there to
    `TINTED` old and new colour are mixed, so that droplets get no rim. Nor does a stained pixel
    become white: its new colour is no paler than the old one, or than `TINTED`.

    Parameters
    ----------
    rgb : (..., 3) uint8
        Any number of pixels.
    white : (3,) float
        Grey value of unstained glass.
    change : callable
        Maps ``(3, n) uint8`` pixels to ``(3, n) float32`` grey values.
    spare_white : bool
        False changes white pixels like all others.

    Returns
    -------
    (..., 3) uint8

    Examples
    --------
    >>> black = lambda pixels: np.zeros(pixels.shape, np.float32)
    >>> recolour(np.uint8([[240, 240, 240], [200, 90, 140]]), WHITE, black).tolist()
    [[240, 240, 240], [0, 0, 0]]
    """
    red, green, blue = np.asarray(white, np.float64)
    tint = _tint_table(red, green, blue) if spare_white else ALL
    pixels = np.ascontiguousarray(rgb).reshape(-1, 3)
    out = np.empty_like(pixels)
    for start in range(0, len(pixels), CHUNK):
        old = np.ascontiguousarray(pixels[start : start + CHUNK].T)
        share = tint[0].take(old[0], mode="clip")
        np.maximum(share, tint[1].take(old[1], mode="clip"), out=share)
        np.maximum(share, tint[2].take(old[2], mode="clip"), out=share)
        if not share.any():
            out[start : start + CHUNK] = old.T
            continue
        new = change(old)
        if spare_white:
            _keep_from_white(new, old, white)
        weight = share * np.float32(1 / 255)
        for channel, before in zip(new, old.astype(np.float32), strict=True):
            channel -= before
            channel *= weight
            channel += before
        new += np.float32(0.5)
        np.maximum(new, 0, out=new)
        np.minimum(new, 255, out=new)
        out[start : start + CHUNK] = new.astype(np.uint8).T
    return out.reshape(rgb.shape)


def combined(matrix: NDArray[np.float32], channels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``matrix @ channels`` for ``(3, n)`` channels, each column for itself.

    The last bit of a matrix product depends on how many columns there are; here it does not, so
    that a colour becomes the same colour in every tile.
    """
    mixed = np.empty_like(channels)
    for row, out in zip(matrix, mixed, strict=True):
        np.multiply(channels[0], row[0], out=out)
        out += row[1] * channels[1]
        out += row[2] * channels[2]
    return mixed


def _keep_from_white(new: NDArray[np.float32], old: NDArray[np.uint8], white: ArrayLike) -> None:
    """Darken new colours that are paler than both the old one and `TINTED`, in place."""
    level = np.asarray(white, np.float32)[:, None]
    before = -np.log((np.maximum(old, 1) / level).min(axis=0))
    after = -np.log((np.maximum(new, 1) / level).min(axis=0))
    new *= np.exp(np.minimum(after - np.minimum(before, TINTED), 0)).astype(np.float32)


@lru_cache(maxsize=8)
def _tint_table(red: float, green: float, blue: float) -> NDArray[np.uint8]:
    rise = np.clip((density_table((red, green, blue)) - CLEAR) / (TINTED - CLEAR), 0, 1)
    return np.rint(255 * rise**2 * (3 - 2 * rise)).astype(np.uint8)
