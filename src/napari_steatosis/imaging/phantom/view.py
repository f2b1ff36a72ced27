"""Which pixels are drawn: a window of one level, and the coarser grid under it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .lattice import Box, Doubles, Floats


@dataclass(frozen=True, slots=True)
class View:
    """A window of pixels and where their centres lie in the tissue.

    Parameters
    ----------
    y, x : int
        First row and column, px.
    height, width : int
        Extent, px.
    um : float
        Distance of pixel centres, um.
    origin_um : float
        Centre of pixel (0, 0), um, along both axes.
    """

    y: int
    x: int
    height: int
    width: int
    um: float
    origin_um: float = 0.0

    @property
    def rows(self) -> Doubles:
        """Centres of the rows as ``(height, 1)``, um."""
        return self._centres(self.y, self.height)[:, None]

    @property
    def columns(self) -> Doubles:
        """Centres of the columns as ``(1, width)``, um."""
        return self._centres(self.x, self.width)[None, :]

    @property
    def box(self) -> Box:
        """The tissue under the window."""
        half = self.um / 2
        y, x = self.y * self.um + self.origin_um, self.x * self.um + self.origin_um
        return Box(
            y - half, x - half, y + self.height * self.um - half, x + self.width * self.um - half
        )

    def _centres(self, start: int, count: int) -> Doubles:
        index = np.arange(start, start + count, dtype=np.float64)
        return index * self.um + self.origin_um

    def grow(self, px: int) -> View:
        """Return the window with `px` more pixels on each side."""
        return View(
            self.y - px,
            self.x - px,
            self.height + 2 * px,
            self.width + 2 * px,
            self.um,
            self.origin_um,
        )

    def under(self, step: int) -> View:
        """Return the grid of every `step`-th pixel that surrounds the window."""
        y, x = self.y // step, self.x // step
        y_end = (self.y + self.height - 1) // step + 2
        x_end = (self.x + self.width - 1) // step + 2
        return View(y, x, y_end - y, x_end - x, self.um * step, self.origin_um)

    def refine(self, coarse: Floats, step: int) -> Floats:
        """Interpolate values of the grid `under` the window linearly to its pixels."""
        if step == 1:
            return coarse[: self.height, : self.width]
        rows = np.arange(self.y, self.y + self.height)
        columns = np.arange(self.x, self.x + self.width)
        i, wy = rows // step - self.y // step, (rows % step).astype(np.float32) / step
        j, wx = columns // step - self.x // step, (columns % step).astype(np.float32) / step
        left = np.take(coarse, j, axis=1)
        across = left + wx * (np.take(coarse, j + 1, axis=1) - left)
        top = across[i]
        return top + wy[:, None] * (across[i + 1] - top)
