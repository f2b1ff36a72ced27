"""The pixels inside polygons, as runs along the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def spans_of(
    rings: Sequence[NDArray[np.float64]], owners: Sequence[int], shape: tuple[int, ...]
) -> Iterator[tuple[int, int, int, int]]:
    """Yield the runs of pixels whose centre lies inside, polygon by polygon.

    The even-odd rule over all rings of an owner decides, so holes stay holes. A centre exactly
    on an edge belongs to the polygon below or right of that edge: polygons that share an edge
    share no pixel.

    Parameters
    ----------
    rings : sequence of (n, 2) float64
        Vertices (row, column) in px, pixel centres at whole numbers; a ring closes itself.
    owners : sequence of int
        For each ring the polygon that it belongs to.
    shape : (int, int)
        Height and width of the plane; what lies outside is cut off.

    Yields
    ------
    (row, start, end, owner)
        In ascending order of owners; `end` is the first column after the run.
    """
    if not rings:
        return
    height, width = shape
    start, end = np.concatenate(rings), np.concatenate([np.roll(ring, -1, 0) for ring in rings])
    owner = np.repeat(owners, [len(ring) for ring in rings])
    upward = start[:, 0] > end[:, 0]
    start[upward], end[upward] = end[upward], start[upward]
    first = np.clip(np.ceil(start[:, 0]), 0, height).astype(np.int64)
    count = np.clip(np.ceil(end[:, 0]), 0, height).astype(np.int64) - first
    edge = np.repeat(np.arange(len(count)), count)
    row = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    (y0, x0), (y1, x1) = start[edge].T, end[edge].T
    crossing = np.ceil(x0 + (row - y0) * (x1 - x0) / (y1 - y0))
    column = np.clip(crossing, 0, width).astype(np.int64)
    order = np.lexsort((column, row, owner[edge]))
    found = np.stack([row, column, owner[edge]])[:, order]
    # Closed rings cross a row an even number of times, so crossings come in pairs.
    (rows, begins, owned), ends = found[:, ::2], found[1, 1::2]
    inside = np.flatnonzero(begins < ends)
    runs = np.stack([rows[inside], begins[inside], ends[inside], owned[inside]], axis=1)
    yield from map(tuple, runs.tolist())
