"""Stain mixing: a crop in the stains of another training image, in part or whole.

The stains are those that normalisation finds (`napari_steatosis.imaging.macenko`): two vectors
of optical density and their amounts. Where normalisation maps every image to one reference,
mixing maps each to a random one: another image of the training set, or one drawn from the
spread of all of them (as stain augmentation by Tellez et al. 2019; drawn references after Shen
et al. 2022). What the two stains do not explain stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..imaging.macenko import stain_vectors
from ..imaging.optics import CLEAR, optical_density, white_level

SAMPLED_PX = 20_000
"""Pixels of an image that its stains are fitted to."""

FULL = 99.0
"""Percentile of its concentrations that counts as the amount of a stain."""

LEAST = 0.05
"""A stain of a smaller amount is missing."""


@dataclass(frozen=True, eq=False)
class Stains:
    """The stains of one image.

    Parameters
    ----------
    vectors : (2, 3) float
        Unit vectors of optical density of haematoxylin and eosin.
    amounts : (2,) float
        99th percentile of their concentrations.
    """

    vectors: NDArray[np.float64]
    amounts: NDArray[np.float64]


def stains_of(image: NDArray[np.uint8]) -> Stains | None:
    """Return the stains of an image; None where it does not show two.

    Parameters
    ----------
    image : (y, x, 3) uint8
        RGB.
    """
    pixels = image.reshape(-1, 3)
    pixels = pixels[:: max(1, len(pixels) // SAMPLED_PX)]
    density = optical_density(pixels, white_level(pixels)).astype(np.float64)
    density = density[density.max(1) >= CLEAR]
    if len(density) < 100:
        return None
    try:
        vectors = stain_vectors(density)
    except (BadValueError, np.linalg.LinAlgError):
        return None
    amounts = np.percentile(density @ np.linalg.pinv(vectors), FULL, axis=0)
    return Stains(vectors, amounts) if (amounts > LEAST).all() else None


class StainPool:
    """The stains of the training images, to draw from.

    Parameters
    ----------
    images : iterable of (y, x, 3) uint8
        All training images.

    Examples
    --------
    >>> pool = StainPool([np.full((8, 8, 3), 240, np.uint8)])
    >>> pool.mixing(0, np.random.default_rng(0)) is None
    True
    """

    def __init__(self, images: Iterable[NDArray[np.uint8]]) -> None:
        self.own = [stains_of(image) for image in images]
        self.known = [stains for stains in self.own if stains is not None]

    def mixing(self, number: int, rng: np.random.Generator) -> NDArray[np.float64] | None:
        """Return a matrix on optical densities, as rows, that changes the stains of an image.

        Parameters
        ----------
        number : int
            Place of the image in the training set.
        rng : numpy.random.Generator
            Draws the goal, another image or a random reference, and how far the way to it.

        Returns
        -------
        (3, 3) float, or None where the image does not show two stains
        """
        own = self.own[number]
        if own is None:
            return None
        other = self.known[int(rng.integers(len(self.known)))]
        if rng.random() < 0.5:
            other = drawn(self.known, rng)
        share = rng.uniform()
        goal = share * other.vectors + (1 - share) * own.vectors
        goal /= np.linalg.norm(goal, axis=1, keepdims=True)
        gain = (other.amounts / own.amounts) ** share
        return remixing(own.vectors, goal, gain)


def drawn(known: Sequence[Stains], rng: np.random.Generator) -> Stains:
    """Return stains that no image has: from the mean and the spread of those that are known."""
    vectors = np.stack([stains.vectors for stains in known])
    amounts = np.log([stains.amounts for stains in known])
    vector = np.abs(rng.normal(vectors.mean(0), vectors.std(0)))
    return Stains(
        vector / np.linalg.norm(vector, axis=1, keepdims=True),
        np.exp(rng.normal(amounts.mean(0), amounts.std(0))),
    )


def remixing(
    own: NDArray[np.float64], goal: NDArray[np.float64], gain: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the matrix that maps densities of some stains to those of others.

    Parameters
    ----------
    own, goal : (2, 3) float
        Unit vectors.
    gain : (2,) float
        Factor on each amount.

    Returns
    -------
    (3, 3) float
        To be multiplied from the right with densities as rows.

    Examples
    --------
    >>> own = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    >>> goal = np.array([[0, 1.0, 0], [1.0, 0, 0]])
    >>> (np.array([1.0, 0, 0.5]) @ remixing(own, goal, np.array([2.0, 1.0]))).tolist()
    [0.0, 2.0, 0.5]
    """
    change: NDArray[np.float64] = np.linalg.pinv(own) @ (gain[:, None] * goal - own)
    return np.eye(3) + change
