"""Stain normalisation by two stain vectors in optical density (Macenko et al., ISBI 2009)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .optics import CLEAR, density_table, optical_density, recolour
from .references import Reference, Vector, as_tuples

SPREAD = 1.0
"""The stain vectors are the directions at this percentile from either end."""

FULL = 99.0
"""Percentile of the concentration that is mapped to the reference's."""

APART_DEGREES = 6.0
"""Stain vectors closer than this are one stain."""


@dataclass(frozen=True)
class Macenko:
    """A linear map of optical densities: this slide's two stains to the reference's.

    Parameters
    ----------
    reference : Reference
        Whose stains and concentrations are the goal.
    white : (3,) float
        Grey value of this slide's glass; it stays as it is.
    stains : ((3,), (3,)) float
        Unit vectors of haematoxylin and eosin in this slide.
    concentrations : (2,) float
        99th percentile of their concentrations in this slide.

    Examples
    --------
    >>> from napari_steatosis.imaging.references import reference_named
    >>> he = reference_named("he")
    >>> same = Macenko(he, (245.0, 245.0, 245.0), he.stains, he.concentrations)
    >>> same.apply(np.uint8([[250, 245, 246]])).tolist()
    [[250, 245, 246]]
    """

    reference: Reference
    white: Vector
    stains: tuple[Vector, Vector]
    concentrations: Vector

    name = "macenko"

    @classmethod
    def fit(cls, pixels: NDArray[np.uint8], white: Vector, reference: Reference) -> Macenko:
        """Fit to ``(n, 3) uint8`` tissue pixels.

        Raises
        ------
        BadValueError
            Where the pixels do not hold two stains.
        """
        density = optical_density(pixels, white).astype(np.float64)
        density = density[density.max(1) >= CLEAR]
        stains = _stain_vectors(density)
        amounts = density @ np.linalg.pinv(stains)
        concentrations = np.percentile(amounts, FULL, axis=0)
        if not (concentrations > 0.05).all():
            raise BadValueError(
                f"The concentrations of the two stains are {concentrations.round(3).tolist()}: "
                f"one of them is missing. Check that the slide is stained with H&E."
            )
        return cls(reference, white, _pair(stains), tuple(map(float, concentrations)))

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map ``(..., 3) uint8`` to the colours of the reference; white stays as it is."""
        table, matrix = self._table, self._matrix
        white = np.asarray(self.white, np.float32)[:, None]

        def change(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            density = np.empty(pixels.shape, np.float32)
            for channel in range(3):
                table[channel].take(pixels[channel], out=density[channel], mode="clip")
            light = matrix @ density
            np.exp(light, out=light)
            return np.multiply(light, white, out=light)

        return recolour(rgb, self.white, change)

    def to_json(self) -> dict[str, Any]:
        """Return the fitted parameters as plain values."""
        return {
            "method": self.name,
            "version": 1,
            "reference": asdict(self.reference),
            "white": self.white,
            "stains": self.stains,
            "concentrations": self.concentrations,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Macenko:
        """Return the transform that `to_json` described."""
        own = {name: as_tuples(values[name]) for name in ("white", "stains", "concentrations")}
        return cls(Reference.from_json(values["reference"]), **own)

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        return density_table(self.white)

    @cached_property
    def _matrix(self) -> NDArray[np.float32]:
        """Maps a column of densities to minus the densities in the reference's stains."""
        scale = np.divide(self.reference.concentrations, self.concentrations)
        unmix = np.linalg.pinv(np.asarray(self.stains))
        return -(unmix @ np.diag(scale) @ np.asarray(self.reference.stains)).T.astype(np.float32)


def _stain_vectors(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors ``(2, 3)`` of haematoxylin and eosin."""
    _, axes = np.linalg.eigh(np.cov(density, rowvar=False))
    plane = axes[:, [2, 1]]
    plane = plane * np.where(plane.sum(0) < 0, -1, 1)
    first, second = (density @ plane).T
    low, high = np.percentile(np.arctan2(second, first), (SPREAD, 100 - SPREAD))
    stains = np.array([[np.cos(a), np.sin(a)] for a in (low, high)]) @ plane.T
    stains = stains[np.argsort(-stains[:, 0])]  # haematoxylin absorbs more red than eosin
    apart = float(np.degrees(high - low))
    if apart < APART_DEGREES or stains.min() < -0.3 or (stains.sum(1) <= 0).any():
        raise BadValueError(
            f"No two stains were found: the directions of colour are {apart:.1f} degrees apart "
            f"({stains.round(2).tolist()}), an H&E slide has 15 to 50. Choose stain 'none' or "
            f"'reinhard', or check that this is an H&E slide in RGB order."
        )
    return stains


def _pair(stains: NDArray[np.float64]) -> tuple[Vector, Vector]:
    first, second = (tuple(float(value) for value in row) for row in stains)
    return first, second
