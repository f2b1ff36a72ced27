"""Components of a class map as runs: pixels of one row that lie side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

AT_ONCE_PX = 2**20
"""Pixels that are looked at together: they stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Components of a plane, run by run, from its top to its bottom.

    Parameters
    ----------
    label : (m,) int32
        The component of each run, 0 ... n - 1.
    y, x, x_end : (m,) int32
        Row, first column, and the column after the last, in the plane, px.
    edge : (m,) bool
        Whether its pixels lie next to one that was not analysed; a run is all or nothing.
    boxes : (n, 4) int64
        ``y, x, y_end, x_end`` of each component in the plane, px.
    """

    label: NDArray[np.int32]
    y: NDArray[np.int32]
    x: NDArray[np.int32]
    x_end: NDArray[np.int32]
    edge: NDArray[np.bool_]
    boxes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls) -> Runs:
        """Return no component."""
        empty = np.zeros(0, np.int32)
        return cls(empty, empty, empty, empty, np.zeros(0, np.bool_), np.zeros((0, 4), np.int64))

    @classmethod
    def of(
        cls,
        label: NDArray[np.int32],
        place: Sequence[NDArray[np.int32]],
        edge: NDArray[np.bool_],
        count: int,
    ) -> Runs:
        """Return the runs of `count` components; `place` is their rows, columns and ends."""
        y, x, x_end = place
        boxes = np.zeros((4, count), np.int32)
        boxes[1] = np.iinfo(np.int32).max
        boxes[0, label[::-1]] = y[::-1]  # the last to be written is the first run
        boxes[2, label] = y + np.int32(1)
        np.minimum.at(
            boxes[1], label, x
        )  # of one type: numpy is many times slower where it has to convert
        np.maximum.at(boxes[3], label, x_end)
        return cls(label, y, x, x_end, edge, boxes.T.astype(np.int64))

    @classmethod
    def joined(cls, parts: Sequence[Runs]) -> Runs:
        """Return the components of all parts, one part after the other."""
        if len(parts) == 1:
            return parts[0]
        before = np.cumsum([0] + [len(part) for part in parts[:-1]]).astype(np.int32)
        label = [part.label + first for part, first in zip(parts, before, strict=True)]
        rest = [field.name for field in fields(cls)][1:]
        return cls(
            np.concatenate(label),
            *(np.concatenate([getattr(part, name) for part in parts]) for name in rest),
        )

    def only(self, keep: NDArray[np.bool_], *, emptied: NDArray[np.bool_] | None = None) -> Runs:
        """Return some of the components, numbered anew.

        Parameters
        ----------
        keep : (n,) bool
            Which.
        emptied : (n,) bool, optional
            Components that keep a number, but none of their runs.
        """
        if emptied is None and keep.all():
            return self
        number = (np.cumsum(keep) - 1).astype(np.int32)
        chosen = (keep if emptied is None else keep & ~emptied)[self.label]
        return Runs(
            number[self.label[chosen]],
            self.y[chosen],
            self.x[chosen],
            self.x_end[chosen],
            self.edge[chosen],
            self.boxes[keep],
        )


def runs_of_rows(
    band: NDArray[np.uint8], value: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Find the runs of one class in a band of a class map.

    Parameters
    ----------
    band : (rows + 2, x + 2) uint8
        Contiguous, with one more pixel on each side; those of the first and the last column
        are not of the class.
    value : int
        The class.

    Returns
    -------
    start, end : (m,) int64
        Of each run, counted through the rows of `band`, in order.
    edge : (m,) bool
        As in `Runs`.
    """
    height, pitch = band.shape
    flat = band.reshape(-1)
    step = max(1, AT_ONCE_PX // pitch)
    starts, ends, edges = [], [], []
    for row in range(1, height - 1, step):
        low, high = row * pitch, min(row + step, height - 1) * pitch
        inside = flat[low:high] == value
        if not inside.any():  # most of a slide
            continue
        unknown = flat[low - pitch : high + pitch] == 0
        near = unknown[: -2 * pitch] | unknown[2 * pitch :]
        near |= unknown[pitch - 1 : -pitch - 1]
        near |= unknown[pitch + 1 : high - low + pitch + 1]
        near &= inside
        start, end, kind = constant_runs(inside.view(np.uint8) + near)
        starts.append(start + low)
        ends.append(end + low)
        edges.append(kind == 2)
    if not starts:
        none = np.zeros(0, np.int64)
        return none, none, np.zeros(0, np.bool_)
    return np.concatenate(starts), np.concatenate(ends), np.concatenate(edges)


def constant_runs(
    values: NDArray[np.uint8] | NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8] | NDArray[np.int32]]:
    """Return begin, end and value of the runs of one value other than 0.

    Parameters
    ----------
    values : (n,) uint8 or int32
        Begins and ends with 0.

    Examples
    --------
    >>> constant_runs(np.uint8([0, 1, 1, 2, 0, 0, 1, 0]))[0].tolist()
    [1, 3, 6]
    """
    at = np.flatnonzero(values[1:] != values[:-1]) + 1
    value = values[at]
    first = np.flatnonzero(value)
    return at[first], at[first + 1], value[first]
