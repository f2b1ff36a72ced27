"""Rectangles in pixels, and the frame that ties a pixel grid to the tissue in micrometres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import BadValueError


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A rectangle in the pixels of one plane; it may stick out of the plane.

    Parameters
    ----------
    y, x : int
        Top left corner, px.
    height, width : int
        Extent, px; at least 1.

    Examples
    --------
    >>> Region(y=10, x=20, height=4, width=6).intersect(Region(y=12, x=0, height=9, width=22))
    Region(y=12, x=20, height=2, width=2)
    """

    y: int
    x: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise BadValueError(
                f"A region needs a height and width of at least 1 px, got "
                f"{self.height} x {self.width}."
            )

    @property
    def y_end(self) -> int:
        """First row below the region, px."""
        return self.y + self.height

    @property
    def x_end(self) -> int:
        """First column right of the region, px."""
        return self.x + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """``(rows, columns)`` for indexing an array of the plane."""
        return slice(self.y, self.y_end), slice(self.x, self.x_end)

    def intersect(self, other: Region) -> Region | None:
        """Return the part common to both, or None where they do not touch."""
        y, x = max(self.y, other.y), max(self.x, other.x)
        height = min(self.y_end, other.y_end) - y
        width = min(self.x_end, other.x_end) - x
        return Region(y=y, x=x, height=height, width=width) if min(height, width) > 0 else None

    def grow(self, px: int) -> Region:
        """Return the region with `px` more pixels on each of its four sides."""
        return Region(
            y=self.y - px, x=self.x - px, height=self.height + 2 * px, width=self.width + 2 * px
        )

    def within(self, other: Region) -> tuple[slice, slice]:
        """Return the slices that cut this region out of an array that holds `other`."""
        y, x = self.y - other.y, self.x - other.x
        return slice(y, y + self.height), slice(x, x + self.width)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the pixels of a plane lie in the tissue.

    Pixel ``(row, column)`` has its *centre* at ``origin_um + (row, column) * um_per_px``,
    and the centre of pixel (0, 0) of the slide's level 0 is the origin of the tissue, unless
    the file places the slide elsewhere (`Slide.origin_um`).

    Parameters
    ----------
    um_per_px : (float, float)
        Height and width of a pixel, micrometres.
    origin_um : (float, float)
        Centre of pixel (0, 0), micrometres.

    Examples
    --------
    >>> Frame((0.25, 0.25)).coarser(4).origin_um
    (0.375, 0.375)
    """

    um_per_px: tuple[float, float]
    origin_um: tuple[float, float] = (0.0, 0.0)

    @property
    def um2_per_px(self) -> float:
        """Area of one pixel, square micrometres."""
        return self.um_per_px[0] * self.um_per_px[1]

    @property
    def mean_um_per_px(self) -> float:
        """Geometric mean of the two pixel sides, micrometres."""
        return float(np.sqrt(self.um2_per_px))

    def coarser(self, factor: float | tuple[float, float]) -> Frame:
        """Return the frame of the plane whose pixels are `factor` times as large.

        Their centres lie half a coarse pixel minus half a fine pixel from the old corner,
        which is what keeps overlays of different resolution on top of each other.
        """
        fy, fx = (factor, factor) if isinstance(factor, int | float) else factor
        (sy, sx), (oy, ox) = self.um_per_px, self.origin_um
        return Frame((sy * fy, sx * fx), (oy + (fy - 1) / 2 * sy, ox + (fx - 1) / 2 * sx))

    def to_um(self, points_px: ArrayLike) -> NDArray[np.float64]:
        """Convert ``(..., 2)`` points (row, column) in px to tissue coordinates in um."""
        points: NDArray[np.float64] = np.asarray(points_px, np.float64)
        return points * np.asarray(self.um_per_px) + np.asarray(self.origin_um)

    def to_px(self, points_um: ArrayLike) -> NDArray[np.float64]:
        """Convert ``(..., 2)`` tissue coordinates (y, x) in um to fractional px."""
        points: NDArray[np.float64] = np.asarray(points_um, np.float64)
        return (points - np.asarray(self.origin_um)) / np.asarray(self.um_per_px)
