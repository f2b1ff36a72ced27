"""Decoded tiles of one open file, kept for the reads that come next."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np
from numpy.typing import NDArray

KEPT_BYTES = 64 * 2**20
"""Decoded tiles kept per open file, bytes: halos of neighbouring reads share them."""


class DecodedTiles:
    """The tiles that were used last, up to a number of bytes; for any thread.

    Tiles are decoded outside of the lock: two threads may decode the same one, and both get
    the same pixels.

    Parameters
    ----------
    limit_bytes : int
        Above it the tiles that were used longest ago are dropped, all but the last.

    Examples
    --------
    >>> tiles = DecodedTiles()
    >>> tiles.get("a", lambda: np.zeros((2, 2, 3), np.uint8)).shape
    (2, 2, 3)
    >>> int(tiles.get("a", lambda: np.ones((2, 2, 3), np.uint8)).max())
    0
    """

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, decode: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Return the tile of this key, decoded where it is not kept; it must not be written to."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        pixels = decode()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = pixels
                self._bytes += pixels.nbytes
            while self._bytes > self.limit_bytes and len(self._kept) > 1:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return pixels

    def clear(self) -> None:
        """Drop every tile."""
        with self._lock:
            self._kept.clear()
            self._bytes = 0
