"""Distance of every pixel to the nearest of many ellipses, evaluated near them only."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .lattice import Doubles, Floats, Ints
from .view import View

FAR_UM = np.float32(1e6)
BATCH_PX = 1 << 19
LOBE = 0.14
"""Full range of the third harmonic of outlines; it changes their area by < 1 %."""


@dataclass(frozen=True, slots=True)
class Ellipses:
    """Ellipses in the tissue, one row each.

    Parameters
    ----------
    y, x : float64
        Centres, um.
    radius : float64
        Radius of the circle of the same area, um.
    stretch : float64
        Long axis over the radius of that circle; 1 is a circle.
    angle : float64
        Direction of the long axis from +x towards +y, radians.
    mark : float64
        A number in [0, 1) that tells one from the other.
    """

    y: Doubles
    x: Doubles
    radius: Doubles
    stretch: Doubles
    angle: Doubles
    mark: Doubles

    def __len__(self) -> int:
        return len(self.y)

    def where(self, chosen: NDArray[np.bool_] | Ints) -> Ellipses:
        """Return some of the rows."""
        return Ellipses(*(getattr(self, f.name)[chosen] for f in fields(self)))

    @classmethod
    def joined(cls, parts: list[Ellipses]) -> Ellipses:
        """Return the rows of all parts in their order."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def distance(self, y: Doubles, x: Doubles) -> Floats:
        """Return the least distance to an outline, um (negative inside), at 1-D points."""
        least = np.full(len(y), FAR_UM, np.float32)
        count = max(1, BATCH_PX // max(1, len(y)))
        for start in range(0, len(self), count):
            some = self.where(np.arange(start, min(start + count, len(self))))
            away = _distance(y - some.y[:, None], x - some.x[:, None], some)
            least = np.minimum(least, away.min(0))
        return least


@dataclass(frozen=True, slots=True)
class Near:
    """What lies nearest to each pixel of a view.

    Parameters
    ----------
    distance : (y, x) float32
        To the nearest outline, um; negative inside, `FAR_UM` beyond the margin.
    second : (y, x) float32
        To the second nearest outline, um.
    index : (y, x) int64
        Row of the nearest ellipse; -1 where there is none.
    """

    distance: Floats
    second: Floats
    index: Ints


def stamp(ellipses: Ellipses, view: View, margin_um: float) -> Near:
    """Find the nearest ellipse of every pixel that lies within `margin_um` of one.

    Every value depends on a pixel and the ellipses around it only, not on the view.
    """
    size = view.height * view.width
    best = np.full(size, FAR_UM, np.float32)
    second = np.full(size, FAR_UM, np.float32)
    index = np.full(size, -1, np.int64)
    reach = (ellipses.radius * ellipses.stretch + margin_um) / view.um
    half = (np.ceil(np.exp2(np.ceil(np.log2(reach + 1) * 2) / 2))).astype(np.int64)
    batches = []
    for side in np.unique(half):
        rows = np.flatnonzero(half == side)
        count = max(1, BATCH_PX // int(2 * side + 1) ** 2)
        for start in range(0, len(rows), count):
            batches.append(_window(ellipses, view, rows[start : start + count], int(side)))
    for place, value, _ in batches:
        np.minimum.at(best, place, value)
    for place, value, row in batches:
        nearest = value == best[place]
        index[place[nearest]] = row[nearest]
        np.minimum.at(second, place[~nearest], value[~nearest])
    shape = (view.height, view.width)
    return Near(best.reshape(shape), second.reshape(shape), index.reshape(shape))


def _window(ellipses: Ellipses, view: View, rows: Ints, side: int) -> tuple[Ints, Floats, Ints]:
    """Return flat pixel, distance and row of all pixels in windows around some ellipses."""
    some = ellipses.where(rows)
    cy = np.rint((some.y - view.origin_um) / view.um).astype(np.int64)
    cx = np.rint((some.x - view.origin_um) / view.um).astype(np.int64)
    steps = np.arange(-side, side + 1)
    dy = (cy * view.um + view.origin_um - some.y)[:, None, None] + steps[:, None] * view.um
    dx = (cx * view.um + view.origin_um - some.x)[:, None, None] + steps[None, :] * view.um
    value = _distance(dy, dx, some)
    py = (cy - view.y)[:, None, None] + steps[:, None]
    px = (cx - view.x)[:, None, None] + steps[None, :]
    seen = (py >= 0) & (py < view.height) & (px >= 0) & (px < view.width)
    place = (py * view.width + px)[seen]
    row = np.broadcast_to(rows[:, None, None], seen.shape)[seen]
    return place, value[seen], row


def _distance(dy: Doubles, dx: Doubles, some: Ellipses) -> Floats:
    """Signed distance to outlines, um, to first order; a third harmonic makes them uneven."""
    shape = (-1,) + (1,) * (dy.ndim - 1)
    ca = (np.cos(some.angle) / some.stretch).astype(np.float32).reshape(shape)
    sa = (np.sin(some.angle) / some.stretch).astype(np.float32).reshape(shape)
    cb = (np.cos(some.angle) * some.stretch).astype(np.float32).reshape(shape)
    sb = (np.sin(some.angle) * some.stretch).astype(np.float32).reshape(shape)
    radius = some.radius.astype(np.float32).reshape(shape)
    fy, fx = dy.astype(np.float32), dx.astype(np.float32)
    along, across = fx * ca + fy * sa, fy * cb - fx * sb
    away = np.sqrt(along * along + across * across)
    lobe = (LOBE * (some.mark * 97 % 1 - 0.5)).astype(np.float32).reshape(shape)
    turn = along / np.maximum(away, np.float32(1e-3))
    return away * (1 + lobe * turn * (4 * turn * turn - 3)) - radius
