"""What lies farther around a candidate: nuclei, stain, other candidates, large voids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .parts import Doubles
from .picture import Picture

CELL_UM = 4.0
"""Side of the squares in which the neighbourhood is summed up, um."""

NEAR_UM, WIDE_UM = 24.0, 48.0
"""Half sides of the neighbourhoods, um."""

NUCLEAR = 0.45
"""Optical density (decadic) of red from which a pixel is taken for a nucleus."""

OPEN_SHARE, OPEN_CELLS = 0.95, 2
"""Where this share of the cells so far around is white, there is a large void: glass, a lumen."""

SMALL_UM = 32.0
"""Candidates up to this length are counted as neighbours, um."""

REACH_UM = WIDE_UM + (OPEN_CELLS + 1) * CELL_UM
"""No description looks further than this from the centre of its candidate, um."""


def cell_px(um_per_px: float) -> int:
    """Return the side of a cell of the neighbourhood, px.

    Tiles whose origins are multiples of it agree on the cells.
    """
    return max(1, round(CELL_UM / um_per_px))


class Neighbourhood:
    """The image in cells of about 4 um, and sums of them around each candidate.

    Parameters
    ----------
    picture : Picture
        With a scale.
    """

    def __init__(self, picture: Picture) -> None:
        assert picture.um_per_px is not None
        self._side = cell_px(picture.um_per_px)
        self._um = self._side * picture.um_per_px
        self._centre = (picture.parts.centre / self._side).astype(np.int64)
        self._parts, self._um_per_px = picture.parts, picture.um_per_px
        ground = picture.ground
        self._white = self._cells(~ground)
        self._ground = self._cells(ground)
        self._nuclear = self._cells((picture.density[0] >= NUCLEAR) & ground)
        self._density = [self._cells(np.where(ground, d, np.float32(0))) for d in picture.density]

    def white_share(self, um: float) -> Doubles:
        """Return the share of white in the square of half side `um`."""
        white, ground = self._around(self._white, um), self._around(self._ground, um)
        return white / np.maximum(white + ground, 1)

    def nuclear_share(self, um: float) -> Doubles:
        """Return the share of nuclei in what is not white around."""
        return self._around(self._nuclear, um) / np.maximum(self._around(self._ground, um), 1)

    def densities(self, um: float) -> list[Doubles]:
        """Return the mean optical density, by channel, of what is not white around."""
        ground = np.maximum(self._around(self._ground, um), 1)
        return [self._around(density, um) / ground for density in self._density]

    def to_open(self) -> Doubles:
        """Return the distance to the nearest large void, um, at most `WIDE_UM`."""
        from scipy import ndimage

        size = 2 * OPEN_CELLS + 1
        white = ndimage.uniform_filter(self._white, size, mode="nearest")
        ground = ndimage.uniform_filter(self._ground, size, mode="nearest")
        is_open = white >= OPEN_SHARE * (white + ground)
        if not is_open.any():
            return np.full(len(self._centre), WIDE_UM)
        away = ndimage.distance_transform_edt(~is_open) * self._um
        return np.minimum(away[self._centre[:, 0], self._centre[:, 1]], WIDE_UM)

    def neighbours(self) -> tuple[Doubles, Doubles]:
        """Return how many small candidates lie around, and how far the nearest is, um."""
        from scipy.spatial import cKDTree

        centre = self._parts.centre * self._um_per_px
        small = centre[self._parts.length * self._um_per_px <= SMALL_UM]
        if len(small) == 0:
            return np.zeros(len(centre)), np.full(len(centre), NEAR_UM)
        tree = cKDTree(small)
        count = tree.query_ball_point(centre, NEAR_UM, return_length=True).astype(np.float64)
        own = (self._parts.length * self._um_per_px <= SMALL_UM).astype(np.int64)
        near, _ = tree.query(centre, k=2, distance_upper_bound=NEAR_UM)
        return count - own, np.minimum(near[np.arange(len(centre)), own], NEAR_UM)

    def _cells(self, values: NDArray[np.generic]) -> Doubles:
        side = self._side
        height, width = values.shape
        rows, columns = np.arange(0, height, side), np.arange(0, width, side)
        kind = np.int64 if values.dtype.kind in ("b", "u", "i") else np.float64
        across = np.add.reduceat(values, columns, axis=1, dtype=kind)
        return np.add.reduceat(across, rows, axis=0).astype(np.float64)

    def _around(self, cells: Doubles, um: float) -> Doubles:
        far = round(um / self._um)
        total = np.pad(np.cumsum(np.cumsum(cells, 0), 1), ((1, 0), (1, 0)))
        shape = np.array(cells.shape)
        low = np.clip(self._centre - far, 0, shape)
        high = np.clip(self._centre + far + 1, 0, shape)
        (y, x), (y_end, x_end) = low.T, high.T
        return total[y_end, x_end] - total[y, x_end] - total[y_end, x] + total[y, x]
