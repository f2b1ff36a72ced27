"""Areas, centres and second moments of components, from sums over their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame
from ._runs import Runs


@dataclass(frozen=True, eq=False)
class Shapes:
    """Sums per component; whole numbers, so the order of adding cannot matter.

    Positions in the sums count from the top left corner of the component's bounding box.

    Parameters
    ----------
    y, x : (n,) int64
        Top left corner of the bounding box in the plane, px.
    first_x : (n,) int64
        Column, in the plane, of the leftmost pixel of the top row (which is row `y`).
    area : (n,) float64
        Number of pixels.
    sum_y, sum_x, sum_yy, sum_xx, sum_xy : (n,) float64
        Sums over pixels of y, x, y * y, x * x, x * y.
    edge : (n,) bool
        Touches a pixel that was not analysed.
    split : (n,) bool
        Cut from a clump of touching droplets.
    whole : (n,) bool
        False where it was too large to be taken apart.
    """

    y: NDArray[np.int64]
    x: NDArray[np.int64]
    first_x: NDArray[np.int64]
    area: NDArray[np.float64]
    sum_y: NDArray[np.float64]
    sum_x: NDArray[np.float64]
    sum_yy: NDArray[np.float64]
    sum_xx: NDArray[np.float64]
    sum_xy: NDArray[np.float64]
    edge: NDArray[np.bool_]
    split: NDArray[np.bool_]
    whole: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.area)

    def __getitem__(self, keep: NDArray[np.bool_ | np.int64]) -> Shapes:
        return Shapes(*(getattr(self, field.name)[keep] for field in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Shapes]) -> Shapes:
        """Return the components of all parts, one after the other."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def centres_px(self) -> NDArray[np.float64]:
        """Return the ``(n, 2)`` centres of area (row, column) in the plane, px."""
        return np.stack([self.y + self.sum_y / self.area, self.x + self.sum_x / self.area], axis=1)

    def covariances(self, frame: Frame) -> tuple[NDArray[np.float64], ...]:
        """Return the variances along y and x and the covariance of the area, um^2.

        A pixel is a rectangle, not a point, and adds a twelfth of its side squared.
        """
        sy, sx = frame.um_per_px
        mean_y, mean_x = self.sum_y / self.area, self.sum_x / self.area
        yy = (self.sum_yy / self.area - mean_y**2 + 1 / 12) * sy**2
        xx = (self.sum_xx / self.area - mean_x**2 + 1 / 12) * sx**2
        xy = (self.sum_xy / self.area - mean_y * mean_x) * sy * sx
        return yy, xx, xy

    def roundness(self, frame: Frame) -> NDArray[np.float64]:
        """Return area / (2 pi (var_y + var_x)): 1 for a disc, less for any other shape.

        Of all shapes of one area the disc has the smallest second moment, so the value
        cannot exceed 1, which perimeter-based roundness of few pixels does. An ellipse with
        axis ratio q has ``2 q / (1 + q^2)``; two equal discs that touch have 2/3.
        """
        yy, xx, _ = self.covariances(frame)
        return self.area * frame.um2_per_px / (2 * np.pi * (yy + xx))

    def axis_ratio(self, frame: Frame) -> NDArray[np.float64]:
        """Return short / long axis of the ellipse with the same second moments."""
        yy, xx, xy = self.covariances(frame)
        middle, spread = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
        return np.sqrt(np.maximum(middle - spread, 0) / (middle + spread))


def shapes_of(runs: Runs, split: NDArray[np.bool_] | None = None) -> Shapes:
    """Sum up every component, run by run; none may be as wide or high as 100 000 px.

    Parameters
    ----------
    runs : Runs
        With n components.
    split : (n,) bool, optional
        Which were cut from a clump; none where it is left out.
    """
    n, label = len(runs), runs.label
    corner = runs.boxes[:, :2]
    first_x = np.zeros(n, np.int64)
    first_x[label[::-1]] = runs.x[::-1]  # the last to be written is the first run
    y = (runs.y - corner[label, 0]).astype(np.float64)
    low, high = ((x - corner[label, 1]).astype(np.float64) for x in (runs.x, runs.x_end))
    pixels = high - low
    x = pixels * (low + high - 1) / 2
    squares = _squares_below(high) - _squares_below(low)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(label, values, minlength=n).astype(np.float64, copy=False)

    edge = np.zeros(n, np.bool_)
    edge[label[runs.edge]] = True
    return Shapes(
        y=corner[:, 0],
        x=corner[:, 1],
        first_x=first_x,
        area=total(pixels),
        sum_y=total(pixels * y),
        sum_x=total(x),
        sum_yy=total(pixels * y * y),
        sum_xx=total(squares),
        sum_xy=total(x * y),
        edge=edge,
        split=np.zeros(n, np.bool_) if split is None else split,
        whole=np.ones(n, np.bool_),
    )


def _squares_below(end: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``0 + 1 + 4 + ... + (end - 1) ** 2``."""
    return (end - 1) * end * (2 * end - 1) / 6
