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
    judged, found, true : int
        Pixels that count, and those of them that are fat in the prediction and in the truth.
    either_fat_free : int
        `either` where the truth holds no fat: all of it is wrong.
    jaccard : float
        Jaccard index of this tile; 1 where neither holds fat.
    clean : int
        1 where neither holds fat.
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
    judged: int
    found: int
    true: int
    either_fat_free: int
    jaccard: float
    clean: int


def count_tile(
    predicted: NDArray[np.bool_],
    truth: NDArray[np.bool_],
    um_per_px: float,
    *,
    judged: NDArray[np.bool_] | None = None,
) -> Counts:
    """Compare one predicted mask with the truth.

    Parameters
    ----------
    predicted, truth : (y, x) bool
        Where there is fat. Droplets are the 8-connected components.
    um_per_px : float
        Side of a pixel, um.
    judged : (y, x) bool, optional
        Pixels that count; by default all. What lies elsewhere is in no number.

    Examples
    --------
    >>> truth = np.zeros((40, 40), bool); truth[10:20, 10:20] = True
    >>> counts = count_tile(np.roll(truth, 1, axis=0), truth, 0.5)
    >>> counts.both, counts.either, counts.beyond, counts.matched
    (90, 110, 0, 1)
    """
    count = truth.size
    if judged is not None:
        predicted, truth, count = predicted & judged, truth & judged, int(judged.sum())
    iou, true_px, found_px = droplet_overlaps(predicted, truth)
    small_truth, small_found = (px < SMALL_UM2 / um_per_px**2 for px in (true_px, found_px))
    matched_truth, matched_found = (iou > 0.5).any(1), (iou > 0.5).any(0)
    found, true = int(np.count_nonzero(predicted)), int(np.count_nonzero(truth))
    both = int(np.count_nonzero(predicted & truth))
    either = found + true - both
    points = 100.0 * (found - true) / max(1, count)
    fat_free = not true
    return Counts(
        tiles=1,
        fat_free=int(fat_free),
        both=both,
        either=either,
        beyond=_beyond(predicted, truth, TOLERANCE_UM / um_per_px),
        matched=int(matched_truth.sum()),
        match_iou=float(iou[iou > 0.5].sum()),
        missed=int((~matched_truth).sum()),
        invented=int((~matched_found).sum()),
        missed_large=int((~matched_truth & ~small_truth).sum()),
        invented_large=int((~matched_found & ~small_found).sum()),
        error_points=abs(points),
        false_points=points if fat_free else 0.0,
        judged=count,
        found=found,
        true=true,
        either_fat_free=either if fat_free else 0,
        jaccard=both / either if either else 1.0,
        clean=int(not either),
    )


def droplet_overlaps(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return IoU of every true with every found droplet, and the pixels of each of both."""
    true_label, true_count = labelled(truth)
    found_label, found_count = labelled(predicted)
    joint = true_label.ravel() * (found_count + 1) + found_label.ravel()
    size = (true_count + 1) * (found_count + 1)
    overlap = np.bincount(joint, minlength=size).reshape(true_count + 1, found_count + 1)
    true_px, found_px = overlap.sum(1)[1:], overlap.sum(0)[1:]
    shared = overlap[1:, 1:]
    iou = shared / (true_px[:, None] + found_px[None, :] - shared)
    return iou, true_px, found_px


def labelled(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], int]:
    """Return the droplets of a mask, numbered from 1, and how many there are."""
    from scipy.ndimage import label

    numbers, count = label(mask, np.ones((3, 3), int))
    return numbers, int(count)


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
    "jaccard_mean": lambda s: s["jaccard"] / s["tiles"],
    "jaccard_positive": lambda s: s["both"] / (s["either"] - s["either_fat_free"]),
    "jaccard_mean_positive": lambda s: (s["jaccard"] - s["clean"]) / (s["tiles"] - s["fat_free"]),
    "clean_share": lambda s: s["clean"] / s["fat_free"],
    "dice": lambda s: 2 * s["both"] / (s["found"] + s["true"]),
    "precision": lambda s: s["both"] / s["found"],
    "recall": lambda s: s["both"] / s["true"],
    "specificity": lambda s: 1 - (s["found"] - s["both"]) / (s["judged"] - s["true"]),
    "droplet_precision": lambda s: s["matched"] / (s["matched"] + s["invented_large"]),
    "droplet_recall": lambda s: s["matched"] / (s["matched"] + s["missed_large"]),
    "droplet_precision_all": lambda s: s["matched"] / (s["matched"] + s["invented"]),
    "droplet_recall_all": lambda s: s["matched"] / (s["matched"] + s["missed"]),
    "fat_area_bias_points": lambda s: 100 * (s["found"] - s["true"]) / s["judged"],
}
"""Name to the score of summed counts. ``jaccard`` is pooled: pixels summed over the tiles before
they are divided; ``jaccard_mean`` is the mean over tiles, where one without fat in truth and
prediction counts 1 (and 0 where only one of both holds fat). ``..._positive``: tiles with fat only;
``clean_share``: share of the tiles without fat on which none is found. Droplet scores without
``_all`` and `panoptic_quality` leave out unpaired objects below 20 um2; `false_fat_percent` is the
mean over the tiles without fat."""


def _f1(sums: Sums, which: str) -> Any:
    wrong = sums["missed" + which] + sums["invented" + which]
    return 2 * sums["matched"] / (2 * sums["matched"] + wrong)


NAMES = [field.name for field in fields(Counts)]
"""Columns of `table_of`."""


def table_of(counts: Sequence[Counts]) -> NDArray[np.float64]:
    """Return the counts of tiles as ``(tile, column)``."""
    return np.array([list(asdict(one).values()) for one in counts], float)


def score_of(sums: NDArray[np.float64], name: str) -> float:
    """Return a score of summed rows of `table_of`; NaN where it cannot be had."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(SCORES[name](dict(zip(NAMES, sums, strict=True))))


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
    names, table = NAMES, table_of(counts)
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
            result[name] = None  # such as of droplets where there are none
            continue
        low, high = np.percentile(spread[np.isfinite(spread)], [2.5, 97.5])
        result[name] = [round(float(x), 4) for x in (value, low, high)]
    return result
