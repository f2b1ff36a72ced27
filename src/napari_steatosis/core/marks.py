"""Points that somebody set on an image, each with a label."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Marks:
    """Points that somebody set on an image, each with a label.

    Parameters
    ----------
    places : (n, 2) float64
        (row, column) in px of the image, pixel centres at whole numbers.
    labels : tuple of str
        What each marks, ``"steatosis"``; of the same length.

    Examples
    --------
    >>> Marks(np.zeros((2, 2)), ("fat", "vessel")).classes
    {'fat': 1, 'vessel': 1}
    """

    places: NDArray[np.float64]
    labels: tuple[str, ...]

    @property
    def classes(self) -> dict[str, int]:
        """Label to the number of its points, in order of appearance."""
        return dict(Counter(self.labels))
