"""Any map from colour to colour, fast: each colour is computed once and looked up ever after."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

COLOURS = 1 << 24
"""All colours of 8 bits per channel."""

READY = 1 << 24
"""Entries from this on are computed; below the mark are red, green and blue, a byte each."""

CHUNK = 1 << 15
"""Pixels that are looked up at a time, so that the temporaries stay in the cache."""


class ColourMap(Protocol):
    """What is put into a table: a value whose `exact` depends on the colour alone."""

    def exact(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Compute ``(n, 3) uint8`` from ``(n, 3) uint8``."""
        ...

    def __hash__(self) -> int: ...


class ColourTable:
    """The colours that a map gives, filled in as they turn up.

    A slide holds a few hundred thousand of the 16.8 million colours, so almost every pixel is a
    look-up, whatever the formula costs, and the result is that of the formula to the last bit.
    The table is address space of 64 MiB, of which what is used becomes memory. Threads may share
    it: what two of them write to an entry is the same.

    Parameters
    ----------
    colours : ColourMap
        What computes a colour.

    Examples
    --------
    >>> class Negative:
    ...     def exact(self, rgb):
    ...         return 255 - rgb
    >>> ColourTable(Negative()).apply(np.uint8([[[0, 10, 255]]])).tolist()
    [[[255, 245, 0]]]
    """

    def __init__(self, colours: ColourMap) -> None:
        self._colours = colours
        self._table = np.zeros(COLOURS, "<u4")

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map ``(..., 3) uint8`` to the same shape."""
        flat = np.ascontiguousarray(rgb).reshape(-1)
        out = np.empty((len(flat) // 3, 3), np.uint8)
        packed = np.zeros(3 * CHUNK + 1, np.uint8)
        # Four bytes at every third one: a colour, and one byte of the next that is masked.
        wide = np.ndarray((CHUNK,), "<u4", packed, strides=(3,))
        index = np.empty(CHUNK, np.intp)
        found = np.empty(CHUNK, "<u4")
        for start in range(0, len(out), CHUNK):
            count = min(CHUNK, len(out) - start)
            packed[: 3 * count] = flat[3 * start : 3 * (start + count)]
            index[:count] = wide[:count]
            index &= COLOURS - 1
            self._look_up(index[:count], found[:count])
            channels = found[:count].view(np.uint8).reshape(count, 4)
            for channel in range(3):
                out[start : start + count, channel] = channels[:, channel]
        return out.reshape(rgb.shape)

    def _look_up(self, index: NDArray[np.intp], found: NDArray[np.uint32]) -> None:
        self._table.take(index, out=found, mode="clip")
        if found.min() >= READY:
            return
        new = found < READY
        places = index[new]
        rgb = places.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]
        values = np.ones((len(rgb), 4), np.uint8)
        values[:, :3] = self._colours.exact(np.ascontiguousarray(rgb))
        found[new] = values.view("<u4")[:, 0]
        self._table[places] = found[new]


@lru_cache(maxsize=4)
def table_of(colours: ColourMap) -> ColourTable:
    """Return the table of a map; equal maps share one, and the last four are kept."""
    return ColourTable(colours)
