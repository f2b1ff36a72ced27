"""Fat droplets: where they lie, how large they are, and which touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lattice import Box, Doubles, Floats, Ints, Lattice, key_of, noise
from .stamp import Ellipses
from .vessels import zone

CLASSES = (("large", 37.0), ("middle", 15.0), ("small", 5.5))
"""Name and lattice pitch, um, of the size classes; at most one droplet per lattice square."""

RADII_UM = {"large": (6.0, 25.0), "middle": (2.6, 8.0), "small": (1.2, 3.2)}
REACH_UM = 40.0
"""No droplet, nor the thinning that decides on it, reaches further than this, um."""


@dataclass(frozen=True, slots=True)
class Droplets:
    """Droplets of a box: outlines, and an identity that holds over the whole slide."""

    outlines: Ellipses
    identity: Ints

    def where(self, chosen: NDArray[np.bool_]) -> Droplets:
        """Return some of the rows."""
        return Droplets(self.outlines.where(chosen), self.identity[chosen])


@dataclass(frozen=True, slots=True)
class Fat:
    """The population of droplets of one liver.

    Parameters
    ----------
    seed : int
        Seed of the drawn liver.
    amount : float
        Chance of a droplet per lattice square before zone, cell and crowding.
    size : float
        Share of fat in large droplets, 0 to 1.
    """

    seed: int
    amount: float
    size: float

    def droplets(self, box: Box) -> Droplets:
        """Return all droplets whose centre lies in a box, in a fixed order."""
        kept: list[Droplets] = []
        if self.amount <= 0:
            return _none()
        for order, (name, pitch) in enumerate(CLASSES):
            crowd = box.grow((3 - order) * REACH_UM)
            found, grid = self._candidates(name, pitch, order, crowd)
            alive = grid >= 0
            alive &= ~_crowded(found, grid, pitch)
            for larger in kept:
                alive &= ~_covered(found, larger.outlines)
            kept.append(found.where(alive))
        joined = Droplets(
            Ellipses.joined([k.outlines for k in kept]),
            np.concatenate([k.identity for k in kept]),
        )
        inside = joined.where(box.holds(joined.outlines.y, joined.outlines.x))
        return inside.where(np.argsort(inside.identity))  # type: ignore[arg-type]

    def _candidates(self, name: str, pitch: float, order: int, box: Box) -> tuple[Droplets, Ints]:
        """Return one candidate per lattice square, and its radius rank or -1 where none is."""
        lattice = Lattice(self.seed, f"{name} droplet", pitch, 0.95)
        i, j = (a.ravel() for a in lattice.squares(box))
        y, x = lattice.points(i, j)
        there = lattice.draw(i, j, "there") < self._chance(name, y, x)
        i, j, y, x = i[there], j[there], y[there], x[there]
        low, high = RADII_UM[name]
        spread = _bell(lattice, i, j)
        middle = {"large": 6.5 + 6.5 * self.size, "middle": 3.9, "small": 1.75}[name]
        radius = np.clip(middle * np.exp(0.33 * spread), low, high)
        stretch = 1 + 0.22 * lattice.draw(i, j, "stretch").astype(np.float64) ** 2
        outlines = Ellipses(
            y,
            x,
            radius,
            stretch,
            np.pi * lattice.draw(i, j, "angle").astype(np.float64),
            lattice.draw(i, j, "mark").astype(np.float64),
        )
        identity = 1 + order + 3 * (((i + (1 << 20)) << 21) + j + (1 << 20))
        return Droplets(outlines, identity), np.arange(len(i))

    def _chance(self, name: str, y: Doubles, x: Doubles) -> Floats:
        """Return the chance of a droplet: more around central veins, in patches, per cell."""
        towards = zone(self.seed, y, x)
        patch = noise(y, x, 210.0, key_of(self.seed, "fat patch"))
        cluster = noise(y, x, 19.0, key_of(self.seed, f"{name} cluster"))
        share = {
            "large": 0.25 + 0.75 * self.size,
            "middle": 0.30 + 0.35 * (1 - abs(2 * self.size - 1)),
            "small": 0.12 + 0.5 * (1 - self.size),
        }[name]
        field = (0.45 + 0.9 * towards) * (0.2 + 1.5 * patch)
        if name != "large":
            field = field * np.clip(3.2 * cluster - 0.75, 0.02, 3)
        return np.clip(self.amount * share * field, 0, 1)


def _none() -> Droplets:
    empty = np.zeros(0)
    return Droplets(Ellipses(*([empty] * 6)), np.zeros(0, np.int64))


def _bell(lattice: Lattice, i: Ints, j: Ints) -> Doubles:
    """Return about normal numbers: the scaled sum of four uniform ones."""
    total = sum(lattice.draw(i, j, f"bell {k}").astype(np.float64) for k in range(4))
    return (np.asarray(total) - 2) * np.sqrt(3)


def _crowded(found: Droplets, grid: Ints, pitch: float) -> NDArray[np.bool_]:
    """Return which droplets overlap a larger one of their class too much to both exist."""
    from scipy.spatial import cKDTree

    shapes = found.outlines
    crowded = np.zeros(len(grid), bool)
    if len(grid) < 2:
        return crowded
    points = np.column_stack([shapes.y, shapes.x])
    pairs = cKDTree(points).query_pairs(2 * float(shapes.radius.max()), output_type="ndarray")
    a, b = pairs[:, 0], pairs[:, 1]
    away = np.hypot(shapes.y[a] - shapes.y[b], shapes.x[a] - shapes.x[b])
    ra, rb = shapes.radius[a], shapes.radius[b]
    clash = away < np.maximum(ra, rb) + 0.72 * np.minimum(ra, rb)
    a_first = (ra > rb) | ((ra == rb) & (found.identity[a] < found.identity[b]))
    crowded[np.where(a_first, b, a)[clash]] = True
    return crowded


def _covered(found: Droplets, larger: Ellipses) -> NDArray[np.bool_]:
    """Return which droplets overlap a droplet of a larger class too much to be seen."""
    from scipy.spatial import cKDTree

    covered = np.zeros(len(found.identity), bool)
    if not len(larger) or not len(covered):
        return covered
    shapes = found.outlines
    tree = cKDTree(np.column_stack([larger.y, larger.x]))
    limit = float(larger.radius.max() + shapes.radius.max())
    near = cKDTree(np.column_stack([shapes.y, shapes.x])).sparse_distance_matrix(
        tree, limit, output_type="coo_matrix"
    )
    reach = larger.radius[near.col] + 0.75 * shapes.radius[near.row]
    covered[near.row[near.data < reach]] = True
    return covered
