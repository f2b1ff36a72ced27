"""Fat droplets: where they lie, how large they are, and which touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .lattice import Box, Doubles, Floats, Ints, Lattice, key_of, noise
from .stamp import Ellipses
from .vessels import zone

CLASSES = (("large", 37.0), ("middle", 15.0), ("small", 5.5))
"""Name and lattice pitch, um, of the size classes; at most one droplet per lattice square."""

RADII_UM = {"large": (6.0, 25.0), "middle": (2.6, 9.0), "small": (1.3, 3.6)}
REACH_UM = 40.0
"""No droplet, nor the thinning that decides on it, reaches further than this, um."""


@dataclass(frozen=True, slots=True)
class Droplets:
    """Droplets of a box.

    Parameters
    ----------
    outlines : Ellipses
        Where they lie.
    identity : int64
        A number per droplet that holds over the whole slide.
    rarity : float64
        A droplet is there where the amount of fat exceeds this.
    """

    outlines: Ellipses
    identity: Ints
    rarity: Doubles

    def where(self, chosen: NDArray[np.bool_] | Ints) -> Droplets:
        """Return some of the rows."""
        return Droplets(self.outlines.where(chosen), self.identity[chosen], self.rarity[chosen])

    @classmethod
    def joined(cls, parts: Sequence[Droplets]) -> Droplets:
        """Return the rows of all parts in their order."""
        return cls(
            Ellipses.joined([part.outlines for part in parts]),
            np.concatenate([part.identity for part in parts]),
            np.concatenate([part.rarity for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class Fat:
    """Where droplets could lie in one liver.

    Parameters
    ----------
    seed : int
        Seed of the drawn liver.
    size : float
        Share of fat in large droplets, 0 to 1.
    swelling : float
        Growth of the large droplets, at the cost of the others, 0 to 1.
    """

    seed: int
    size: float
    swelling: float

    left: ClassVar[float] = 0.97
    """Share of the area of droplets that is left where neighbours cut each other."""
    reach_um: ClassVar[float] = len(CLASSES) * REACH_UM
    """Candidates reach so far beyond the box that is asked for, um."""

    def candidates(self, box: Box, most: float) -> list[Droplets]:
        """Return per size class what may lie in a box, and around it what may displace it.

        Parameters
        ----------
        box : Box
            The tissue asked for.
        most : float
            Candidates rarer than this are left out.
        """
        return [
            self._of_class(order, box.grow((len(CLASSES) - order) * REACH_UM), most)
            for order in range(len(CLASSES))
        ]

    def _of_class(self, order: int, box: Box, most: float) -> Droplets:
        name, pitch = CLASSES[order]
        swelling = self.swelling if name == "large" else 0.0
        # Swollen droplets shove each other into a more even mosaic.
        pitch *= 1 + 0.3 * swelling
        lattice = Lattice(self.seed, f"{name} droplet", pitch, 0.95 - 0.55 * swelling)
        i, j = (a.ravel() for a in lattice.squares(box))
        y, x = lattice.points(i, j)
        rarity = lattice.draw(i, j, "there") / np.maximum(self._richness(name, y, x), 1e-6)
        there = rarity < most
        i, j, y, x, rarity = i[there], j[there], y[there], x[there], rarity[there]
        low, high = RADII_UM[name]
        middle = {"large": 7 + 7 * (self.size + swelling), "middle": 4.4, "small": 2.1}[name]
        outlines = Ellipses(
            y,
            x,
            np.clip(middle * np.exp((0.33 - 0.13 * swelling) * bell(lattice, i, j)), low, high),
            1 + 0.3 * lattice.draw(i, j, "stretch").astype(np.float64) ** 2,
            np.pi * lattice.draw(i, j, "angle").astype(np.float64),
            lattice.draw(i, j, "mark").astype(np.float64),
        )
        identity = 1 + order + 3 * (((i + (1 << 20)) << 21) + j + (1 << 20))
        return Droplets(outlines, identity, rarity.astype(np.float64))

    def _richness(self, name: str, y: Doubles, x: Doubles) -> Floats:
        """Return where fat gathers: around central veins, in patches, in single cells."""
        share = {
            "large": 0.25 + 0.75 * self.size,
            "middle": 0.30 + 0.35 * (1 - abs(2 * self.size - 1)),
            "small": 0.10 + 0.4 * (1 - self.size),
        }[name]
        field = share * gathering(self.seed, zone(self.seed, y, x), y, x)
        if name == "large":
            return field
        field = field * np.float32(1 - 0.9 * self.swelling)
        cluster = noise(y, x, 19.0, key_of(self.seed, f"{name} cluster"))
        return field * np.clip(3.2 * cluster - 0.75, 0.02, 3)


def gathering(seed: int, zonal: Floats, y: Doubles, x: Doubles) -> Floats:
    """Return the relative density of fat at points: central zones and patches have more."""
    patch = noise(y, x, 210.0, key_of(seed, "fat patch"))
    return (0.45 + 0.9 * zonal) * (0.2 + 1.5 * patch)


def thinned(candidates: list[Droplets], amount: float) -> Droplets:
    """Return the candidates that an amount of fat brings out and no larger one displaces.

    Whether a droplet stays depends on candidates within `REACH_UM` per size class only,
    so the same droplets come out of every box that holds them.
    """
    kept: list[Droplets] = []
    for found in candidates:
        found = found.where(found.rarity < amount)
        gone = _crowded(found)
        for larger in kept:
            gone |= _covered(found.outlines, larger.outlines)
        kept.append(found.where(~gone))
    joined = Droplets.joined(kept)
    return joined.where(np.argsort(joined.identity))


def bell(lattice: Lattice, i: Ints, j: Ints) -> Doubles:
    """Return about normal numbers: the scaled sum of four uniform ones."""
    total = sum(lattice.draw(i, j, f"bell {k}").astype(np.float64) for k in range(4))
    return (np.asarray(total) - 2) * np.sqrt(3)


def _crowded(found: Droplets) -> NDArray[np.bool_]:
    """Return which droplets overlap a larger one of their class too much to both exist."""
    from scipy.spatial import cKDTree

    shapes = found.outlines
    crowded = np.zeros(len(shapes), bool)
    if len(shapes) < 2:
        return crowded
    tree = cKDTree(np.column_stack([shapes.y, shapes.x]))
    pairs = tree.query_pairs(1.72 * float(shapes.radius.max()), output_type="ndarray")
    a, b = pairs[:, 0], pairs[:, 1]
    away = np.hypot(shapes.y[a] - shapes.y[b], shapes.x[a] - shapes.x[b])
    ra, rb = shapes.radius[a], shapes.radius[b]
    clash = away < np.maximum(ra, rb) + 0.72 * np.minimum(ra, rb)
    a_first = (ra > rb) | ((ra == rb) & (found.identity[a] < found.identity[b]))
    crowded[np.where(a_first, b, a)[clash]] = True
    return crowded


def _covered(shapes: Ellipses, larger: Ellipses) -> NDArray[np.bool_]:
    """Return which droplets overlap a droplet of a larger class too much to be seen."""
    from scipy.spatial import cKDTree

    covered = np.zeros(len(shapes), bool)
    if not len(larger) or not len(shapes):
        return covered
    tree = cKDTree(np.column_stack([shapes.y, shapes.x]))
    limit = float(larger.radius.max() + 0.75 * shapes.radius.max())
    near = tree.sparse_distance_matrix(
        cKDTree(np.column_stack([larger.y, larger.x])), limit, output_type="coo_matrix"
    )
    reach = larger.radius[near.col] + 0.75 * shapes.radius[near.row]
    covered[near.row[near.data < reach]] = True
    return covered
