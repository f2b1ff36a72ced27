"""How well fat is found: per-tile counts, pooled scores, intervals over patients.

Every score is a ratio of sums over tiles, so that one table of counts gives the value and,
by drawing whole groups with replacement, its interval (Efron's percentile bootstrap).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

SMALL_UM2 = 20.0
"""Unmatched objects below this area are not counted where the rule for droplets says so."""

TOLERANCE_UM = 1.0
"""Pixels this close to the other outline are no error in the tolerant Jaccard index."""


@dataclass(frozen=True)
class Counts:
    """What one tile contributes to the scores; px are pixels, points are percent of the tile.

    Parameters
    ----------
    tiles, fat_free : int
        1, and 1 where the truth holds no fat.
    both, either : int
        Pixels in prediction and truth, and in at least one.
    beyond : int
        Pixels of `either` that are wrong by more than the tolerance.
    matched : int
        Droplets paired at an intersection over union above 0.5.
    match_iou : float
        Sum of the intersections over union of these pairs.
    missed, invented : int
        Unpaired droplets of the truth and of the prediction.
    missed_large, invented_large : int
        Those of at least `SMALL_UM2`.
    error_points : float
        Absolute error of the fat area fraction, in points.
    false_points : float
        Fat predicted where the truth holds none at all, in points.
    """

    tiles: int
    fat_free: int
    both: int
    either: int
    beyond: int
    matched: int
    match_iou: float
    missed: int
    invented: int
    missed_large: int
    invented_large: int
    error_points: float
    false_points: float


def count_tile(predicted: NDArray[np.bool_], truth: NDArray[np.bool_], um_per_px: float) -> Counts:
    """Compare one predicted mask with the truth.

    Parameters
    ----------
    predicted, truth : (y, x) bool
        Where there is fat. Droplets are the 8-connected components.
    um_per_px : float
        Side of a pixel, um.

    Examples
    --------
    >>> truth = np.zeros((40, 40), bool); truth[10:20, 10:20] = True
    >>> counts = count_tile(np.roll(truth, 1, axis=0), truth, 0.5)
    >>> counts.both, counts.either, counts.beyond, counts.matched
    (90, 110, 0, 1)
    """
    iou, small_truth, small_found = _pairs(predicted, truth, SMALL_UM2 / um_per_px**2)
    matched_truth, matched_found = (iou > 0.5).any(1), (iou > 0.5).any(0)
    points = 100.0 * (np.count_nonzero(predicted) - np.count_nonzero(truth)) / truth.size
    fat_free = not truth.any()
    return Counts(
        tiles=1,
        fat_free=int(fat_free),
        both=int(np.count_nonzero(predicted & truth)),
        either=int(np.count_nonzero(predicted | truth)),
        beyond=_beyond(predicted, truth, TOLERANCE_UM / um_per_px),
        matched=int(matched_truth.sum()),
        match_iou=float(iou[iou > 0.5].sum()),
        missed=int((~matched_truth).sum()),
        invented=int((~matched_found).sum()),
        missed_large=int((~matched_truth & ~small_truth).sum()),
        invented_large=int((~matched_found & ~small_found).sum()),
        error_points=abs(points),
        false_points=points if fat_free else 0.0,
    )


def _pairs(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], small_px: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return IoU of every true with every found droplet, and which of them are small."""
    from scipy.ndimage import label

    eight = np.ones((3, 3), int)
    true_label, true_count = label(truth, eight)
    found_label, found_count = label(predicted, eight)
    joint = true_label.ravel() * (found_count + 1) + found_label.ravel()
    size = (true_count + 1) * (found_count + 1)
    overlap = np.bincount(joint, minlength=size).reshape(true_count + 1, found_count + 1)
    true_px, found_px = overlap.sum(1)[1:], overlap.sum(0)[1:]
    shared = overlap[1:, 1:]
    iou = shared / (true_px[:, None] + found_px[None, :] - shared)
    return iou, true_px < small_px, found_px < small_px


def _beyond(predicted: NDArray[np.bool_], truth: NDArray[np.bool_], reach_px: float) -> int:
    from scipy.ndimage import distance_transform_edt

    def far(wrong: NDArray[np.bool_], other: NDArray[np.bool_]) -> int:
        if not other.any():
            return int(np.count_nonzero(wrong))
        return int(np.count_nonzero(distance_transform_edt(~other)[wrong] > reach_px))

    return far(predicted & ~truth, truth) + far(truth & ~predicted, predicted)


Sums = dict[str, Any]

SCORES: dict[str, Callable[[Sums], Any]] = {
    "jaccard": lambda s: s["both"] / s["either"],
    "jaccard_1um": lambda s: 1 - s["beyond"] / s["either"],
    "droplet_f1": lambda s: _f1(s, "_large"),
    "droplet_f1_all": lambda s: _f1(s, ""),
    "panoptic_quality": lambda s: s["match_iou"] / s["matched"] * _f1(s, "_large"),
    "fat_area_error_points": lambda s: s["error_points"] / s["tiles"],
    "false_fat_percent": lambda s: s["false_points"] / s["fat_free"],
}
"""Name to the score of summed counts; `droplet_f1` and `panoptic_quality` leave out unpaired
objects below 20 um2, `false_fat_percent` is the mean over the tiles without fat."""


def _f1(sums: Sums, which: str) -> Any:
    wrong = sums["missed" + which] + sums["invented" + which]
    return 2 * sums["matched"] / (2 * sums["matched"] + wrong)


def scores(
    counts: Sequence[Counts], groups: Sequence[str], *, draws: int = 2000, seed: int = 0
) -> dict[str, Any]:
    """Return every score with its 95 % interval over groups.

    Parameters
    ----------
    counts : sequence of Counts
        One per tile.
    groups : sequence of str
        The patient of each tile; patients, not tiles, are drawn for the interval.
    draws : int
        Bootstrap draws.
    seed : int
        Decides the draws.

    Returns
    -------
    dict
        ``tiles``, ``fat_free_tiles``, ``groups``, ``droplets`` and per score
        ``[value, low, high]``; a score that cannot be had (no fat at all) is None.
    """
    names = [field.name for field in fields(Counts)]
    table = np.array([list(asdict(one).values()) for one in counts], float)
    unique, index = np.unique(np.asarray(groups), return_inverse=True)
    by_group = np.zeros((len(unique), len(names)))
    np.add.at(by_group, index, table)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(unique), np.full(len(unique), 1 / len(unique)), size=draws)
    whole = dict(zip(names, by_group.sum(0), strict=True))
    drawn = dict(zip(names, (times @ by_group).T, strict=True))
    result: dict[str, Any] = {
        "tiles": len(counts),
        "fat_free_tiles": int(whole["fat_free"]),
        "groups": len(unique),
        "droplets": int(whole["matched"] + whole["missed"]),
    }
    for name, score in SCORES.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            value, spread = score(whole), score(drawn)
        if not np.isfinite(value):
            result[name] = None
            continue
        low, high = np.percentile(spread[np.isfinite(spread)], [2.5, 97.5])
        result[name] = [round(float(x), 4) for x in (value, low, high)]
    return result
