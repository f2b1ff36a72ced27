"""A slide's two stains turned into those of a reference: one linear map of optical density."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError
from .colour_table import table_of
from .optics import combined, density_table, recolour
from .references import Reference, Vector, pair_of
from .stain_findings import MOST, of_factors, of_vectors
from .stain_method import as_json
from .stain_sample import StainSample

FULL = 99.0
"""Percentile of the concentration that is mapped to the reference's."""

LEAST = 0.05
"""Concentrations below this, optical density, are no stain."""


@dataclass(frozen=True)
class TwoStains:
    """A linear map of optical densities: this slide's two stains to the reference's.

    Parameters
    ----------
    name : str
        Method by which the stains were found.
    reference : Reference
        Whose stains and concentrations are the goal.
    white : (3,) float
        Grey value of this slide's glass; it stays as it is.
    stains : ((3,), (3,)) float
        Unit vectors of haematoxylin and eosin in this slide.
    concentrations : (2,) float
        99th percentile of their concentrations in this slide.
    spares_white : bool
        Whether white pixels pass unchanged. Without it the map is that of the publications.

    Examples
    --------
    >>> from napari_steatosis.imaging.references import reference_named
    >>> he = reference_named("he")
    >>> same = TwoStains("macenko", he, (245.0, 245.0, 245.0), he.stains, he.concentrations)
    >>> same.apply(np.uint8([[250, 245, 246]])).tolist()
    [[250, 245, 246]]
    """

    name: str
    reference: Reference
    white: Vector
    stains: tuple[Vector, Vector]
    concentrations: Vector
    spares_white: bool = True

    @property
    def findings(self) -> tuple[str, ...]:
        """What is suspicious about the fit."""
        goal = self.reference
        return (
            *of_vectors(self.stains, goal.stains, goal.name, self.name),
            *of_factors(self._factors, ("haematoxylin", "eosin"), goal.name),
        )

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map ``(..., 3) uint8`` to the colours of the reference; white stays as it is."""
        return table_of(self).apply(rgb)

    def exact(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Compute what `apply` looks up, pixel by pixel."""
        table, matrix = self._table, self._matrix
        white = np.asarray(self.white, np.float32)[:, None]

        def change(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            density = np.empty(pixels.shape, np.float32)
            for channel in range(3):
                table[channel].take(pixels[channel], out=density[channel], mode="clip")
            light = combined(matrix, density)
            np.exp(light, out=light)
            return np.multiply(light, white, out=light)

        return recolour(rgb, self.white, change, spare_white=self.spares_white)

    def to_json(self) -> dict[str, Any]:
        """Return the fitted parameters as plain values."""
        return as_json(self)

    @property
    def _factors(self) -> NDArray[np.float64]:
        """By how much each concentration must grow."""
        return np.divide(self.reference.concentrations, self.concentrations)

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        return density_table(self.white)

    @cached_property
    def _matrix(self) -> NDArray[np.float32]:
        """Maps a column of densities to minus the densities in the reference's stains."""
        scale = np.clip(self._factors, 1 / MOST, MOST)
        unmix = np.linalg.pinv(np.asarray(self.stains))
        return -(unmix @ np.diag(scale) @ np.asarray(self.reference.stains)).T.astype(np.float32)


def two_stains(
    name: str, stains: ArrayLike, sample: StainSample, reference: Reference
) -> TwoStains:
    """Return the transform of a slide whose stain vectors are known.

    Raises
    ------
    BadValueError
        Where there is next to nothing of one of them.
    """
    pair = pair_of(stains)
    amounts = sample.density @ np.linalg.pinv(np.asarray(pair))
    concentrations = np.percentile(amounts, FULL, axis=0)
    if not (concentrations > LEAST).all():
        raise BadValueError(
            f"The concentrations of the two stains are {concentrations.round(3).tolist()}: one of "
            f"them is missing. Check that the slide is stained with H&E."
        )
    return TwoStains(name, reference, sample.white, pair, tuple(map(float, concentrations)))
