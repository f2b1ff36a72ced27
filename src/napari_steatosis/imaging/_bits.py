"""Yes/no maps as bits: an eighth of the memory while they wait."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STRIP_PX = 1 << 22
"""Pixels that are unpacked at a time."""


def as_bits(values: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return ``(y, ceil(x / 8)) uint8``."""
    return np.packbits(values, axis=1)


def from_bits(bits: NDArray[np.uint8], into: NDArray[np.bool_], *, add: bool = False) -> None:
    """Write bits into a map, or add them to what it holds.

    Examples
    --------
    >>> values = np.array([[True, False, False]])
    >>> from_bits(as_bits(np.array([[False, False, True]])), values, add=True)
    >>> values.tolist()
    [[True, False, True]]
    """
    height, width = into.shape
    rows = max(1, STRIP_PX // width)
    for y in range(0, height, rows):
        part = np.unpackbits(bits[y : y + rows], axis=1, count=width).view(bool)
        into[y : y + rows] = into[y : y + rows] | part if add else part
