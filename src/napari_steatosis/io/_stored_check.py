"""What a run that is taken up does first: every recorded tile is compared with its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ._growing_pyramid import GrowingPyramid
from ._ledger import Entry, Ledger
from ._ngff.chunk_writer import Part

AT_ONCE = 8
"""Tiles that are held in memory, and whose coarse copies are written together."""

THREADS = 4
"""Reading, unpacking and hashing wait for the disk or run beside each other."""


def hash_of(pixels: NDArray[np.uint8] | None) -> str:
    """Return the SHA-256 of pixels, empty for None."""
    return "" if pixels is None else hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def check_stored(ledger: Ledger, pyramids: Sequence[GrowingPyramid]) -> None:
    """Drop recorded tiles whose pixels are not there, and make the coarse levels anew.

    Parameters
    ----------
    ledger : Ledger
        Of the store.
    pyramids : sequence of GrowingPyramid
        On disk: the class map, then the probabilities where they are kept.
    """
    for pyramid in pyramids:
        pyramid.clear_coarse()
    done, dropped = ledger.done, []
    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, len(done), AT_ONCE):
            tiles = done[first : first + AT_ONCE]
            read = list(
                pool.map(partial(_read_back, pyramids), [ledger.entries[tile] for tile in tiles])
            )
            dropped += [tile for tile, parts in zip(tiles, read, strict=True) if parts is None]
            for number, pyramid in enumerate(pyramids):
                own = [parts[number] for parts in read if parts is not None]
                pyramid.write(own, coarse_only=True)
    if dropped:
        ledger.drop(dropped)


def _read_back(pyramids: Sequence[GrowingPyramid], entry: Entry) -> list[Part] | None:
    """Return the pixels of a recorded tile; None where they are not those that were recorded."""
    inner = entry.inner
    if inner is None:
        return None
    place = (inner.y, inner.x, inner.height, inner.width)
    hashes = (entry.content, entry.probabilities)[: len(pyramids)]
    parts = []
    for pyramid, stated in zip(pyramids, hashes, strict=True):
        try:
            pixels = pyramid.finest.read_part(*place)
        except (OSError, ValueError, RuntimeError):  # of numcodecs the last
            pyramid.finest.remove(*place)  # else the next tile in these chunks cannot be stored
            return None
        if hash_of(pixels) != stated:
            return None
        parts.append(Part(inner.y, inner.x, pixels))
    return parts
