"""The pixels of all candidates of an image, side by side, so that one call treats them all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .candidates import Labels

Ints = NDArray[np.int64]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Runs:
    """Stretches of pixels of one candidate in one row.

    Parameters
    ----------
    part : (n,) int64
        Candidate, from 0.
    y, x, x_end : (n,) int64
        Row, first column, and first column behind it, px.
    """

    part: Ints
    y: Ints
    x: Ints
    x_end: Ints


@dataclass(frozen=True, eq=False)
class Parts:
    """Candidates as lists of pixels, sorted by candidate, row and column.

    Parameters
    ----------
    labels : (y, x) int32
        Of the image; 1 ... n, none left out.
    y, x : (pixels,) int64
        Place of each pixel.
    start : (n,) int64
        Where the pixels of each candidate begin.
    """

    labels: Labels
    y: Ints
    x: Ints
    start: Ints

    @classmethod
    def of(cls, labels: Labels) -> Parts:
        """Gather the pixels of labels 1 ... n."""
        flat = np.flatnonzero(labels)
        own = labels.ravel()[flat]
        order = np.argsort(own, kind="stable")
        flat = flat[order]
        y, x = np.divmod(flat, labels.shape[1])
        count = int(own.max(initial=0))
        return cls(labels, y, x, np.searchsorted(own[order], np.arange(1, count + 1)))

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def area(self) -> Ints:
        """Pixels of each candidate."""
        return np.diff(np.append(self.start, len(self.y)))

    @cached_property
    def part(self) -> Ints:
        """Candidate of each pixel, from 0."""
        return np.repeat(np.arange(len(self)), self.area)

    @cached_property
    def box(self) -> Ints:
        """``(n, 4)``: y, x, y_end, x_end of each candidate."""
        ends = self.start + self.area - 1
        low, high = np.minimum.reduceat(self.x, self.start), np.maximum.reduceat(self.x, self.start)
        return np.column_stack([self.y[self.start], low, self.y[ends] + 1, high + 1])

    @property
    def length(self) -> Ints:
        """Longer side of the box of each candidate, px."""
        return np.maximum(self.box[:, 2] - self.box[:, 0], self.box[:, 3] - self.box[:, 1])

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """Add up one value per pixel for each candidate."""
        return np.add.reduceat(values, self.start)

    @cached_property
    def centre(self) -> Doubles:
        """``(n, 2)``: mean row and column of each candidate, px."""
        corner = self.box[:, :2]
        y = self.sums(self.y - corner[self.part, 0]) / self.area
        x = self.sums(self.x - corner[self.part, 1]) / self.area
        return np.column_stack([corner[:, 0] + y, corner[:, 1] + x])

    @cached_property
    def away(self) -> tuple[Doubles, Doubles]:
        """Rows and columns of each pixel from the centre of its candidate, px.

        Computed from the corner of the box, so that they are the same wherever a candidate
        lies in the image.
        """
        found = []
        for place, corner in ((self.y, self.box[:, 0]), (self.x, self.box[:, 1])):
            own = place - corner[self.part]
            found.append(own - (self.sums(own) / self.area)[self.part])
        return found[0], found[1]

    @cached_property
    def padded(self) -> NDArray[np.int32]:
        """The labels with a rim of 0, flat."""
        return np.pad(self.labels, 1).ravel()

    @cached_property
    def place(self) -> Ints:
        """Position of each pixel in `padded`."""
        return (self.y + 1) * (self.labels.shape[1] + 2) + self.x + 1

    def step(self, dy: int, dx: int) -> int:
        """Return what leads from a position in `padded` to that of a neighbour."""
        return dy * (self.labels.shape[1] + 2) + dx

    def beside(self, dy: int, dx: int) -> NDArray[np.bool_]:
        """Say of each pixel whether its neighbour there is of the same candidate."""
        neighbour = self.padded[self.place + self.step(dy, dx)]
        return np.asarray(neighbour == self.part + 1)

    @cached_property
    def rim(self) -> NDArray[np.bool_]:
        """Say of each pixel whether one of its four neighbours is not of the candidate."""
        return ~(self.beside(-1, 0) & self.beside(1, 0) & self.beside(0, -1) & self.beside(0, 1))

    @cached_property
    def runs(self) -> Runs:
        """The candidates as runs, sorted like the pixels."""
        first, last = ~self.beside(0, -1), ~self.beside(0, 1)
        return Runs(self.part[first], self.y[first], self.x[first], self.x[last] + 1)
