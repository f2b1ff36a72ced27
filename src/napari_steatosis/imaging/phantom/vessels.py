"""Central veins and portal tracts, and the zone between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lattice import Box, Doubles, Floats, Lattice, key_of, noise
from .stamp import Ellipses

LOBULE_UM = 460.0
VESSEL_REACH_UM = 190.0
"""A tract and all that belongs to it lie within this distance of its lattice point, um."""

KINDS = ("central vein", "portal vein", "artery", "duct")
"""What a lumen can belong to."""


@dataclass(frozen=True, slots=True)
class Vessels:
    """What a box of tissue holds of vessels.

    Parameters
    ----------
    lumina : Ellipses
        White insides of veins, arteries and ducts.
    kinds : (n,) int64
        What each lumen belongs to, an index of `KINDS`.
    walls : Ellipses
        The same with their walls.
    tracts : Ellipses
        Fibrous portal tracts.
    ducts : Ellipses
        Bile ducts, whose wall is a ring of nuclei.
    """

    lumina: Ellipses
    kinds: NDArray[np.int64]
    walls: Ellipses
    tracts: Ellipses
    ducts: Ellipses


def vessels_in(seed: int, box: Box) -> Vessels:
    """Return the vessels that may reach into a box."""
    wide = box.grow(VESSEL_REACH_UM)
    veins, vein_walls = _central(seed, wide)
    tracts = _tracts(seed, wide)
    lumina, walls = [veins], [vein_walls]
    parts = {}
    for order, (name, chance, low, high, wall) in enumerate(
        (
            ("portal vein", 0.9, 7.0, 26.0, 2.0),
            ("artery", 0.75, 2.0, 5.5, 4.5),
            ("duct", 0.9, 2.5, 6.0, 7.0),
        )
    ):
        inner, outer = _part_of_tract(seed, wide, (name, chance, low, high, wall), order)
        lumina.append(inner)
        walls.append(outer)
        parts[name] = outer
    kinds = np.repeat(np.arange(len(KINDS)), [len(one) for one in lumina])
    return Vessels(Ellipses.joined(lumina), kinds, Ellipses.joined(walls), tracts, parts["duct"])


def zone(seed: int, y: Doubles, x: Doubles) -> Floats:
    """Return 0 at portal tracts to 1 at central veins, smoothly, at points."""
    away = _to_point(seed, "central vein", y, x), _to_point(seed, "portal tract", y, x)
    wobble = 0.3 * (noise(y, x, 150.0, key_of(seed, "zone")) - 0.5)
    return np.clip(away[1] / (away[0] + away[1] + np.float32(1e-3)) + wobble, 0, 1)


def _lattice(seed: int, name: str) -> Lattice:
    return Lattice(seed, name, LOBULE_UM, 0.5)


def _central(seed: int, box: Box) -> tuple[Ellipses, Ellipses]:
    lattice = _lattice(seed, "central vein")
    i, j = (a.ravel() for a in lattice.squares(box))
    y, x = lattice.points(i, j)
    chosen = lattice.draw(i, j, "there") < 0.75
    radius = 7 + 30 * lattice.draw(i, j, "radius").astype(np.float64) ** 2
    inner = Ellipses(
        y,
        x,
        radius,
        1 + 0.8 * lattice.draw(i, j, "stretch").astype(np.float64),
        np.pi * lattice.draw(i, j, "angle").astype(np.float64),
        lattice.draw(i, j, "mark").astype(np.float64),
    ).where(chosen)
    return inner, _walled(inner, 2.0)


def _tracts(seed: int, box: Box) -> Ellipses:
    lattice = _lattice(seed, "portal tract")
    i, j = (a.ravel() for a in lattice.squares(box))
    y, x = lattice.points(i, j)
    half = LOBULE_UM / 2
    return Ellipses(
        y + half,
        x + half,
        18 + 50 * lattice.draw(i, j, "radius").astype(np.float64) ** 2,
        1 + 0.9 * lattice.draw(i, j, "stretch").astype(np.float64),
        np.pi * lattice.draw(i, j, "angle").astype(np.float64),
        lattice.draw(i, j, "mark").astype(np.float64),
    ).where(lattice.draw(i, j, "there") < 0.7)


def _part_of_tract(
    seed: int, box: Box, kind: tuple[str, float, float, float, float], order: int
) -> tuple[Ellipses, Ellipses]:
    name, chance, low, high, wall = kind
    tracts = _tracts(seed, box)
    lattice = Lattice(seed, name, 1.0, 0.0)
    i, j = np.floor(tracts.y).astype(np.int64), np.floor(tracts.x).astype(np.int64)
    size = lattice.draw(i, j, "radius").astype(np.float64)
    radius = np.minimum(low + (high - low) * size**2, 0.38 * tracts.radius)
    angle = tracts.mark * 2 * np.pi + order * 2 * np.pi / 3
    away = np.maximum(0.5 * tracts.radius, radius)
    inner = Ellipses(
        tracts.y + away * np.sin(angle),
        tracts.x + away * np.cos(angle),
        radius,
        1 + 0.6 * lattice.draw(i, j, "stretch").astype(np.float64),
        np.pi * lattice.draw(i, j, "angle").astype(np.float64),
        lattice.draw(i, j, "mark").astype(np.float64),
    ).where(lattice.draw(i, j, "there") < chance)
    return inner, _walled(inner, wall)


def _walled(inner: Ellipses, wall: float) -> Ellipses:
    return Ellipses(inner.y, inner.x, inner.radius + wall, inner.stretch, inner.angle, inner.mark)


def _to_point(seed: int, name: str, y: Doubles, x: Doubles) -> Floats:
    """Return the distance to the nearest lattice point of `name`, um."""
    lattice = _lattice(seed, name)
    shift = LOBULE_UM / 2 if name == "portal tract" else 0.0
    v, u = y - shift, x - shift
    i = np.floor(v / LOBULE_UM).astype(np.int64)
    j = np.floor(u / LOBULE_UM).astype(np.int64)
    shape = np.broadcast_shapes(y.shape, x.shape)
    least = np.full(shape, np.inf, np.float32)
    if not least.size:
        return least
    rows = np.arange(i.min() - 1, i.max() + 2)
    columns = np.arange(j.min() - 1, j.max() + 2)
    py, px = lattice.points(*np.meshgrid(rows, columns, indexing="ij"))
    i, j = i - rows[0], j - columns[0]
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            a, b = (v - py[i + di, j + dj]), (u - px[i + di, j + dj])
            least = np.minimum(least, np.sqrt(a * a + b * b).astype(np.float32))
    return least
