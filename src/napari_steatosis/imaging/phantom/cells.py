"""Hepatocytes as a Voronoi mosaic, and the sinusoids between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lattice import Box, Doubles, Floats, Ints, Lattice, key_of, noise, uniform
from .stamp import Ellipses
from .style import Style
from .view import View

CELL_UM = 21.0
Cells = NDArray[np.int32]


def cell_lattice(seed: int) -> Lattice:
    """Return the lattice whose points are the middles of hepatocytes."""
    return Lattice(seed, "hepatocyte", CELL_UM, 0.75)


@dataclass(frozen=True, slots=True)
class Mosaic:
    """The hepatocytes under a coarse grid.

    Parameters
    ----------
    border : (y, x) float32
        Distance to the border of the cell, um.
    sinusoid : (y, x) float32
        Signed distance to the outline of sinusoids, um, positive inside.
    shade : (y, x) float32
        A number in [0, 1) per cell.
    clear : (y, x) float32
        Another number in [0, 1) per cell.
    """

    border: Floats
    sinusoid: Floats
    shade: Floats
    clear: Floats


def mosaic(seed: int, style: Style, view: View) -> Mosaic:
    """Return the cells under the pixels of a coarse view (F1 and F2 of nine neighbours)."""
    lost = rounding_passes(view.um)
    cells = _sharp_mosaic(seed, style, view.grow(lost))
    inner = slice(lost, lost + view.height), slice(lost, lost + view.width)
    return Mosaic(
        cells.border[inner],
        rounded(cells.sinusoid, lost),
        cells.shade[inner],
        cells.clear[inner],
    )


def rounding_passes(um: float) -> int:
    """Return how many binomial passes smooth over about 1.5 um; each costs a pixel per side."""
    return min(8, round(2 * (1.5 / um) ** 2))


def rounded(values: Floats, passes: int) -> Floats:
    """Smooth, which rounds corners and tapers the ends of sinusoids."""
    for _ in range(passes):
        values = values[:-2] + 2 * values[1:-1] + values[2:]
        values = (values[:, :-2] + 2 * values[:, 1:-1] + values[:, 2:]) * np.float32(1 / 16)
    return values


def _sharp_mosaic(seed: int, style: Style, view: View) -> Mosaic:
    lattice = cell_lattice(seed)
    i, j = lattice.squares(view.box.grow(2 * CELL_UM))
    y, x = lattice.points(i, j)
    wavy_y, wavy_x = _waves(seed, view, "wavy y"), _waves(seed, view, "wavy x")
    row = np.floor(view.rows / CELL_UM).astype(np.int64)
    column = np.floor(view.columns / CELL_UM).astype(np.int64)
    local_y = (view.rows - row * CELL_UM).astype(np.float32) + wavy_y
    local_x = (view.columns - column * CELL_UM).astype(np.float32) + wavy_x
    offset_y = (y - i * CELL_UM).astype(np.float32)
    offset_x = (x - j * CELL_UM).astype(np.float32)
    width = i.shape[1]
    corner = (row - i[0, 0]) * width + (column - j[0, 0])
    first = np.full(local_y.shape, np.inf, np.float32)
    other = first.copy()
    here, there = np.zeros(first.shape, np.int32), np.zeros(first.shape, np.int32)
    corner = corner.astype(np.int32)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            cell = corner + np.int32(di * width + dj)
            dy = local_y - (offset_y.ravel()[cell] + np.float32(di * CELL_UM))
            dx = local_x - (offset_x.ravel()[cell] + np.float32(dj * CELL_UM))
            d = dy * dy + dx * dx
            nearest, next_best = d < first, d < other
            there = np.where(nearest, here, np.where(next_best, cell, there))
            other = np.where(nearest, first, np.where(next_best, d, other))
            here = np.where(nearest, cell, here)
            first = np.where(nearest, d, first)
    border = ((np.sqrt(other) - np.sqrt(first)) / 2).astype(np.float32, copy=False)
    shade = lattice.draw(i, j, "shade").ravel()
    clear = lattice.draw(i, j, "clear").ravel()
    return Mosaic(
        border,
        _sinusoids(seed, style, view, border, _edge(lattice, i, j, here, there)),
        shade[here],
        clear[here],
    )


def _waves(seed: int, view: View, name: str) -> Floats:
    """Return a displacement, um, that keeps cell borders from being straight."""
    fine = noise(view.rows, view.columns, 9.0, key_of(seed, name))
    slow = noise(view.rows, view.columns, 33.0, key_of(seed, f"slow {name}"))
    return 4 * (fine - 0.5) + 11 * (slow - 0.5)


def _edge(lattice: Lattice, i: Ints, j: Ints, here: Cells, there: Cells) -> Floats:
    """Return a number in [0, 1) per pair of neighbouring cells."""
    own = (lattice.draw(i, j, "edge").ravel() * np.float32(1 << 24)).astype(np.int64)
    return uniform(own[here] + own[there], own[here] ^ own[there], key_of(lattice.seed, "pair"))


def _sinusoids(seed: int, style: Style, view: View, border: Floats, edge: Floats) -> Floats:
    """Return the signed distance to sinusoids: open borders, pinched off here and there."""
    y, x = view.rows, view.columns
    wide = noise(y, x, 130.0, key_of(seed, "sinusoid region"))
    pinch = noise(y, x, 17.0, key_of(seed, "sinusoid pinch"))
    open_share = np.minimum(style.sinusoids * (0.2 + 1.6 * wide), np.float32(0.6))
    most = (0.8 + 1.5 * style.sinusoids) * (1 + 1.6 * style.dilation)
    width = most * (0.5 + 0.9 * wide) * (3.0 * pinch - 1.1)
    return np.where(edge < open_share, width, np.float32(-2.5)) - border + np.float32(0.75)


def hepatocyte_nuclei(seed: int, box: Box) -> Ellipses:
    """Return the nuclei of hepatocytes whose cell lies in a box; some cells have two."""
    lattice = cell_lattice(seed)
    i, j = (a.ravel() for a in lattice.squares(box))
    y, x = lattice.points(i, j)
    double = lattice.draw(i, j, "double") < 0.12
    angle = 2 * np.pi * lattice.draw(i, j, "angle").astype(np.float64)
    away = np.where(double, 4.2, 3.5 * lattice.draw(i, j, "away"))
    size = lattice.draw(i, j, "size").astype(np.float64)
    radius = 2.7 + 1.0 * size + 1.7 * np.maximum(0, size - 0.92) / 0.08
    one = Ellipses(
        y + away * np.sin(angle),
        x + away * np.cos(angle),
        np.where(double, 0.88, 1.0) * radius,
        1 + 0.22 * lattice.draw(i, j, "stretch").astype(np.float64),
        np.pi * lattice.draw(i, j, "turn").astype(np.float64),
        lattice.draw(i, j, "mark").astype(np.float64),
    )
    seen = lattice.draw(i, j, "seen") < 0.82
    two = Ellipses(
        y - away * np.sin(angle),
        x - away * np.cos(angle),
        0.85 * radius,
        one.stretch,
        -one.angle,
        one.mark,
    )
    return Ellipses.joined([one.where(seen), two.where(seen & double)])


def lining_nuclei(seed: int, share: float, box: Box) -> Ellipses:
    """Return thin nuclei (endothelium, Kupffer cells) that lie along cell borders."""
    lattice = cell_lattice(seed)
    i, j = (a.ravel() for a in lattice.squares(box))
    parts = []
    for di, dj, name in ((0, 1, "right"), (1, 0, "below")):
        y, x = lattice.points(i, j)
        y2, x2 = lattice.points(i + di, j + dj)
        slide = 0.5 * CELL_UM * (lattice.draw(i, j, f"{name} slide").astype(np.float64) - 0.5)
        angle = np.arctan2(y2 - y, x2 - x) + np.pi / 2
        size = lattice.draw(i, j, f"{name} size").astype(np.float64)
        parts.append(
            Ellipses(
                (y + y2) / 2 + slide * np.sin(angle),
                (x + x2) / 2 + slide * np.cos(angle),
                1.1 + 0.9 * size,
                1.3 + 0.9 * lattice.draw(i, j, f"{name} stretch").astype(np.float64),
                angle,
                lattice.draw(i, j, f"{name} mark").astype(np.float64),
            ).where(lattice.draw(i, j, f"{name} there") < share)
        )
    return Ellipses.joined(parts)


def scattered(
    seed: int, name: str, box: Box, size: tuple[float, float, float], chance: Doubles | float = 1.0
) -> Ellipses:
    """Return small cells: `size` is pitch of their lattice, least and greatest radius, um."""
    pitch, low, high = size
    lattice = Lattice(seed, name, pitch, 0.9)
    i, j = (a.ravel() for a in lattice.squares(box))
    y, x = lattice.points(i, j)
    return Ellipses(
        y,
        x,
        low + (high - low) * lattice.draw(i, j, "radius").astype(np.float64),
        1 + 0.35 * lattice.draw(i, j, "stretch").astype(np.float64),
        np.pi * lattice.draw(i, j, "angle").astype(np.float64),
        lattice.draw(i, j, "mark").astype(np.float64),
    ).where(lattice.draw(i, j, "there") < chance)
