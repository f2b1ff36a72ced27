"""The hepatocytes of a drawn liver: where their nuclei lie, and which cell is whose."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cells import CELL_UM, cell_lattice, hepatocyte_nuclei
from .damage import loose
from .droplets import Droplets
from .lattice import Box
from .scene import nearest_free
from .stamp import Ellipses
from .style import Style
from .vessels import Vessels
from .view import View


def drawn_nuclei(
    seed: int, style: Style, box: Box, vessels: Vessels, droplets: Droplets
) -> Ellipses:
    """Return the nuclei of hepatocytes around a box, clear of vessels, beside droplets.

    Parameters
    ----------
    seed : int
        Seed of the drawn liver.
    style : Style
        Its condition.
    box : Box
        Tissue, um; nuclei whose cell lies in it.
    vessels : Vessels
        Of the box.
    droplets : Droplets
        That would hide nuclei; these are pushed aside and flattened there.
    """
    large = hepatocyte_nuclei(seed, box)
    free = (vessels.tracts.distance(large.y, large.x) > 4) & (
        vessels.walls.distance(large.y, large.x) > 3
    )
    if style.loose > 0:
        free &= loose(seed, style, large.y, large.x) < 0
    return _pushed(large.where(free), droplets)


def share_with_fat(
    seed: int, view: View, instances: NDArray[np.int64], classes: NDArray[np.uint8]
) -> float:
    """Return the share of hepatocytes with fat in a view, percent, nuclei shown or not.

    A droplet is that of the cell that holds most of it; a piece of it that would be a large
    droplet by itself (65 um2) counts in its own cell, too. From 3 um2 on.

    Parameters
    ----------
    seed : int
        Seed of the drawn liver.
    view : View
        What the arrays show.
    instances, classes : (y, x) int64, uint8
        Droplet of each pixel, and its true class; cells whose middle is no tissue do not count.
    """
    from scipy.spatial import cKDTree

    lattice, box = cell_lattice(seed), view.box
    i, j = lattice.squares(box.grow(2 * CELL_UM))
    middles = np.stack([of.ravel() for of in lattice.points(i, j)], axis=1)
    rows, columns = np.nonzero(instances)
    at = np.stack([view.rows.ravel()[rows], view.columns.ravel()[columns]], axis=1)
    _, cell = cKDTree(middles).query(at)
    pairs, px = np.unique(
        np.stack([instances[rows, columns], cell], axis=1), axis=0, return_counts=True
    )
    _, droplet = np.unique(pairs[:, 0], return_inverse=True)
    most = np.zeros(int(droplet.max(initial=-1)) + 1, np.int64)
    np.maximum.at(most, droplet, px)
    um2 = px * view.um**2
    own = (um2 >= 3) & ((px == most[droplet]) | (um2 >= 65))
    with_fat = np.isin(np.arange(len(middles)), pairs[own, 1])
    inside = np.flatnonzero(box.grow(-CELL_UM).holds(middles[:, 0], middles[:, 1]))
    place = np.rint((middles[inside] - view.origin_um) / view.um).astype(int) - (view.y, view.x)
    tissue = inside[classes[place[:, 0], place[:, 1]] > 0]
    return 100 * float(with_fat[tissue].mean()) if len(tissue) else float("nan")


def _pushed(nuclei: Ellipses, droplets: Droplets) -> Ellipses:
    """Move nuclei beside the droplets that would hide them, and flatten them there."""
    shift = nearest_free(nuclei.y, nuclei.x, droplets, nuclei.radius)
    moved = (shift != 0).any(1)
    tangent = np.arctan2(shift[:, 0], shift[:, 1]) + np.pi / 2
    return Ellipses(
        nuclei.y + shift[:, 0],
        nuclei.x + shift[:, 1],
        np.where(moved, 0.85 * nuclei.radius, nuclei.radius),
        np.where(moved, 1.5, nuclei.stretch),
        np.where(moved, tangent, nuclei.angle),
        nuclei.mark,
    )
