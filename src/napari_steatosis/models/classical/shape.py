"""What a candidate's outline looks like: moments, roundness, hull."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .hull import Hulls, rim_depth
from .parts import Doubles, Parts

LEAST_MOMENT = 1e-12
"""Smaller Hu moments count as this: of symmetric places they are rounding errors."""


def hu_moments(parts: Parts) -> Doubles:
    """Return the seven moments of Hu (1962), ``(n, 7)``: they know no place, size or turn."""
    n = _normalised(parts)
    p, m = n[3, 0] + n[1, 2], n[2, 1] + n[0, 3]
    q, r = n[3, 0] - 3 * n[1, 2], 3 * n[2, 1] - n[0, 3]
    apart = n[2, 0] - n[0, 2]
    along, across = p**2 - 3 * m**2, 3 * p**2 - m**2
    return np.column_stack(
        [
            n[2, 0] + n[0, 2],
            apart**2 + 4 * n[1, 1] ** 2,
            q**2 + r**2,
            p**2 + m**2,
            q * p * along + r * m * across,
            apart * (p**2 - m**2) + 4 * n[1, 1] * p * m,
            r * p * along - q * m * across,
        ]
    )


def log_hu(moments: Doubles) -> Doubles:
    """Return ``-sign(h) log10 |h|``, which brings Hu moments to one scale.

    Examples
    --------
    >>> log_hu(np.array([1e-3, -1e-5, 0.0])).tolist()
    [3.0, -5.0, 12.0]
    """
    sign = np.where(moments < 0, -1.0, 1.0)
    return -sign * np.log10(np.maximum(np.abs(moments), LEAST_MOMENT))


def _normalised(parts: Parts) -> dict[tuple[int, int], Doubles]:
    """Return the scale-free central moments up to the third order, by powers of (x, y)."""
    dy, dx = parts.away
    area = parts.area.astype(np.float64)
    xx, yy, xy = dx * dx, dy * dy, dx * dy
    second = {(2, 0): xx, (1, 1): xy, (0, 2): yy}
    third = {(3, 0): xx * dx, (2, 1): xx * dy, (1, 2): yy * dx, (0, 3): yy * dy}
    found = {powers: parts.sums(values) / area**2 for powers, values in second.items()}
    return found | {powers: parts.sums(values) / area**2.5 for powers, values in third.items()}


def eccentricity(parts: Parts) -> Doubles:
    """Return the eccentricity of the ellipse of equal second moments, 0 (disc) to 1."""
    dy, dx = parts.away
    xx, yy, xy = (parts.sums(values) / parts.area for values in (dx * dx, dy * dy, dx * dy))
    middle, reach = (xx + yy) / 2, np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    return np.sqrt(np.clip(2 * reach / np.maximum(middle + reach, 1e-12), 0, 1))


def perimeter(parts: Parts) -> Doubles:
    """Return the length of the rim, px, as ``skimage.measure.perimeter`` has it (Benkrid 2000)."""
    rim = np.zeros(len(parts.padded), np.int32)
    own = parts.part[parts.rim] + 1
    place = parts.place[parts.rim]
    rim[place] = own
    code = np.ones(len(place), np.int64)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            if dy or dx:
                code += (10 if dy and dx else 2) * (rim[place + parts.step(dy, dx)] == own)
    return np.bincount(own - 1, _lengths()[code], len(parts)).astype(np.float64)


@lru_cache(maxsize=1)
def _lengths() -> NDArray[np.float64]:
    lengths = np.zeros(50)
    lengths[[5, 7, 15, 17, 25, 27]] = 1
    lengths[[21, 33]] = np.sqrt(2)
    lengths[[13, 23]] = (1 + np.sqrt(2)) / 2
    return lengths


def crofton_perimeter(parts: Parts) -> Doubles:
    """Return the length of the rim, px, from how often lines in four directions enter (Crofton).

    Equal to ``skimage.measure.perimeter_crofton(directions=4)``.
    """
    straight = (~parts.beside(-1, 0)).astype(np.int64) + ~parts.beside(0, -1)
    slanting = (~parts.beside(-1, -1)).astype(np.int64) + ~parts.beside(-1, 1)
    return np.pi / 4 * (parts.sums(straight) + parts.sums(slanting) / np.sqrt(2))


def roundness(parts: Parts, *, crofton: bool = True) -> Doubles:
    """Return ``4 pi area / perimeter ** 2``: 1 for a disc, less for everything else.

    On the pixel grid, with ``crofton=False``, small discs come out well above 1; with it they
    are close, and 1 is the most that is returned.
    """
    length = crofton_perimeter(parts) if crofton else perimeter(parts)
    found = 4 * np.pi * parts.area / np.maximum(length, 1e-9) ** 2
    return np.minimum(found, 1.0) if crofton else np.where(length > 0, found, 0.0)


def hull_shape(parts: Parts) -> tuple[Doubles, Doubles, Doubles]:
    """Return mean and deviation of the rim's distance to the hull, px, and the solidity."""
    hulls = Hulls.of(parts)
    mean, spread = rim_depth(parts, hulls)
    return mean, spread, parts.area / hulls.pixels()
