"""Stain normalisation by two stain vectors in optical density (Macenko et al., ISBI 2009)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .references import Reference
from .stain_method import Method
from .stain_sample import StainSample
from .two_stains import TwoStains, two_stains

SPREAD = 1.0
"""The stain vectors are the directions at this percentile from either end."""

APART_DEGREES = 6.0
"""Stain vectors closer than this are one stain."""


def fit(sample: StainSample, reference: Reference) -> TwoStains:
    """Find the stains of a slide as the extreme directions of its optical densities.

    Raises
    ------
    BadValueError
        Where the pixels do not hold two stains.
    """
    return two_stains("macenko", stain_vectors(sample.density), sample, reference)


MACENKO = Method(fit, TwoStains)
"""The row of `STAINS`."""


def stain_vectors(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors ``(2, 3)`` of haematoxylin and eosin from densities ``(n, 3)``.

    Raises
    ------
    BadValueError
        Where there are no two directions.
    """
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
