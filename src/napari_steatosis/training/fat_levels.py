"""How many pixels with and without fat have which probability of it: all that a threshold needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEVELS = 1000
"""Steps of the probability; a threshold is a whole number of them."""


def count_levels(
    chance: NDArray[np.float32], truth: NDArray[np.bool_], judged: NDArray[np.bool_]
) -> NDArray[np.int32]:
    """Return how many judged pixels have each level of probability.

    Parameters
    ----------
    chance : (y, x) float32
        Probability of fat.
    truth, judged : (y, x) bool
        Where there is fat, and which pixels count.

    Returns
    -------
    (2, level) int32
        Without fat and with it; level k holds probabilities from k / `LEVELS` on.

    Examples
    --------
    >>> found = count_levels(
    ...     np.array([[0.2, 1.0]]), np.array([[False, True]]), np.ones((1, 2), bool)
    ... )
    >>> np.argwhere(found).tolist()
    [[0, 200], [1, 999]]
    """
    level = np.minimum(np.floor(chance.astype(np.float64) * LEVELS + 1e-6), LEVELS - 1)
    joint = (truth * LEVELS + level.astype(np.int64))[judged]
    return np.bincount(joint, minlength=2 * LEVELS).reshape(2, LEVELS).astype(np.int32)
