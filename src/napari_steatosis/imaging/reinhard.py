"""Stain normalisation by the mean and spread of colour (Reinhard et al., IEEE CG&A 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .colour_table import table_of
from .optics import combined, recolour
from .references import Reference, Vector
from .stain_findings import MOST, of_colour, of_factors
from .stain_method import Method, as_json
from .stain_sample import StainSample

# sRGB (D65) to X, Y, Z divided by the white point, IEC 61966-2-1.
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
XYZ /= XYZ.sum(1, keepdims=True)

# f(X), f(Y), f(Z) to L, a, b (CIE 1976), without the constant -16 of L.
LAB = np.array([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])


FORTH, BACK = XYZ.astype(np.float32), np.linalg.inv(XYZ).astype(np.float32)


@dataclass(frozen=True)
class Reinhard:
    """A shift and stretch of L, a and b: this slide's tissue to the reference's.

    Parameters
    ----------
    reference : Reference
        Whose mean and spread are the goal.
    white : (3,) float
        Grey value of this slide's glass; it stays as it is.
    mean, spread : (3,) float
        Mean and standard deviation of L, a, b over this slide's tissue.
    spares_white : bool
        Whether white pixels pass unchanged. Without it the map is that of the publication.

    Examples
    --------
    >>> from napari_steatosis.imaging.references import reference_named
    >>> he = reference_named("he")
    >>> same = Reinhard(he, (245.0, 245.0, 245.0), he.mean, he.spread)
    >>> same.apply(np.uint8([[250, 245, 246]])).tolist()
    [[250, 245, 246]]
    """

    reference: Reference
    white: Vector
    mean: Vector
    spread: Vector
    spares_white: bool = True

    name = "reinhard"

    @property
    def findings(self) -> tuple[str, ...]:
        """What is suspicious about the fit."""
        goal = self.reference
        return (
            *of_colour(self.mean, goal.mean, goal.name),
            *of_factors(self._factors, [f"spread of {part}" for part in "Lab"], goal.name),
        )

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map ``(..., 3) uint8`` to the colours of the reference; white stays as it is."""
        return table_of(self).apply(rgb)

    def exact(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Compute what `apply` looks up, pixel by pixel."""
        linear, (matrix, offset) = self._linear, self._shift
        white = np.asarray(self.white, np.float32)[:, None]

        def change(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            light = np.empty(pixels.shape, np.float32)
            for channel in range(3):
                linear[channel].take(pixels[channel], out=light[channel], mode="clip")
            root = combined(matrix, _root(combined(FORTH, light))) + offset
            return white * _display(np.clip(combined(BACK, _unroot(root)), 0, 1))

        return recolour(rgb, self.white, change, spare_white=self.spares_white)

    def to_json(self) -> dict[str, Any]:
        """Return the fitted parameters as plain values."""
        return as_json(self)

    @property
    def _factors(self) -> NDArray[np.float64]:
        """By how much the spread of L, a and b must grow."""
        return np.divide(self.reference.spread, self.spread)

    @cached_property
    def _linear(self) -> NDArray[np.float32]:
        return linear_table(self.white)

    @cached_property
    def _shift(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The stretch of L, a, b, as a matrix and an offset on f(X), f(Y), f(Z)."""
        mean = np.asarray(self.reference.mean)
        stretch = np.diag(np.clip(self._factors, 1 / MOST, MOST))
        back = np.linalg.inv(LAB)
        constant = np.array([16.0, 0.0, 0.0])
        offset = back @ (mean + constant - stretch @ (np.asarray(self.mean) + constant))
        return (back @ stretch @ LAB).astype(np.float32), offset.astype(np.float32)[:, None]


def fit(sample: StainSample, reference: Reference) -> Reinhard:
    """Measure mean and spread of L, a, b over the stained pixels of a slide.

    Raises
    ------
    BadValueError
        Where the pixels are all of one colour.
    """
    lab = to_lab(sample.stained, sample.white)
    mean, spread = lab.mean(0), lab.std(0)
    if not (spread > 0.5).all():
        raise BadValueError(
            f"The tissue has one colour only (standard deviation of L, a, b "
            f"{spread.round(2).tolist()}): this is not an H&E slide in colour. Choose stain "
            f"'none'."
        )
    return Reinhard(reference, sample.white, tuple(map(float, mean)), tuple(map(float, spread)))


REINHARD = Method(fit, Reinhard)
"""The row of `STAINS`."""


def to_lab(rgb: NDArray[np.uint8], white: Vector) -> NDArray[np.float64]:
    """Return CIE L, a, b (float64) of ``(n, 3) uint8`` pixels, the slide's white as L = 100.

    Examples
    --------
    >>> to_lab(np.uint8([[245, 245, 245]]), (245.0, 245.0, 245.0)).round(3).tolist()
    [[100.0, 0.0, 0.0]]
    """
    table = linear_table(white)
    light = np.stack([table[channel][rgb[:, channel]] for channel in range(3)], axis=-1)
    return _root(light.astype(np.float64) @ XYZ.T) @ LAB.T - np.array([16.0, 0.0, 0.0])


def linear_table(white: Vector) -> NDArray[np.float32]:
    """Return ``(3, 256) float32``: the light of each grey value, 1 at the slide's white."""
    level = np.minimum(np.arange(256)[None, :] / np.asarray(white)[:, None], 1)
    light = np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


def _root(light: NDArray[Any]) -> NDArray[Any]:
    """Return f of CIE 1976: the cube root, and a line near black."""
    low = (6 / 29) ** 3
    return np.where(light > low, np.cbrt(light), light / (3 * (6 / 29) ** 2) + 4 / 29)


def _unroot(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low = np.float32(6 / 29)
    return np.where(values > low, values * values * values, (values - 4 / 29) * (3 * low * low))


def _display(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the display curve of sRGB, 0 to 1."""
    curve = np.float32(1.055) * light ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(light <= 0.0031308, np.float32(12.92) * light, curve)
