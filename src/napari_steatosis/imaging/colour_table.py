"""Any map from colour to colour, fast: each colour is computed once and looked up ever after."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

COLOURS = 1 << 24
"""All colours of 8 bits per channel."""

READY = 1 << 24
"""Entries from this on are computed; below the mark are red, green and blue, a byte each."""

CHUNK = 1 << 15
"""Pixels that are looked up at a time, so that the temporaries stay in the cache."""

TOGETHER = 1 << 15
"""From so many pixels on, those whose colour is new are computed; few at a time cost more."""


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
        self._computing = Lock()

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Map ``(..., 3) uint8`` to the same shape."""
        flat = np.ascontiguousarray(rgb).reshape(-1)
        out = np.empty((len(flat) // 3, 3), np.uint8)
        packed = np.zeros(3 * CHUNK + 1, np.uint8)
        # Four bytes at every third one: a colour, and one byte of the next that is masked.
        wide = np.ndarray((CHUNK,), "<u4", packed, strides=(3,))
        index = np.empty(CHUNK, np.intp)
        found = np.empty(CHUNK, "<u4")
        new = _New(out)
        for start in range(0, len(out), CHUNK):
            count = min(CHUNK, len(out) - start)
            packed[: 3 * count] = flat[3 * start : 3 * (start + count)]
            index[:count] = wide[:count]
            index &= COLOURS - 1
            self._table.take(index[:count], out=found[:count], mode="clip")
            channels = found[:count].view(np.uint8).reshape(count, 4)
            for channel in range(3):
                out[start : start + count, channel] = channels[:, channel]
            if found[:count].min() < READY:
                new.add(start, index[:count], np.flatnonzero(found[:count] < READY))
            if new.count >= TOGETHER:
                new.settle(self._computed)
        new.settle(self._computed)
        return out.reshape(rgb.shape)

    def _computed(self, index: NDArray[np.intp]) -> NDArray[np.uint32]:
        """Compute entries, each once however often it is asked for, and return them."""
        with self._computing:
            # Of those that number the same entry, the last one is found there.
            numbers = np.arange(len(index), dtype="<u4")
            self._table[index] = numbers
            once = index[self._table[index] == numbers]
            rgb = once.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :3]
            values = np.ones((len(once), 4), np.uint8)
            values[:, :3] = self._colours.exact(np.ascontiguousarray(rgb))
            self._table[once] = values.view("<u4")[:, 0]
            return self._table[index]


class _New:
    """Pixels of an image whose colours are not in the table yet.

    Parameters
    ----------
    out : (n, 3) uint8
        Where their colours go.
    """

    def __init__(self, out: NDArray[np.uint8]) -> None:
        self._out = out
        self._places: list[NDArray[np.intp]] = []
        self._index: list[NDArray[np.intp]] = []
        self.count = 0

    def add(self, start: int, index: NDArray[np.intp], new: NDArray[np.intp]) -> None:
        """Take note of some pixels of a chunk that begins at `start`."""
        self._places.append(start + new)
        self._index.append(index[new])
        self.count += len(new)

    def settle(self, computed: Callable[[NDArray[np.intp]], NDArray[np.uint32]]) -> None:
        """Give all of them their colours, and forget them."""
        if self.count:
            values = computed(np.concatenate(self._index))
            colours = values.view(np.uint8).reshape(-1, 4)[:, :3]
            self._out[np.concatenate(self._places)] = colours
            self._places.clear()
            self._index.clear()
            self.count = 0


@lru_cache(maxsize=4)
def table_of(colours: ColourMap) -> ColourTable:
    """Return the table of a map; equal maps share one, and the last four are kept."""
    return ColourTable(colours)
