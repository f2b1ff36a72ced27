"""Sums of components that are too large to be held: exact whole numbers of any size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._patches import Cutout
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

    @classmethod
    def of(cls, piece: Cutout) -> GiantSums:
        """Sum up one piece."""
        rows, columns = np.nonzero(piece.pixels)
        n, y0, x0 = len(rows), piece.y, piece.x
        y, x = int(rows.sum()), int(columns.sum())
        yy, xx = int((rows * rows).sum()), int((columns * columns).sum())
        xy = int((rows * columns).sum())
        return cls(
            first=(y0 + int(rows[0]), x0 + int(columns[0])),
            x=x0 + int(columns.min()),
            area=n,
            sum_y=y + n * y0,
            sum_x=x + n * x0,
            sum_yy=yy + 2 * y0 * y + n * y0 * y0,
            sum_xx=xx + 2 * x0 * x + n * x0 * x0,
            sum_xy=xy + x0 * y + y0 * x + n * y0 * x0,
            edge=bool((piece.pixels == 2).any()),
        )

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
