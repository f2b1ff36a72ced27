"""What lies where in a view: voids, vessels, fat. The picture and the truth share it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from .droplets import Droplets, Fat
from .lattice import Box, Doubles, Floats, key_of, noise
from .outline import Outline
from .stamp import Near, stamp
from .style import Style
from .vessels import Vessels, vessels_in
from .view import View

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

    @property
    def fat(self) -> Fat:
        """The population of droplets that reaches the wanted percentage."""
        return fitted(self)

    def droplets(self, box: Box) -> Droplets:
        """Return the droplets whose centre lies in a box of tissue and not in a lumen."""
        return self.inside_tissue(self.fat.droplets(box), box)

    def inside_tissue(self, droplets: Droplets, box: Box) -> Droplets:
        """Drop droplets that would reach out of the tissue or into a vessel."""
        shapes = droplets.outlines
        if not len(shapes):
            return droplets
        deep = self.outline.depth(shapes.y, shapes.x)
        vessels = vessels_in(self.seed, box)
        clear = np.minimum(vessels.walls.distance(shapes.y, shapes.x), deep)
        clear = np.minimum(clear, vessels.tracts.distance(shapes.y, shapes.x) + 2)
        return droplets.where(clear > 0.9 * shapes.radius * shapes.stretch)

    def stamped(self, view: View, margin_um: float) -> tuple[Droplets, Near]:
        """Return the droplets around a view and which is nearest to each pixel."""
        droplets = self.droplets(view.box.grow(35.0 + margin_um))
        return droplets, stamp(droplets.outlines, view, margin_um)

    def voids(self, view: View, vessels: Vessels) -> tuple[Floats, Floats]:
        """Return the depth in tissue, and the signed distance to lumina (negative inside)."""
        deep = self.outline.depth(view.rows, view.columns)
        lumen = stamp(vessels.lumina, view, 12.0).distance
        wavy = noise(view.rows, view.columns, 14.0, key_of(self.seed, "lumen edge"))
        return deep, np.minimum(lumen, 50) + 4 * (wavy - 0.5)


def truth_of(scene: Scene, view: View, step: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the class map and the droplet identities of a view."""
    under = view.under(step)
    deep, lumen = scene.voids(under, vessels_in(scene.seed, under.box))
    tissue = view.refine(np.minimum(deep, lumen), step) > 0
    droplets, near = scene.stamped(view, 2 * view.um)
    fat = (near.distance < 0) & (near.second - near.distance > GAP_PX * view.um) & tissue
    instances = np.zeros(fat.shape, np.int64)
    instances[fat] = droplets.identity[near.index[fat]]
    return tissue.astype(np.uint8) + fat, instances


@lru_cache(maxsize=256)
def fitted(scene: Scene) -> Fat:
    """Find the amount of droplets that gives the wanted fat area on a sample of the tissue."""
    if scene.fat_percent <= 0:
        return Fat(scene.seed, 0.0, scene.style.size)
    boxes = _sample(scene.outline)
    low, high = 0.0, 12.0
    for _ in range(9):
        amount = (low + high) / 2
        fat = Fat(scene.seed, amount, scene.style.size)
        shares = [_share(scene, fat, box) for box in boxes]
        covered = sum(s[0] for s in shares) / max(sum(s[1] for s in shares), 1e-9)
        low, high = (amount, high) if 100 * covered < scene.fat_percent else (low, amount)
    return Fat(scene.seed, (low + high) / 2, scene.style.size)


def _share(scene: Scene, fat: Fat, box: Box) -> tuple[float, float]:
    """Return the area of fat and of parenchyma in a box, um2, without drawing pixels."""
    shapes = scene.inside_tissue(fat.droplets(box), box).outlines
    n = 24
    y = box.y + (np.arange(n) + 0.5) / n * (box.y_end - box.y)
    x = box.x + (np.arange(n) + 0.5) / n * (box.x_end - box.x)
    py, px = (a.ravel() for a in np.meshgrid(y, x, indexing="ij"))
    lumen = vessels_in(scene.seed, box).lumina.distance(py, px)
    tissue = np.minimum(scene.outline.depth(py, px), lumen) > 0
    area = (box.y_end - box.y) * (box.x_end - box.x)
    return float(np.pi * (shapes.radius**2).sum()) * 0.97, float(tissue.mean()) * area


def _sample(outline: Outline) -> list[Box]:
    """Return boxes that hold the whole of a small slide, or a fair part of a large one."""
    side = 1000.0
    height, width = outline.height_um, outline.width_um
    if height * width <= 1.5e6:
        return [Box(0.0, 0.0, height, width)]
    random = np.random.default_rng(outline.seed)
    boxes: list[Box] = []
    for _ in range(4000):
        y = random.uniform(0, max(0.0, height - side))
        x = random.uniform(0, max(0.0, width - side))
        middle = np.array([[y + side / 2]]), np.array([[x + side / 2]])
        if float(outline.smooth_depth(*middle)[0, 0]) > 0:
            boxes.append(Box(y, x, min(y + side, height), min(x + side, width)))
        if len(boxes) == 4:
            break
    return boxes or [Box(0.0, 0.0, min(side, height), min(side, width))]


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
