"""Stain normalisation by the mean and spread of colour (Reinhard et al., IEEE CG&A 2001)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .optics import CLEAR, optical_density, recolour
from .references import Reference, Vector, as_tuples

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

STEPS = 4096
"""Entries of the tables of the cube root and of the display curve."""


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

    name = "reinhard"

    @classmethod
    def fit(cls, pixels: NDArray[np.uint8], white: Vector, reference: Reference) -> Reinhard:
        """Fit to ``(n, 3) uint8`` tissue pixels.

        Raises
        ------
        BadValueError
            Where the pixels are all of one colour.
        """
        tissue = pixels[optical_density(pixels, white).max(1) >= CLEAR]
        lab = to_lab(tissue, white)
        mean, spread = lab.mean(0), lab.std(0)
        if not (spread > 0.5).all():
            raise BadValueError(
                f"The tissue has one colour only (standard deviation of L, a, b "
                f"{spread.round(2).tolist()}): this is not an H&E slide in colour. Choose "
                f"stain 'none'."
            )
        return cls(reference, white, tuple(map(float, mean)), tuple(map(float, spread)))

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map ``(..., 3) uint8`` to the colours of the reference; white stays as it is."""
        linear, root, display = linear_table(self.white), _root_table(), self._display
        matrix, offset = self._shift
        forth, back = XYZ.astype(np.float32) * (STEPS - 1), np.linalg.inv(XYZ).astype(np.float32)

        def change(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            light = np.empty(pixels.shape, np.float32)
            for channel in range(3):
                linear[channel].take(pixels[channel], out=light[channel], mode="clip")
            light = matrix @ root.take((forth @ light).astype(np.int32), mode="clip")
            light += offset
            light = back @ _unroot(light)
            light *= STEPS - 1
            np.clip(light, 0, STEPS - 1, out=light)
            index = light.astype(np.int32)
            for channel in range(3):
                display[channel].take(index[channel], out=light[channel], mode="clip")
            return light

        return recolour(rgb, self.white, change)

    def to_json(self) -> dict[str, Any]:
        """Return the fitted parameters as plain values."""
        return {
            "method": self.name,
            "version": 1,
            "reference": asdict(self.reference),
            "white": self.white,
            "mean": self.mean,
            "spread": self.spread,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Reinhard:
        """Return the transform that `to_json` described."""
        own = {name: as_tuples(values[name]) for name in ("white", "mean", "spread")}
        return cls(Reference.from_json(values["reference"]), **own)

    @cached_property
    def _shift(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The stretch of L, a, b, as a matrix and an offset on f(X), f(Y), f(Z)."""
        mean, spread = np.asarray(self.reference.mean), np.asarray(self.reference.spread)
        stretch = np.diag(spread / np.asarray(self.spread))
        back = np.linalg.inv(LAB)
        constant = np.array([16.0, 0.0, 0.0])
        offset = back @ (mean + constant - stretch @ (np.asarray(self.mean) + constant))
        return (back @ stretch @ LAB).astype(np.float32), offset.astype(np.float32)[:, None]

    @cached_property
    def _display(self) -> NDArray[np.float32]:
        """Grey value, per channel, of linear light in `STEPS` steps up to the white."""
        light = np.linspace(0, 1, STEPS)
        curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
        return (np.asarray(self.white)[:, None] * curve).astype(np.float32)


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


def _root(light: NDArray[np.float64]) -> NDArray[np.float64]:
    low = (6 / 29) ** 3
    return np.where(light > low, np.cbrt(light), light / (3 * (6 / 29) ** 2) + 4 / 29)


def _root_table() -> NDArray[np.float32]:
    return _root(np.linspace(0, 1, STEPS)).astype(np.float32)


def _unroot(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low = np.float32(6 / 29)
    return np.where(values > low, values * values * values, (values - 4 / 29) * (3 * low * low))
