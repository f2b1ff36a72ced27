"""Colour deconvolution: how much of each stain a pixel holds (Ruifrok & Johnston, 2001)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError, UnknownNameError
from ..core.stain import StainTransform
from .optics import WHITE, density_table, rgb_of_density
from .references import Vector
from .two_stains import TwoStains

CHUNK = 1 << 16
"""Pixels that are separated at a time, so that the temporaries stay in the cache."""

WELL_APART = 0.02
"""Least singular value of a usable set of unit vectors: below it noise is multiplied by 50."""


@dataclass(frozen=True)
class StainSeparation:
    """Two or three stains as directions of optical density.

    Amounts are least squares in optical density (natural logarithm, relative to white): what
    two stains do not explain is left out, as with the residual channel of the publication;
    three explain everything.

    Parameters
    ----------
    names : tuple of str
        What the stains are called, two or three.
    vectors : tuple of (3,) float
        Optical density of red, green and blue of each; scaled to length 1.
    white : (3,) float
        Grey value of unstained glass.

    Raises
    ------
    BadValueError
        Where names and vectors do not match, or two vectors are one direction.

    Examples
    --------
    >>> stains = separation("H&E", white=(255, 255, 255))
    >>> stains.names
    ('haematoxylin', 'eosin')
    >>> stains.amounts(stains.rgb_of(1, np.float32([0.8]))).round(1).ravel()
    array([0. , 0.8], dtype=float32)
    """

    names: tuple[str, ...]
    vectors: tuple[Vector, ...]
    white: Vector = WHITE

    def __post_init__(self) -> None:
        given = np.asarray(self.vectors, np.float64)
        if given.shape not in ((2, 3), (3, 3)) or len(self.names) != len(given):
            raise BadValueError(
                f"A separation needs two or three vectors of three numbers with a name each, got "
                f"{self.names!r} and {self.vectors!r}."
            )
        lengths = np.linalg.norm(given, axis=1, keepdims=True)
        if not (np.isfinite(given).all() and (lengths > 0).all()):
            raise BadValueError(f"Stain vectors must be finite and not 0, got {self.vectors!r}.")
        unit = given / lengths
        if np.linalg.svd(unit, compute_uv=False)[-1] < WELL_APART:
            raise BadValueError(
                f"The vectors of {', '.join(self.names)} are nearly one direction or one plane of "
                f"colours ({unit.round(3).tolist()}): their amounts cannot be told apart. Leave "
                f"one out."
            )
        white = np.asarray(self.white, np.float64)
        if white.shape != (3,) or not ((white >= 1) & (white <= 255)).all():
            raise BadValueError(f"White must be three grey values of 1 to 255, got {self.white!r}.")
        object.__setattr__(self, "vectors", tuple(tuple(map(float, row)) for row in unit))
        object.__setattr__(self, "white", tuple(map(float, white)))

    def amounts(self, rgb: NDArray[np.uint8], *, non_negative: bool = False) -> NDArray[np.float32]:
        """Return how much of each stain every pixel holds.

        Parameters
        ----------
        rgb : (..., 3) uint8
            Pixels.
        non_negative : bool
            Least squares with no amount below 0, exactly. Without it, an amount is below 0
            where a pixel's colour lies outside those that the stains can mix.

        Returns
        -------
        (stain, ...) float32
            1 is an optical density of 1 (natural logarithm) along the stain's unit vector.
        """
        pixels = np.ascontiguousarray(rgb).reshape(-1, 3)
        found = np.empty((len(self.vectors), len(pixels)), np.float32)
        table, unmix = density_table(self.white), self._unmix(range(len(self.vectors)))
        for start in range(0, len(pixels), CHUNK):
            part = pixels[start : start + CHUNK]
            density = np.stack([table[c].take(part[:, c], mode="clip") for c in range(3)])
            mixed = unmix @ density
            if non_negative:
                below = np.flatnonzero((mixed < 0).any(axis=0))
                mixed[:, below] = self._not_below_0(density[:, below])
            found[:, start : start + CHUNK] = mixed
        return found.reshape(len(self.vectors), *rgb.shape[:-1])

    def rgb_of(self, index: int, amounts: ArrayLike) -> NDArray[np.uint8]:
        """Return the colour of amounts of one stain alone, on white.

        Parameters
        ----------
        index : int
            Which stain, as in `names`.
        amounts : (...) float
            As `amounts` gives them.

        Returns
        -------
        (..., 3) uint8
        """
        thick = np.asarray(amounts, np.float64)[..., None]
        return rgb_of_density(thick * np.asarray(self.vectors[index]), self.white)

    def _unmix(self, stains: Any) -> NDArray[np.float32]:
        """Return the matrix from densities to amounts of some of the stains."""
        vectors = np.asarray([self.vectors[stain] for stain in stains])
        return np.linalg.pinv(vectors.T).astype(np.float32)

    def _not_below_0(self, density: NDArray[np.float32]) -> NDArray[np.float32]:
        """Solve non-negative least squares: the best of the subsets that need no amount below 0."""
        vectors = np.asarray(self.vectors, np.float32)
        count = len(vectors)
        best = np.zeros((count, density.shape[1]), np.float32)
        least = (density**2).sum(axis=0)
        for size in range(1, count + 1):
            for stains in combinations(range(count), size):
                tried = np.zeros_like(best)
                tried[list(stains)] = self._unmix(stains) @ density
                error = ((density - vectors.T @ tried) ** 2).sum(axis=0)
                better = (tried >= 0).all(axis=0) & (error < least)
                best[:, better], least[better] = tried[:, better], error[better]
        return best


SIRIUS_RED, PICRIC_ACID = (0.2395, 0.7119, 0.6602), (0.3361, 0.2085, 0.9185)

SEPARATIONS = {
    "H&E": (("haematoxylin", "eosin"), ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11))),
    "haematoxylin-DAB": (("haematoxylin", "DAB"), ((0.65, 0.70, 0.29), (0.27, 0.57, 0.78))),
    "Masson trichrome": (
        ("methyl blue", "ponceau fuchsin", "iron haematoxylin"),
        (
            (0.7995107, 0.5913521, 0.10528667),
            (0.09997159, 0.73738605, 0.6680326),
            (1.0, 1.0, 1.0),
        ),
    ),
    "Sirius red": (("Sirius red", "picric acid"), (SIRIUS_RED, PICRIC_ACID)),
    "Sirius red, haematoxylin": (
        ("Sirius red", "picric acid", "haematoxylin"),
        (SIRIUS_RED, PICRIC_ACID, (0.65, 0.70, 0.29)),
    ),
}
"""Names and vectors of stains, under the names that `guess_stain` gives. Haematoxylin, eosin and
DAB: Ruifrok & Johnston, Anal Quant Cytol Histol 2001, 23:291. Methyl blue and ponceau fuchsin:
G. Landini's Colour Deconvolution for ImageJ (Landini et al., Bioinformatics 2021, 37:1485); iron
haematoxylin is taken for black, as the blue one of H&E lies in the plane of the other two. Sirius
red and picric acid: the extreme directions (Macenko's method) of one tile of liver stained with
picrosirius red, by `benchmarks/stain_references.py`."""


def separation(of: str | StainTransform, *, white: ArrayLike = WHITE) -> StainSeparation:
    """Return the separation of a stain by its name, or into the stains that a slide was fitted.

    Parameters
    ----------
    of : str or StainTransform
        Row of `SEPARATIONS` ("H&E", "haematoxylin-DAB", "Masson trichrome", ...), or what
        `fit_stain` gave with a method that finds stains ("macenko", "vahadane", "matrix").
    white : (3,) float
        Grey value of unstained glass; a transform brings its own.

    Raises
    ------
    UnknownNameError
        Where there is no such name.
    BadValueError
        Where the transform knows no stains.

    Examples
    --------
    >>> separation("Masson trichrome").names
    ('methyl blue', 'ponceau fuchsin', 'iron haematoxylin')
    """
    if not isinstance(of, str):
        if not isinstance(of, TwoStains):
            raise BadValueError(
                f"Method {of.name!r} fits no stain vectors. Fit the slide with 'macenko' or "
                f"'vahadane', or separate by name: {', '.join(SEPARATIONS)}."
            )
        return StainSeparation(("haematoxylin", "eosin"), of.stains, of.white)
    if of not in SEPARATIONS:
        raise UnknownNameError(
            f"There is no separation named {of!r}. Known: {', '.join(SEPARATIONS)}."
        )
    names, vectors = SEPARATIONS[of]
    red, green, blue = np.asarray(white, np.float64)
    return StainSeparation(names, vectors, (float(red), float(green), float(blue)))
