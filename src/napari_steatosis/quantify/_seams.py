"""Connected components of a class map of any size: found in bands of rows, joined across seams."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from ..core.prediction import Array
from ._giants import GiantSums, sums_of
from ._runs import Runs, runs_of_rows
from ._shapes import Shapes

LARGEST_PX = 2048
"""A component whose bounding box is longer than this is only summed up, never held whole."""

COLUMNS_PX = 4096
"""Columns of the class map that are read at once."""

Rows = NDArray[np.int64]
NO_ROWS: Rows = np.zeros((3, 0), np.int64)


def components(
    classes: Array,
    value: int,
    *,
    rows_px: int,
    seen: Callable[[int, NDArray[np.uint8]], None] | None = None,
) -> Iterator[Runs | Shapes]:
    """Yield the components of one class; pixels hang together along their sides.

    Memory grows with the width of the plane, not with its height.

    Parameters
    ----------
    classes : (y, x) uint8
        0 = not analysed; read once from top to bottom.
    value : int
        The class.
    rows_px : int
        Rows that are read at once. The components do not depend on it.
    seen : callable, optional
        Called with ``(y, rows)`` for every band of the class map as it is read.

    Yields
    ------
    Runs or Shapes
        Some whole components, in no particular order; `Shapes` where one was too large.

    Examples
    --------
    >>> classes = np.uint8([[1, 2, 2], [2, 1, 2], [2, 1, 1]])
    >>> found = list(components(classes, 2, rows_px=1))
    >>> sorted(box.tolist() for part in found for box in part.boxes)
    [[0, 1, 2, 3], [1, 0, 3, 1]]
    """
    joiner = SeamJoiner()
    for y, band in bands(classes, rows_px):
        if seen is not None:
            seen(y, band[1:-1, 1:-1])
        yield from joiner.add(y, band, value)
    yield from joiner.finish()


def bands(classes: Array, rows_px: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Read a class map once, in bands of rows with one more pixel on each side.

    Parameters
    ----------
    classes : (y, x) uint8
        In memory or stored; read in multiples of `rows_px` rows, so that chunks of that
        height are decoded once.
    rows_px : int
        Rows that are read at once.

    Yields
    ------
    y, band : int, (rows + 2, x + 2) uint8
        ``band[1:-1, 1:-1]`` begins at row `y`; outside the plane it is 0. A view of one
        buffer: it is overwritten when the next band is asked for.
    """
    height, width = classes.shape
    buffer = np.zeros((rows_px + 3, width + 2), np.uint8)
    y = 0
    for start in range(0, height, rows_px):
        rows = min(rows_px, height - start)
        for x in range(0, width, COLUMNS_PX):
            x_end = min(x + COLUMNS_PX, width)
            buffer[2 : 2 + rows, 1 + x : 1 + x_end] = classes[start : start + rows, x:x_end]
        last = start + rows == height
        top = 1 if start == 0 else 0  # row 1 is then the empty row above the plane
        bottom = 2 + rows + (1 if last else 0)
        if last:
            buffer[2 + rows] = 0
        band = buffer[top:bottom]
        if len(band) > 2:
            yield y, band
            y += len(band) - 2
        buffer[:2] = buffer[rows : rows + 2].copy()


class SeamJoiner:
    """Joins what continues from one band to the next; forgets what is complete."""

    def __init__(self) -> None:
        self._open = Runs.none()
        self._giants: dict[int, GiantSums] = {}
        self._last = NO_ROWS
        """Columns, ends and components of the runs in the last row of the band above."""

    def add(self, y: int, band: NDArray[np.uint8], value: int) -> Iterator[Runs | Shapes]:
        """Take in a band; yield the components that do not reach its last row.

        Parameters
        ----------
        y : int
            First row of the band in the plane, px.
        band : (rows + 2, x + 2) uint8
            As `bands` yields it.
        value : int
            The class.
        """
        start, end, edge = runs_of_rows(band, value)
        if not len(start) and not len(self._open):
            return
        pitch, above = band.shape[1], self._last.shape[1]
        number, count = _connected(
            np.concatenate([self._last[0] + 1, start]),
            np.concatenate([self._last[1] + 1, end]),
            pitch,
            self._last[2],
            len(self._open),
        )
        label, opened = number[above : above + len(start)], number[above + len(start) :]
        row, column = np.divmod(start, pitch)
        place = (row + (y - 1), column - 1, column - 1 + end - start)
        lower = Runs.of(label, [one.astype(np.int32) for one in place], edge, count)
        runs = _below(self._open, opened, lower)
        bottom = int(np.searchsorted(start, (len(band) - 2) * pitch))
        last = np.stack([place[1][bottom:], place[2][bottom:], label[bottom:]])
        yield from self._settle(runs, opened, last)

    def finish(self) -> Iterator[Runs | Shapes]:
        """Yield all the rest."""
        yield from self._settle(self._open, np.arange(len(self._open)), NO_ROWS)

    def _settle(
        self, runs: Runs, opened: NDArray[np.int32] | NDArray[np.int64], last: Rows
    ) -> Iterator[Runs | Shapes]:
        """Yield what is complete; keep the pixels of the rest, or their sums where it is large."""
        giants: dict[int, GiantSums] = {}
        _add_to(giants, ((int(opened[old]), sums) for old, sums in self._giants.items()))
        giant = (runs.boxes[:, 2:] - runs.boxes[:, :2]).max(axis=1, initial=0) > LARGEST_PX
        giant[list(giants)] = True
        if giant.any():
            _add_to(giants, sums_of(runs, giant))
        still = np.zeros(len(runs), np.bool_)
        still[last[2]] = True
        for label in [label for label in giants if not still[label]]:
            yield giants.pop(label).shapes()
        number = np.cumsum(still) - 1
        self._giants = {int(number[label]): sums for label, sums in giants.items()}
        self._open = runs.only(still, emptied=giant)
        self._last = np.stack([last[0], last[1], number[last[2]]])
        complete = runs.only(~(still | giant))
        if len(complete):
            yield complete


def _add_to(giants: dict[int, GiantSums], found: Iterator[tuple[int, GiantSums]]) -> None:
    for label, sums in found:
        giants[label] = giants[label] + sums if label in giants else sums


def _below(upper: Runs, number: NDArray[np.int32], lower: Runs) -> Runs:
    """Return the runs of both as those of the components of the lower ones.

    Parameters
    ----------
    upper, lower : Runs
        Of the bands above, and of this one.
    number : (n,) int32
        What the upper components are called below.
    """
    if not len(upper.label):
        return lower
    place = [np.concatenate([getattr(part, name) for part in (upper, lower)])
             for name in ("y", "x", "x_end")]  # fmt: skip
    label = np.concatenate([number[upper.label], lower.label])
    return Runs.of(label, place, np.concatenate([upper.edge, lower.edge]), len(lower))


def _connected(
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    pitch: int,
    known: NDArray[np.int64],
    count: int,
) -> tuple[NDArray[np.int32], int]:
    """Find which runs lie below each other, and number their components.

    Parameters
    ----------
    start, end : (m,) int64
        Of each run, counted through rows of `pitch` px, in order.
    pitch : int
        Width of a row, px.
    known : (k,) int64
        Which of `count` open components the first k runs belong to.
    count : int
        Open components.

    Returns
    -------
    number : (m + count,) int32
        Of each run, and then of each open component.
    n : int
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    m = len(start)
    first = np.searchsorted(end, start + pitch, side="right")
    times = np.searchsorted(start, end + pitch, side="left") - first
    upper = np.repeat(np.arange(m), times)
    lower = np.arange(len(upper)) + np.repeat(first - np.cumsum(times) + times, times)
    beside = np.flatnonzero(start[1:] == end[:-1])
    one = np.concatenate([upper, beside, np.arange(len(known))])
    other = np.concatenate([lower, beside + 1, m + known])
    nodes = m + count
    graph = csr_array((np.ones(len(one), np.uint8), (one, other)), shape=(nodes, nodes))
    n, number = connected_components(graph, directed=False)
    return number, int(n)
