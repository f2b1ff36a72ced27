"""What lies where in a view: voids, vessels, fat. The picture and the truth share it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .droplets import REACH_UM, Droplets, Fat, thinned
from .lattice import Box, Doubles, Floats, key_of, noise
from .outline import Outline
from .packing import PACKED_FROM, Packed
from .stamp import Ellipses, Near, stamp
from .style import Style
from .vessels import Vessels, vessels_in
from .view import View

MOST_PER_PERCENT = 0.25

SAMPLE_UM2 = 4.0e6
"""The amount of fat is fitted on the whole of slides up to this area, else on a sample, um2."""

RIM_UM, RIM_POINTS = 2.0, 16
"""So much tissue lies around packed droplets, um, asked for in so many directions."""

GAP_PX = 1.7
"""Distinct droplets that touch are kept apart in the truth by about one pixel."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that decides what is drawn, but not how finely.

    Parameters
    ----------
    seed : int
        Seed of the drawn liver.
    style : Style
        Stain and condition.
    outline : Outline
        Where tissue ends.
    fat_percent : float
        Wanted fat area in percent of the parenchyma.
    """

    seed: int
    style: Style
    outline: Outline
    fat_percent: float

    def droplets(self, box: Box) -> Droplets:
        """Return the droplets whose centre lies in a box."""
        amount = fitted_amount(self)
        found = thinned(self.candidates(box, amount), amount)
        return found.where(box.holds(found.outlines.y, found.outlines.x))

    def candidates(self, box: Box, most: float) -> list[Droplets]:
        """Return what may lie in the parenchyma of a box, clear of edges and vessels."""
        fat = self.fat
        vessels = vessels_in(self.seed, box.grow(fat.reach_um))
        pool = fat.candidates(box, most)
        return [found.where(self._holds(found.outlines, vessels)) for found in pool]

    @property
    def fat(self) -> Fat | Packed:
        """Where droplets could lie."""
        if self.fat_percent > PACKED_FROM:
            return Packed(self.seed)
        return Fat(self.seed, self.style.size, self.style.swelling)

    def _holds(self, shapes: Ellipses, vessels: Vessels) -> NDArray[np.bool_]:
        deep = self.outline.depth(shapes.y, shapes.x)
        clear = np.minimum(vessels.walls.distance(shapes.y, shapes.x), deep)
        clear = np.minimum(clear, vessels.tracts.distance(shapes.y, shapes.x) + 2)
        inside = clear > 0.9 * shapes.radius * shapes.stretch
        if self.fat_percent > PACKED_FROM:
            inside[inside] = self._is_closed(shapes.where(inside))
        return inside

    def _is_closed(self, shapes: Ellipses) -> NDArray[np.bool_]:
        """Return which droplets have tissue all around: open ones look like the glass.

        Depth is no exact distance beside ragged edges, so it is asked for around the droplet.
        """
        far = shapes.radius * shapes.stretch + RIM_UM
        turn = np.arange(0, 2 * np.pi, 2 * np.pi / RIM_POINTS)
        y = shapes.y[:, None] + far[:, None] * np.sin(turn)
        x = shapes.x[:, None] + far[:, None] * np.cos(turn)
        deep = self.outline.depth(y.ravel(), x.ravel()).reshape(y.shape)
        return np.asarray(deep.min(axis=1) > 0)

    def stamped(self, view: View) -> tuple[Droplets, Near]:
        """Return the droplets around a view and which is nearest to each pixel."""
        droplets = _around(self, view.box)
        return droplets, stamp(droplets.outlines, view, max(3.0, 2 * view.um))

    def voids(self, view: View, vessels: Vessels) -> tuple[Floats, Floats]:
        """Return the depth in tissue, and the signed distance to lumina (negative inside)."""
        deep = self.outline.depth(view.rows, view.columns)
        lumen = stamp(vessels.lumina, view, 12.0).distance
        wavy = noise(view.rows, view.columns, 14.0, key_of(self.seed, "lumen edge"))
        return deep, np.minimum(lumen, 50) + 4 * (wavy - 0.5)


@lru_cache(maxsize=4)
def _around(scene: Scene, box: Box) -> Droplets:
    """Return the droplets that may reach into a box; the picture and its truth share them."""
    return scene.droplets(box.grow(REACH_UM))


def truth_of(scene: Scene, view: View, step: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the class map and the droplet identities of a view."""
    under = view.under(step)
    deep, lumen = scene.voids(under, vessels_in(scene.seed, under.box))
    tissue = view.refine(np.minimum(deep, lumen), step) > 0
    droplets, near = scene.stamped(view)
    fat = (near.distance < 0) & (near.second - near.distance > GAP_PX * view.um) & tissue
    instances = np.zeros(fat.shape, np.int64)
    instances[fat] = droplets.identity[near.index[fat]]
    return tissue.astype(np.uint8) + fat, instances


@lru_cache(maxsize=256)
def fitted_amount(scene: Scene) -> float:
    """Find the amount of droplets that gives the wanted fat area on a sample of the tissue."""
    if scene.fat_percent <= 0:
        return 0.0
    boxes = _sample(scene.outline)
    tissue = sum(_tissue_um2(scene, box) for box in boxes)
    packed = scene.fat_percent > PACKED_FROM
    most = 1.0 if packed else MOST_PER_PERCENT * scene.fat_percent**1.3
    pools = [(scene.candidates(box, most), box) for box in boxes]
    low, high = 0.0, most
    for _ in range(10):
        amount = (low + high) / 2
        covered = sum(scene.fat.left * _fat_um2(pool, box, amount) for pool, box in pools)
        below = 100 * covered < scene.fat_percent * max(tissue, 1.0)
        low, high = (amount, high) if below else (low, amount)
    return (low + high) / 2


def _fat_um2(pool: list[Droplets], box: Box, amount: float) -> float:
    """Return the area of the droplets of a box, um2, each counted as if it were alone."""
    shapes = thinned(pool, amount).outlines
    radius = shapes.radius[box.holds(shapes.y, shapes.x)]
    return float(np.pi * (radius**2).sum())


def _tissue_um2(scene: Scene, box: Box) -> float:
    """Return the area of parenchyma in a box, um2, counted on points 10 um apart."""
    y, x = np.arange(box.y, box.y_end, 10.0)[:, None], np.arange(box.x, box.x_end, 10.0)[None, :]
    py, px = (a.ravel() for a in np.broadcast_arrays(y, x))
    lumen = vessels_in(scene.seed, box).lumina.distance(py, px)
    tissue = np.minimum(scene.outline.depth(py, px), lumen) > 0
    return float(tissue.mean()) * (box.y_end - box.y) * (box.x_end - box.x)


def _sample(outline: Outline) -> list[Box]:
    """Return boxes that hold the whole of a small slide, or a fair part of a large one."""
    height, width = outline.height_um, outline.width_um
    if height * width <= SAMPLE_UM2:
        return [Box(0.0, 0.0, height, width)]
    side = (min(400.0, height), min(400.0, width))
    count = int(SAMPLE_UM2 / (side[0] * side[1]))
    random = np.random.default_rng(outline.seed)
    boxes: list[Box] = []
    for _ in range(4000):
        y, x = random.uniform(0, height - side[0]), random.uniform(0, width - side[1])
        middle = np.array([[y + side[0] / 2]]), np.array([[x + side[1] / 2]])
        if float(outline.smooth_depth(*middle)[0, 0]) > 0:
            boxes.append(Box(y, x, y + side[0], x + side[1]))
        if len(boxes) == count:
            break
    return boxes or [Box(0.0, 0.0, *side)]


def nearest_free(y: Doubles, x: Doubles, droplets: Droplets, size: Doubles) -> NDArray[np.float64]:
    """Return how points move out of droplets, as ``(n, 2)`` shifts in um."""
    shapes = droplets.outlines
    shift = np.zeros((len(y), 2))
    for k in np.flatnonzero(shapes.radius > 4):
        dy, dx = y - shapes.y[k], x - shapes.x[k]
        away = np.hypot(dy, dx)
        push = shapes.radius[k] * 1.03 + 0.75 * size - away
        moved = (push > 0) & (away < shapes.radius[k] + size)
        ratio = np.where(moved, push / np.maximum(away, 0.5), 0)
        shift += np.column_stack([dy * ratio, dx * ratio]) * (shift == 0).all(1)[:, None]
    return shift
