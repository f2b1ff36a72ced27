"""A picture in 64 bits, which copies of it share however they are scaled or compressed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = 8, 9
STEP = 2.0
"""Neighbouring cells that differ by less (grey values) say nothing ..."""

LEAST_STEPS = 32
"""... and a picture with fewer that do (glass with a corner of tissue) has no hash."""


def difference_hash(rgb: NDArray[np.uint8]) -> int | None:
    """Return the dHash of a picture: which of 8 x 9 cells is brighter than its left neighbour.

    Copies that were scaled, compressed or slightly recoloured differ in few of the 64 bits
    (`distance`); turned or mirrored copies do not. Method: N. Krawetz, *Kind of like that*,
    2013.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
        At least one pixel.

    Returns
    -------
    int or None
        64 bits; None where most of the picture is flat (glass, black), since all flat pictures
        are alike.

    Examples
    --------
    >>> rising = np.repeat(np.arange(0, 180, 2, np.uint8)[None, :, None], 3, axis=2)
    >>> difference_hash(rising) == 2**64 - 1, difference_hash(rising // 90) is None
    (True, True)
    """
    from PIL import Image

    grey = Image.fromarray(np.ascontiguousarray(rgb)).convert("L")
    cells = np.asarray(grey.resize((COLUMNS, ROWS), Image.Resampling.BOX), np.float32)
    steps = np.diff(cells, axis=1).ravel()
    if np.count_nonzero(np.abs(steps) >= STEP) < LEAST_STEPS:
        return None
    bits = steps > 0
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def near_pairs(hashes: NDArray[np.uint64], most_bits: int = 4) -> NDArray[np.int64]:
    """Return all pairs of hashes that differ in at most so many bits.

    Hashes are cut into ``most_bits + 1`` pieces: two that differ in so few bits agree in at
    least one piece, so only those that do are compared.

    Parameters
    ----------
    hashes : (n,) uint64
        All different: equal ones are the caller's to join.
    most_bits : int
        From 0 to 15.

    Returns
    -------
    (pairs, 2) int64
        Indices, the smaller first.

    Examples
    --------
    >>> near_pairs(np.array([0, 0b1111, 2**63 - 1], np.uint64)).tolist()
    [[0, 1]]
    """
    edges = np.linspace(0, 64, most_bits + 2).astype(int)
    found: list[NDArray[np.int64]] = [np.zeros((0, 2), np.int64)]
    for low, high in pairwise(edges.tolist()):
        piece = (hashes >> np.uint64(low)) & np.uint64(2 ** (high - low) - 1)
        order = np.argsort(piece, kind="stable")
        alike, step = piece[order], 1
        while (same := np.flatnonzero(alike[step:] == alike[:-step])).size:
            one, other = order[same], order[same + step]
            differing = (hashes[one] ^ hashes[other]).view(np.uint8).reshape(-1, 8)
            near = np.unpackbits(differing, axis=1).sum(axis=1) <= most_bits
            found.append(np.stack([one[near], other[near]], axis=1))
            step += 1
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.unique(pairs, axis=0)
