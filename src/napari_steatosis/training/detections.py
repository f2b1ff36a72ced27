"""Droplets in the order of how sure a model is of them, and the average precision of that order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .metrics import droplet_overlaps, labelled


@dataclass(frozen=True, eq=False)
class Detections:
    """What a model takes for droplets on one tile.

    Parameters
    ----------
    confidence : (n,) float64
        Mean probability of fat over each found droplet.
    hit : (n,) bool
        Whether a true droplet overlaps it at an intersection over union above 0.5.
    truths : int
        Droplets that there are.
    """

    confidence: NDArray[np.float64]
    hit: NDArray[np.bool_]
    truths: int


def detections(
    chance: NDArray[np.float32], found: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> Detections:
    """Return the found droplets of one tile with their confidence.

    Parameters
    ----------
    chance : (y, x) float32
        Probability of fat.
    found, truth : (y, x) bool
        Where fat is predicted, and where there is some.
    """
    from scipy.ndimage import mean

    numbers, count = labelled(found)
    iou, true_px, _ = droplet_overlaps(found, truth)
    sure = np.asarray(mean(chance, numbers, np.arange(1, count + 1)), float).reshape(count)
    return Detections(sure, np.asarray((iou > 0.5).any(0)), len(true_px))


def average_precision(tiles: Sequence[Detections], times: NDArray[np.int64] | None = None) -> float:
    """Return the area under precision over recall, at an intersection over union of 0.5.

    Precision is made non-increasing before the area is taken (every point of it, as PASCAL VOC
    does since 2010). No droplet is left out, however small.

    Parameters
    ----------
    tiles : sequence of Detections
    times : (n,) int, optional
        How often each tile counts; by default once.

    Returns
    -------
    float
        NaN where there is no droplet.

    Examples
    --------
    >>> tile = Detections(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 2)
    >>> round(average_precision([tile]), 4)
    0.8333
    """
    often = np.ones(len(tiles), np.int64) if times is None else times
    truths = sum(int(n) * one.truths for n, one in zip(often, tiles, strict=True))
    if not truths:
        return float("nan")
    weight = np.repeat(often, [len(one.hit) for one in tiles])
    sure = np.concatenate([one.confidence for one in tiles])
    hit = np.concatenate([one.hit for one in tiles])
    order = np.argsort(-sure, kind="stable")
    true = np.cumsum((weight * hit)[order])
    said = np.cumsum(weight[order])
    precision = true / np.maximum(said, 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(true, prepend=0) * envelope).sum() / truths)
