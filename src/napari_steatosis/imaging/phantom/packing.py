"""Fat beyond what lies loosely: droplets of many sizes, packed until little else is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from .droplets import Droplets, bell
from .lattice import Box, Lattice
from .stamp import Ellipses

PACKED_FROM = 45.0
"""Above this share of the parenchyma, percent, droplets are packed."""

PASSES = (
    (31.0, 0.60, 15.0, 0.20),
    (22.0, 0.90, 10.0, 0.25),
    (17.0, 0.90, 7.5, 0.25),
    (13.0, 0.95, 5.6, 0.25),
    (11.0, 0.95, 4.2, 0.25),
    (9.0, 0.95, 3.2, 0.25),
)
"""Pitch of the lattice, um, its jitter, median radius, um, and spread of its logarithm. Each pass
fills what the ones before it left."""

LEAST_UM, MOST_UM = 1.3, 26.0
"""Radii, um."""

FAR_UM = 170.0
"""No droplet depends on what lies further away, um: a chain through all passes is shorter."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Where packed droplets could lie in one liver.

    Parameters
    ----------
    seed : int
        Seed of the drawn liver.
    """

    seed: int

    left: ClassVar[float] = 0.94
    """Share of the area of droplets that is left where neighbours cut each other."""
    reach_um: ClassVar[float] = FAR_UM
    """Candidates reach so far beyond the box that is asked for, um."""

    def candidates(self, box: Box, most: float) -> list[Droplets]:
        """Return per pass what may lie in a box, and around it what may displace it.

        Parameters
        ----------
        box : Box
            The tissue asked for.
        most : float
            Candidates rarer than this are left out.
        """
        wide = box.grow(FAR_UM)
        return [self._of_pass(order, wide, most) for order in range(len(PASSES))]

    def _of_pass(self, order: int, box: Box, most: float) -> Droplets:
        pitch, jitter, middle, spread = PASSES[order]
        lattice = Lattice(self.seed, f"packed droplet {order}", pitch, jitter)
        i, j = (a.ravel() for a in lattice.squares(box))
        rarity = lattice.draw(i, j, "there").astype(np.float64)
        there = rarity < most
        i, j, rarity = i[there], j[there], rarity[there]
        y, x = lattice.points(i, j)
        outlines = Ellipses(
            y,
            x,
            np.clip(middle * np.exp(spread * bell(lattice, i, j)), LEAST_UM, MOST_UM),
            1 + 0.2 * lattice.draw(i, j, "stretch").astype(np.float64) ** 2,
            np.pi * lattice.draw(i, j, "angle").astype(np.float64),
            lattice.draw(i, j, "mark").astype(np.float64),
        )
        identity = 1 + order + len(PASSES) * (((i + (1 << 20)) << 21) + j + (1 << 20))
        return Droplets(outlines, identity, rarity)
