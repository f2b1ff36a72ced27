"""Rims of air bubbles: thin dark circles without a colour of their own, over tissue too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import grey_opening, label

from ._quality_look import LOOK_UM, Look

THIN_UM = 72.0
"""A rim is narrower than this, um."""

RISE = 10.0
"""By so much a rim is denser than what lies on both sides of it, in every channel, hundredths."""

NOISE = 4.0
"""A point of a rim rises by so many times what the tissue usually varies by."""

LEFT = 0.12
"""Part of a grey density that must be left when what the stains explain is taken away."""

SAMPLE = 20_000
"""Pixels of tissue from which the colours of the stains are learned."""

EVEN = 0.7
"""The channel in which a rim rises least has at least this part of what it rises in the most."""

RADII_UM = (120.0, 4000.0)
"""Smallest and largest radius, um: smaller circles are vessels, larger arcs may be anything."""

PIECE_UM = 80.0
"""Shorter dark pieces are not looked at, um."""

BINS, AROUND, LEAST_SEEN = 90, 0.7, 0.4
"""Parts of a circle; the share of the seen ones that the rim covers; the share that is seen."""

NEAR_PX, NEAR = 1.6, 0.04
"""So far from the circle a point of the rim lies at most: px, and shares of the radius."""

TRIALS, MOST_POINTS, MOST_RIMS = 300, 4000, 50


@dataclass(frozen=True)
class Rim:
    """A circle around a bubble.

    Parameters
    ----------
    y, x, radius : float
        In pixels of the look.
    """

    y: float
    x: float
    radius: float


def bubbles(seen: Look, random: np.random.Generator) -> list[Rim]:
    """Find the rims of air bubbles on a slide that is seen from afar.

    The edge of a bubble bends light away from the lens: it is dark whatever lies under it, in all
    channels alike, which no stain is. What blue absorbs beyond what the stains of this slide
    explain by red and green says how grey a pixel is. Thin grey places are joined to circles by a
    Hough transform by chance (Xu, Oja, Kultanen, Pattern Recognition Letters 1990, 11, 331): three
    points give a circle, and it counts if enough others lie on it all around.

    Parameters
    ----------
    seen : Look
        The slide from afar.
    random : Generator
        Decides which points are tried.
    """
    if seen.um > 2 * LOOK_UM:
        return []
    points = _points(seen)
    found: list[Rim] = []
    for piece in _pieces(points, PIECE_UM / seen.um):
        where = np.argwhere(points)
        if len(found) == MOST_RIMS or len(where) < BINS / 2:
            break
        if not points[piece[:, 0], piece[:, 1]].any():
            continue  # an earlier circle took it
        rim = _circle(seen, piece, where, random)
        if rim is not None and _is_dark(seen, rim):
            found.append(rim)
            away = np.abs(np.hypot(where[:, 0] - rim.y, where[:, 1] - rim.x) - rim.radius)
            own = where[away <= 2 * _near(rim.radius)]
            points[own[:, 0], own[:, 1]] = False
    return found


def share_inside(seen: Look, rims: list[Rim]) -> float:
    """Return the share of the tissue that lies inside of circles, 0 to 1."""
    tissue = np.argwhere(seen.tissue)
    if not len(tissue):
        return 0.0
    inside = np.zeros(len(tissue), bool)
    for rim in rims:
        inside |= np.hypot(tissue[:, 0] - rim.y, tissue[:, 1] - rim.x) <= rim.radius
    return float(inside.mean())


def _points(seen: Look) -> NDArray[np.bool_]:
    """Return the thin places that are greyer than what lies around them."""
    grey = _grey(seen)
    if grey is None:
        return np.zeros(seen.seen.shape, bool)
    side = 2 * round(THIN_UM / seen.um / 2) + 1
    usual = grey[seen.tissue]
    varies = 1.4826 * float(np.median(np.abs(usual - np.median(usual)))) if len(usual) else 0.0
    rise = grey - grey_opening(grey, (side, side))
    return np.asarray((rise >= max(RISE, NOISE * varies)) & seen.seen)


def _grey(seen: Look) -> NDArray[np.float32] | None:
    """Return how much of the density no stain explains, hundredths; None where that is not told.

    In tissue the density of blue is a sum of shares of those of red and green, whatever the
    amounts of two stains are. Something grey adds alike to all three.
    """
    red, green, blue = (channel.astype(np.float32) for channel in seen.density)
    where = np.flatnonzero(seen.tissue)
    some = where[:: 1 + len(where) // SAMPLE]
    if len(some) < 100:
        return None
    stains = np.stack([red.ravel()[some], green.ravel()[some]], axis=1)
    seen_blue, kept = blue.ravel()[some], np.ones(len(some), bool)
    for _ in range(4):  # without what is grey, or otherwise apart
        (a, c), *_ = np.linalg.lstsq(stains[kept], seen_blue[kept], rcond=None)
        beside = np.abs(seen_blue - stains @ (a, c))
        kept = beside <= np.percentile(beside, 80)
    left = float(1 - a - c)
    if left < LEFT:
        return None
    return np.asarray(np.maximum((blue - a * red - c * green) / left, 0), np.float32)


def _pieces(points: NDArray[np.bool_], longest_px: float) -> Iterator[NDArray[np.int64]]:
    """Yield the connected pieces of some length, the largest first; drop the others in place."""
    numbered, count = label(points, np.ones((3, 3)))
    where = np.argwhere(points)
    number = numbered[where[:, 0], where[:, 1]]
    order = np.argsort(number, kind="stable")
    parts = np.split(where[order], np.flatnonzero(np.diff(number[order])) + 1) if count else []
    long = [part for part in parts if np.hypot(*np.ptp(part, axis=0)) >= longest_px]
    points[:] = False
    for part in long:
        points[part[:, 0], part[:, 1]] = True
    yield from sorted(long, key=len, reverse=True)


def _circle(
    seen: Look,
    piece: NDArray[np.int64],
    where: NDArray[np.int64],
    random: np.random.Generator,
) -> Rim | None:
    """Return the best circle through three points of a piece, if it goes around."""
    low, high = (radius / seen.um for radius in RADII_UM)
    some = where if len(where) <= MOST_POINTS else where[random.choice(len(where), MOST_POINTS)]
    best, most = None, 0.0
    for y, x, radius in _through(piece[random.integers(0, len(piece), (TRIALS, 3))]):
        if not low <= radius <= high:
            continue
        rim = Rim(float(y), float(x), float(radius))
        share = _covered(seen, rim, some)
        if share > most:
            best, most = rim, share
    if best is None or most < AROUND / 2:
        return None
    best = _refined(best, where)
    return best if _covered(seen, best, where) >= AROUND and low <= best.radius <= high else None


def _through(three: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return middle and radius of the circles through ``(n, 3, 2)`` points, where there is one."""
    (ay, ax), (by, bx), (cy, cx) = np.moveaxis(three.astype(np.float64), 0, -1)
    by, bx, cy, cx = by - ay, bx - ax, cy - ay, cx - ax
    twice = 2 * (bx * cy - by * cx)
    flat = np.abs(twice) < 1e-6
    twice[flat] = 1.0
    b, c = bx * bx + by * by, cx * cx + cy * cy
    x, y = (cy * b - by * c) / twice, (bx * c - cx * b) / twice
    return np.asarray(np.stack([ay + y, ax + x, np.hypot(y, x)], axis=1)[~flat])


def _near(radius: float) -> float:
    return NEAR_PX + NEAR * radius


def _covered(seen: Look, rim: Rim, where: NDArray[np.int64]) -> float:
    """Return the share of the directions that were seen in which a point lies on the circle."""
    dy, dx = where[:, 0] - rim.y, where[:, 1] - rim.x
    on = np.abs(np.hypot(dy, dx) - rim.radius) <= _near(rim.radius)
    if not on.any():
        return 0.0
    turn = (np.arctan2(dy[on], dx[on]) / (2 * np.pi) * BINS).astype(np.int64) % BINS
    visible = _at(seen.seen, rim, rim.radius)
    if visible.mean() < LEAST_SEEN:
        return 0.0
    hit = np.zeros(BINS, bool)
    hit[turn] = True
    return float((hit & visible).sum() / visible.sum())


def _refined(rim: Rim, where: NDArray[np.int64]) -> Rim:
    """Fit a circle to the points near one (Kasa, IEEE Trans Instrum Meas 1976, 25, 8)."""
    for _ in range(3):
        dy, dx = where[:, 0] - rim.y, where[:, 1] - rim.x
        on = np.abs(np.hypot(dy, dx) - rim.radius) <= _near(rim.radius)
        if np.count_nonzero(on) < 6:
            return rim
        y, x = dy[on], dx[on]
        terms = np.stack([2 * y, 2 * x, np.ones(len(y))], axis=1)
        (down, right, rest), *_ = np.linalg.lstsq(terms, y * y + x * x, rcond=None)
        radius = float(np.sqrt(max(rest + down**2 + right**2, 1.0)))
        rim = Rim(rim.y + float(down), rim.x + float(right), radius)
    return rim


def _is_dark(seen: Look, rim: Rim) -> bool:
    """Say whether a circle is denser than what lies inside and outside, in all channels alike."""
    near, beside = _near(rim.radius), THIN_UM / 2 / seen.um + 1
    steps = np.arange(-near, near + 0.5)
    across = np.stack([_at(seen.density, rim, rim.radius + step) for step in steps]).astype(float)
    densest = across.min(axis=1).argmax(axis=0)
    rise = []
    for side in (-1, 1):
        flank = [
            _at(seen.density, rim, rim.radius + side * (near + beside + more)) for more in (0, 1, 2)
        ]
        own = across[densest, :, np.arange(BINS)].T
        rise.append(own - np.median(flank, axis=0))
    visible = _at(seen.seen, rim, rim.radius).astype(bool)
    least = np.median(np.minimum(*rise)[:, visible], axis=1)
    mean = np.median((rise[0] + rise[1])[:, visible] / 2, axis=1)
    return bool(least.min() >= RISE and mean.min() >= EVEN * mean.max())


def _at(values: NDArray[Any], rim: Rim, radius: float) -> NDArray[Any]:
    """Return the values of a map in every direction at a distance; outside of it there are none."""
    angle = (np.arange(BINS) + 0.5) / BINS * 2 * np.pi
    y = np.rint(rim.y + radius * np.sin(angle)).astype(np.int64)
    x = np.rint(rim.x + radius * np.cos(angle)).astype(np.int64)
    height, width = values.shape[-2:]
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    found = values[..., np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return np.where(inside, found, 0)
