"""Touching droplets taken apart: watershed of the distance to the rim, per component."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._patches import SHEET_WIDTH_PX, Patch, runs_on
from ._runs import Runs

NECK = 0.8
"""Two peaks stay apart where the neck is narrower than this share of the smaller one."""

LEAST_DEPTH_PX = 1.0
"""... and the neck lies at least this much below the smaller peak: the grain of the grid."""


def split_touching(patch: Patch) -> tuple[Runs, NDArray[np.bool_]]:
    """Cut clumps into droplets at their necks.

    The distance to the rim peaks in the middle of every droplet. Its watershed gives one
    basin per peak; two basins become one again unless the highest pass between them is
    clearly lower than the lower of the two peaks (the *dynamics* of that peak, as h-maxima
    have it, but relative to the droplet's own size). Everything is decided inside one
    component.

    Parameters
    ----------
    patch : Patch
        With the components.

    Returns
    -------
    runs : Runs
        One component per droplet.
    split : (n,) bool
        Which droplets were part of a clump.
    """
    from scipy import ndimage
    from skimage.segmentation import watershed

    inside = patch.labels > 0
    depth = ndimage.distance_transform_edt(inside).astype(np.float32)
    tops = inside & (depth == ndimage.maximum_filter(depth, 3))
    peaks, n = ndimage.label(tops)
    clumped = np.bincount(patch.labels[_first_of(peaks, n)], minlength=len(patch) + 1) > 1
    flooded = clumped[patch.labels]
    basins = watershed(_unequal(depth, patch, flooded), peaks, mask=flooded)
    height = np.zeros(n + 1, np.float32)
    np.maximum.at(height, peaks[tops], depth[tops])
    droplet = _merged(basins, depth, height)[basins]
    return _renumbered(patch, droplet, n)


def _unequal(
    depth: NDArray[np.float32], patch: Patch, where: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the landscape to flood, in which no two pixels of a component are equally deep.

    Among equals the flood takes what lies first in its queue, which depends on the other
    components of the sheet. A slope far smaller than any step of the distance, from the
    corner of the component, leaves no equals.
    """
    landscape = np.zeros(depth.shape, np.float64)
    row, column = np.nonzero(where)
    corner = patch.boxes[patch.labels[row, column] - 1]
    rank = (row - corner[:, 0]) * SHEET_WIDTH_PX + column - corner[:, 1]
    landscape[row, column] = rank * (1e-4 / SHEET_WIDTH_PX**2) - depth[row, column]
    return landscape


def _first_of(labels: NDArray[np.int32], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the place of one pixel of every label."""
    flat = np.flatnonzero(labels)
    first = np.zeros(n, np.int64)
    first[labels.ravel()[flat[::-1]] - 1] = flat[::-1]
    row, column = np.divmod(first, labels.shape[1])
    return row, column


def _passes(
    basins: NDArray[np.int32], depth: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the ``(m, 2)`` pairs of basins that touch, and the highest pass of each."""
    pairs, saddles = [], []
    for one, other in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        a, b = basins[one], basins[other]
        at = np.nonzero((a != b) & (a > 0) & (b > 0))
        pairs.append(np.sort(np.stack([a[at], b[at]], axis=1), axis=1))
        saddles.append(np.minimum(depth[one][at], depth[other][at]))
    pair, back = np.unique(np.concatenate(pairs), axis=0, return_inverse=True)
    saddle: NDArray[np.float32] = np.zeros(len(pair), np.float32)
    np.maximum.at(saddle, back.ravel(), np.concatenate(saddles))
    return pair, saddle


def _merged(
    basins: NDArray[np.int32], depth: NDArray[np.float32], height: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Return for each basin the number of the basin that it belongs to."""
    pair, saddle = _passes(basins, depth)
    owner = list(range(len(height)))
    peak = height.tolist()

    def find(basin: int) -> int:
        while owner[basin] != basin:
            owner[basin] = owner[owner[basin]]
            basin = owner[basin]
        return basin

    order = np.argsort(-saddle, kind="stable")
    for (a, b), level in zip(pair[order].tolist(), saddle[order].tolist(), strict=True):
        one, other = find(a), find(b)
        if one == other:
            continue
        if (peak[one], -one) < (peak[other], -other):
            one, other = other, one
        if level > NECK * peak[other] or peak[other] - level < LEAST_DEPTH_PX:
            owner[other] = one
    return np.array([find(basin) for basin in range(len(height))], np.int32)


def _renumbered(patch: Patch, droplet: NDArray[np.int32], n: int) -> tuple[Runs, NDArray[np.bool_]]:
    """Return components that were not cut, and the droplets of those that were."""
    wide = droplet.astype(np.int64) + np.where(droplet > 0, len(patch), patch.labels)
    used = np.zeros(len(patch) + n + 1, np.bool_)
    used[wide.ravel()] = True
    used[0] = False
    number = np.zeros(len(used), np.int32)
    number[used] = np.arange(1, np.count_nonzero(used) + 1, dtype=np.int32)
    labels = number[wide]
    parent = np.zeros(np.count_nonzero(used), np.int64)
    flat = np.flatnonzero(labels)
    parent[labels.ravel()[flat] - 1] = patch.labels.ravel()[flat] - 1
    split = np.bincount(parent, minlength=len(patch))[parent] > 1
    return runs_on(labels, patch.edge, patch.shift[parent]), split
