"""Sums of components that are too large to be held: exact whole numbers of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._runs import Runs
from ._shapes import Shapes


@dataclass(frozen=True)
class GiantSums:
    """Sums over the pixels of a component, positions in the plane, px.

    Parameters
    ----------
    first : (int, int)
        Row and column of the leftmost pixel of the top row.
    x : int
        Leftmost column.
    area, sum_y, sum_x, sum_yy, sum_xx, sum_xy : int
        As in `Shapes`, but from the corner of the plane.
    edge : bool
        Touches a pixel that was not analysed.
    """

    first: tuple[int, int]
    x: int
    area: int
    sum_y: int
    sum_x: int
    sum_yy: int
    sum_xx: int
    sum_xy: int
    edge: bool

    def __add__(self, other: GiantSums) -> GiantSums:
        return GiantSums(
            min(self.first, other.first),
            min(self.x, other.x),
            self.area + other.area,
            self.sum_y + other.sum_y,
            self.sum_x + other.sum_x,
            self.sum_yy + other.sum_yy,
            self.sum_xx + other.sum_xx,
            self.sum_xy + other.sum_xy,
            self.edge or other.edge,
        )

    def shapes(self) -> Shapes:
        """Return the sums counted from the corner of the bounding box, like all others."""
        n, y0, x0 = self.area, self.first[0], self.x
        y, x = self.sum_y - n * y0, self.sum_x - n * x0
        yy = self.sum_yy - 2 * y0 * self.sum_y + n * y0 * y0
        xx = self.sum_xx - 2 * x0 * self.sum_x + n * x0 * x0
        xy = self.sum_xy - x0 * self.sum_y - y0 * self.sum_x + n * y0 * x0
        return Shapes(
            y=np.array([y0], np.int64),
            x=np.array([x0], np.int64),
            first_x=np.array([self.first[1]], np.int64),
            area=np.array([n], np.float64),
            sum_y=np.array([y], np.float64),
            sum_x=np.array([x], np.float64),
            sum_yy=np.array([yy], np.float64),
            sum_xx=np.array([xx], np.float64),
            sum_xy=np.array([xy], np.float64),
            edge=np.array([self.edge]),
            split=np.array([False]),
            whole=np.array([False]),
        )


def sums_of(runs: Runs, which: NDArray[np.bool_]) -> Iterator[tuple[int, GiantSums]]:
    """Yield the number and the sums of some components; of those that have runs.

    Parameters
    ----------
    runs : Runs
        With n components.
    which : (n,) bool
        Those to be summed up.
    """
    own = np.flatnonzero(which[runs.label])
    own = own[np.argsort(runs.label[own], kind="stable")]
    label = runs.label[own]
    for part in np.split(own, np.flatnonzero(np.diff(label)) + 1) if len(own) else ():
        yield int(runs.label[part[0]]), _summed(runs, part)


def _summed(runs: Runs, part: NDArray[np.int64]) -> GiantSums:
    y0, x0 = int(runs.y[part[0]]), int(runs.x[part].min())
    row = runs.y[part].astype(np.int64) - y0
    low, high = (column[part].astype(np.int64) - x0 for column in (runs.x, runs.x_end))
    n = high - low
    x_of_row = n * (low + high - 1) // 2
    squares = (high - 1) * high * (2 * high - 1) // 6 - (low - 1) * low * (2 * low - 1) // 6
    area, y, x, yy, xx, xy = (
        sum(values.tolist())
        for values in (n, n * row, x_of_row, n * row * row, squares, x_of_row * row)
    )
    return GiantSums(
        first=(y0, int(runs.x[part[0]])),
        x=x0,
        area=area,
        sum_y=y + area * y0,
        sum_x=x + area * x0,
        sum_yy=yy + 2 * y0 * y + area * y0 * y0,
        sum_xx=xx + 2 * x0 * x + area * x0 * x0,
        sum_xy=xy + x0 * y + y0 * x + area * y0 * x0,
        edge=bool(runs.edge[part].any()),
    )
