"""The hepatocytes of a drawn liver: where their nuclei lie, and which cell is whose."""

from __future__ import annotations

import numpy as np

from .cells import hepatocyte_nuclei
from .damage import loose
from .droplets import Droplets
from .lattice import Box
from .scene import nearest_free
from .stamp import Ellipses
from .style import Style
from .vessels import Vessels


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
