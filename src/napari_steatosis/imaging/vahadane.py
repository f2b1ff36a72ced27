"""Stain normalisation by sparse non-negative factors (Vahadane et al., IEEE TMI 2016, 35:1962)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .macenko import APART_DEGREES, stain_vectors
from .references import Reference
from .stain_findings import degrees
from .stain_method import Method
from .stain_sample import StainSample
from .two_stains import TwoStains, two_stains

SPARSITY = 0.02
"""Weight of the sum of amounts beside half the squared error. The publication's 0.1 draws both
vectors towards the mean colour; with this, a published result of TIAToolbox is met."""

ENOUGH_PX = 20_000
"""Pixels that the stains are found from; more do not move them."""

ROUNDS, STILL = 300, 1e-5
"""Alternations at most; they end when no component moves by more than the second."""


def fit(sample: StainSample, reference: Reference) -> TwoStains:
    """Find the stains of a slide as those that need the least stain to explain it.

    Raises
    ------
    BadValueError
        Where the pixels do not hold two stains, or the reference was not measured so.
    """
    stains = sparse_vectors(sample.density)
    return two_stains("vahadane", stains, sample, reference.as_sparse())


VAHADANE = Method(fit, TwoStains)
"""The row of `STAINS`."""


def sparse_vectors(density: NDArray[np.float64], sparsity: float = SPARSITY) -> NDArray[np.float64]:
    """Return unit vectors ``(2, 3)`` of haematoxylin and eosin from densities ``(n, 3)``.

    Amounts and vectors, none below 0, are improved in turn from the vectors of Macenko's
    method on: the amounts exactly, each vector by the step of Mairal et al. (JMLR 2010, 11:19).
    Nothing is random, so the same pixels give the same vectors.

    Raises
    ------
    BadValueError
        Where there are no two directions.
    """
    stains = _unit(stain_vectors(density))
    density = density[:: -(-len(density) // ENOUGH_PX)]
    for _ in range(ROUNDS):
        before, amounts = stains.copy(), _sparse_amounts(density, stains, sparsity)
        within, across = amounts.T @ amounts, amounts.T @ density
        for stain in range(2):
            if within[stain, stain] > 0:
                step = (across[stain] - within[stain] @ stains) / within[stain, stain]
                stains[stain] = _unit(stains[stain] + step)
        if np.abs(stains - before).max() < STILL:
            break
    apart = degrees(*stains)
    if apart < APART_DEGREES:
        raise BadValueError(
            f"No two stains were found: the sparse factors are {apart:.1f} degrees apart "
            f"({stains.round(2).tolist()}), an H&E slide has 15 to 50. Choose 'reinhard', or "
            f"check that this is an H&E slide in RGB order."
        )
    return stains[np.argsort(-stains[:, 0])]


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return vectors of length 1 without components below 0."""
    positive = np.clip(vectors, 1e-6, None)
    return positive / np.linalg.norm(positive, axis=-1, keepdims=True)


def _sparse_amounts(
    density: NDArray[np.float64], stains: NDArray[np.float64], sparsity: float
) -> NDArray[np.float64]:
    """Return the ``(n, 2)`` amounts of least cost: for two stains they can be written down.

    Where the free solution has an amount below 0, that amount is 0 and the other is its own
    projection.
    """
    pull = density @ stains.T - sparsity
    free = pull @ np.linalg.inv(stains @ stains.T)
    alone = np.clip(pull, 0, None)
    first = np.where(free[:, 1] < 0, alone[:, 0], free[:, 0])
    second = np.where(free[:, 0] < 0, alone[:, 1], free[:, 1])
    return np.stack([np.where(free[:, 0] < 0, 0, first), np.where(free[:, 1] < 0, 0, second)], 1)
