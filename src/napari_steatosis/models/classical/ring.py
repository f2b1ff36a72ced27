"""The ring around a candidate, as wide as the cytoplasm that a droplet presses aside."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parts import Doubles, Parts, Runs
from .picture import Picture, direction, hue

RING_UM, RING_PX = 2.0, 5
"""Width of the ring, um; px where the scale is unknown."""


def ring_width(um_per_px: float | None) -> int:
    """Return the width of the ring, px."""
    return RING_PX if um_per_px is None else max(1, round(RING_UM / um_per_px))


def ring_pixels(parts: Parts, width: int) -> Runs:
    """Return what lies within `width` px of each candidate, itself included, as runs.

    The union of discs of that radius about its pixels.
    """
    rows, columns = parts.labels.shape
    runs, grown = parts.runs, []
    for dy in range(-width, width + 1):
        wide = int(np.sqrt(width**2 - dy**2))
        y = runs.y + dy
        seen = (y >= 0) & (y < rows)
        left = np.maximum(runs.x - wide, 0)
        right = np.minimum(runs.x_end + wide, columns)
        grown.append(np.stack([runs.part[seen] * rows + y[seen], left[seen], right[seen]]))
    line, left, right = np.concatenate(grown, axis=1)
    order = np.argsort(line * columns + left, kind="stable")
    line, left, right = line[order], left[order], right[order]
    far = np.maximum.accumulate(line * (columns + 1) + right)
    first = np.append(True, line[1:] * (columns + 1) + left[1:] > far[:-1])
    begin = np.flatnonzero(first)
    end = far[np.append(begin[1:], len(far)) - 1] - line[begin] * (columns + 1)
    part, y = np.divmod(line[begin], rows)
    return Runs(part, y, left[begin], end)


class Ring:
    """The rings of all candidates, less every candidate, pixel by pixel.

    Parameters
    ----------
    picture : Picture
    """

    def __init__(self, picture: Picture) -> None:
        parts, self._picture = picture.parts, picture
        runs = ring_pixels(parts, ring_width(picture.um_per_px))
        length = runs.x_end - runs.x
        begin = np.repeat(runs.y * parts.labels.shape[1] + runs.x, length)
        place = begin + np.arange(len(begin)) - np.repeat(np.cumsum(length) - length, length)
        ground = picture.ground.ravel()[place]
        self._place = place[ground]
        self._part = np.repeat(runs.part, length)[ground]
        self._count = np.bincount(self._part, minlength=len(parts))

    def mean(self, values: NDArray[Any]) -> Doubles:
        """Return the mean of ``(y, x)`` values over each ring; 0 where a ring is empty."""
        return self._mean(values.ravel()[self._place])

    def mean_hue(self) -> Doubles:
        """Return the arithmetic mean of the hue, turns in 0 to 1, as first published."""
        return self._mean(self._hues)

    def circular_hue(self) -> tuple[Doubles, Doubles]:
        """Return the circular mean hue, weighted by saturation, and how much hues agree."""
        angle = 2 * np.pi * self._hues
        weight = self._picture.saturation.ravel()[self._place].astype(np.float64)
        sums = [self._mean(np.cos(angle) * weight), self._mean(np.sin(angle) * weight)]
        return direction(np.column_stack(sums), self._mean(weight))

    @cached_property
    def _hues(self) -> Doubles:
        return hue(self._picture.rgb.reshape(-1, 3)[self._place])

    def _mean(self, values: NDArray[Any]) -> Doubles:
        sums = np.bincount(self._part, weights=values, minlength=len(self._count))
        return sums / np.maximum(self._count, 1)
