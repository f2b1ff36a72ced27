"""Outlines of droplets along the sides of their pixels, traced for many at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region
from ..core.prediction import Prediction
from ..core.report import Columns, Outline
from ._droplets import find_droplets
from ._evidence import FAT
from ._patches import Patch, sheets
from ._shapes import Shapes

# A pixel's sides in the order in which its rim is walked, the pixel on the right hand:
# top (going right), right (down), bottom (left), left (up).
_OUTWARD = ((-1, 0), (0, 1), (1, 0), (0, -1))
_START = ((0, 0), (0, 1), (1, 1), (1, 0))


def trace_droplets(
    prediction: Prediction, droplets: Columns, region: Region | None = None
) -> Iterator[Outline]:
    """Yield the outline of every droplet of a table.

    Parameters
    ----------
    prediction : Prediction
        The class map that the table was made from.
    droplets : Columns
        The table, as `droplet_table` sorts it.
    region : Region, optional
        Part of the class map; droplets that it cuts are left out.

    Yields
    ------
    Outline
        In no particular order. Droplets too large to be taken apart have none.
    """
    classes, width = prediction.levels[0], prediction.shape[1]
    origin = np.zeros(2, np.int64)
    if region is not None:
        height, across = prediction.shape
        inside = region.intersect(Region(y=0, x=0, height=height, width=across))
        if inside is None:
            return
        classes, origin = prediction.read(inside), np.array([inside.y, inside.x])
    keys = droplets["first_y_px"] * width + droplets["first_x_px"]
    for runs, shapes in find_droplets(classes, prediction.value_of(FAT), prediction.frame):
        if runs is None:
            continue
        row, known = _rows(shapes, droplets, keys, origin, width)
        for order, patch in sheets(runs.only(known)):
            own = row[known][order]
            for index, rings in trace(patch):
                yield Outline(int(own[index]), tuple(ring + origin for ring in rings))


def _rows(
    shapes: Shapes,
    droplets: Columns,
    keys: NDArray[np.int64],
    origin: NDArray[np.int64],
    width: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Find the table row of each droplet, and whether it is there with the same area."""
    if len(keys) == 0:
        return np.zeros(len(shapes), np.int64), np.zeros(len(shapes), np.bool_)
    key = (shapes.y + origin[0]) * width + shapes.first_x + origin[1]
    row = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    centre = shapes.centres_px() + origin
    same = np.abs(centre[:, 0] - droplets["y_px"][row]) < 1e-6
    same &= np.abs(centre[:, 1] - droplets["x_px"][row]) < 1e-6
    return row, (keys[row] == key) & same


def trace(patch: Patch) -> Iterator[tuple[int, list[NDArray[np.float64]]]]:
    """Yield the rings of every component of a patch: ``(index, [outer, hole, ...])``.

    All rims are walked at the same time, one step of every rim per step of the loop.
    Where two pixels of a component meet at a corner only, the walk changes over to the
    other one: what lies behind becomes a hole that touches the outer ring in a point, which
    is a valid polygon, while a ring that passes one point twice is not.
    """
    if len(patch) == 0:
        return
    labels = np.pad(patch.labels, 1)
    at, side, follower = _sides(labels)
    label = labels.ravel()[at]
    rings: list[list[NDArray[np.float64]]] = [[] for _ in range(len(patch))]
    free = np.ones(len(at), np.bool_)
    # Sides are sorted by kind, then in raster order: the first top side is on the outer rim.
    while free.any():
        left = np.flatnonzero(free)
        _, first = np.unique(label[left], return_index=True)
        start = left[first]
        order, ring = _walk(start, follower)
        free[order] = False
        turn = side[order] != side[_previous(order, ring)]
        corner, ends = _closed(order[turn], ring[turn])
        index = label[corner] - 1
        points = _points(at[corner], side[corner], labels.shape[1]) + patch.shift[index]
        for begin, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
            rings[index[begin]].append(points[begin:end])
    yield from enumerate(rings)


def _sides(
    labels: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int8], NDArray[np.int64]]:
    """Return the pixel and kind of every side on a rim, and the side that follows it."""
    flat, width = labels.ravel(), labels.shape[1]
    step = [dy * width + dx for dy, dx in _OUTWARD]
    inside = np.flatnonzero(flat)
    number = np.full((4, flat.size), -1, np.int32)
    pixels, kinds, count = [], [], 0
    for kind in range(4):
        own = inside[flat[inside] != flat[inside + step[kind]]]
        number[kind, own] = np.arange(count, count + len(own), dtype=np.int32)
        pixels.append(own)
        kinds.append(np.full(len(own), kind, np.int8))
        count += len(own)
    follower = []
    for kind, own in enumerate(pixels):
        ahead = own + step[(kind + 1) % 4]
        across = ahead + step[kind]
        onward = np.where(
            flat[ahead] == flat[own], number[kind, ahead], number[(kind + 1) % 4, own]
        )
        turn = flat[across] == flat[own]
        follower.append(np.where(turn, number[(kind + 3) % 4, across], onward).astype(np.int64))
    return np.concatenate(pixels), np.concatenate(kinds), np.concatenate(follower)


def _walk(
    start: NDArray[np.int64], follower: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Follow the rims from their first sides; return the sides in order, and their ring."""
    ring, now = np.arange(len(start)), start
    sides, rings = [], []
    while len(now):
        sides.append(now)
        rings.append(ring)
        onward = follower[now]
        going = onward != start[ring]
        now, ring = onward[going], ring[going]
    all_rings = np.concatenate(rings)
    order = np.argsort(all_rings, kind="stable")
    return np.concatenate(sides)[order], all_rings[order]


def _previous(order: NDArray[np.int64], ring: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the side before each, going round its ring."""
    before = np.roll(order, 1)
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    last = np.append(first[1:], len(order)) - 1
    before[first] = order[last]
    return before


def _closed(
    sides: NDArray[np.int64], ring: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Repeat the first side of each ring after its last; return them, and where rings end."""
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    last = np.append(first[1:], len(sides))
    return np.insert(sides, last, sides[first]), last + np.arange(1, len(last) + 1)


def _points(pixel: NDArray[np.int64], side: NDArray[np.int8], width: int) -> NDArray[np.float64]:
    """Return the ``(n, 2)`` points where sides begin, px, in a label image padded by one."""
    row, column = np.divmod(pixel, width)
    corner_to_centre, padding = 0.5, 1
    corner = np.stack([row, column], axis=1).astype(np.float64) + np.array(_START)[side]
    points: NDArray[np.float64] = corner - padding - corner_to_centre
    return points
