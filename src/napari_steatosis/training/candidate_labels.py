"""What a candidate is, said by point markers or by a painted mask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import IGNORE, Sample
from ..core.errors import BadValueError
from ..core.marks import Marks
from ..models.classical.candidates import Labels, find_candidates
from ..models.classical.descriptors import describe, table
from ..models.classical.model import ClassicalRule

UNLABELLED = -1
"""Class of a candidate of which nobody said anything; it is no example of anything."""

WITHIN_UM = 4.0
"""A marker that lies in no candidate labels the nearest one within this distance, um."""

MARKED_FAT = ("fat", "steatosis", "droplet")
"""Marker labels that stand for the class fat."""

SCALE_TOLERANCE = 0.05
"""Pixel sizes that differ by less than this share are one."""


@dataclass(frozen=True, eq=False)
class Examples:
    """Candidates with a class.

    Parameters
    ----------
    x : (n, k) float64
        Descriptors.
    y : (n,) int64
        Index of the class.
    group : (n,) str
        Patient, or image where nobody is named.
    unlabelled : int
        Candidates of which nobody said anything.
    dropped : int
        Markers that lie at no candidate.
    contradictory : int
        Candidates with markers of several classes; they are unlabelled.
    """

    x: NDArray[np.float64]
    y: NDArray[np.int64]
    group: NDArray[np.str_]
    unlabelled: int = 0
    dropped: int = 0
    contradictory: int = 0


def examples_of(
    samples: Iterable[Sample], rule: ClassicalRule, *, classes: Sequence[str], um_per_px: float
) -> Examples:
    """Find, label and describe the candidates of samples that have points or a mask.

    Points count where a sample has both.

    Parameters
    ----------
    samples : iterable of Sample
        At `um_per_px`.
    rule : ClassicalRule
        How candidates are found and described.
    classes : sequence of str
        The first is what is none of the others; the second is ``"fat"``.
    um_per_px : float
        Side of a pixel, um; also of samples that do not state theirs.

    Raises
    ------
    BadValueError
        Where a sample has neither points nor a mask, is of another scale, or is marked with a
        label that is no class; or where there is no example.
    """
    x, y, group = [], [], []
    found = Examples(np.zeros((0, 0)), np.zeros(0, np.int64), np.zeros(0, np.str_))
    for sample in samples:
        image = _checked(sample, um_per_px)
        labels = find_candidates(image, rule.candidates, um_per_px)
        marks, mask = sample.points(), sample.mask()
        if marks is not None:
            kinds = _kinds(marks, classes, sample.name)
            within = WITHIN_UM / um_per_px
            own, dropped, both = marked_classes(labels, marks.places, kinds, within_px=within)
            found = replace(
                found,
                dropped=found.dropped + dropped,
                contradictory=found.contradictory + both,
            )
        elif mask is not None:
            own = painted_classes(labels, mask, len(classes))
        else:
            raise BadValueError(
                f"{sample.name} has neither points nor a mask, so nobody says what its white "
                f"places are. Mark some, or leave it out."
            )
        known = own != UNLABELLED
        made = table(describe(image, labels, um_per_px=um_per_px, preset=rule.descriptors))
        x.append(made[known])
        y.append(own[known])
        group.append(np.full(np.count_nonzero(known), sample.group))
        found = replace(found, unlabelled=found.unlabelled + int(np.count_nonzero(~known)))
    if not sum(map(len, y)):
        raise BadValueError(
            f"There is no example to learn from: {found.dropped} markers lay at no white place, "
            f"{found.unlabelled} white places had no label. Mark white places, or widen the rule "
            f"for candidates."
        )
    return replace(found, x=np.concatenate(x), y=np.concatenate(y), group=np.concatenate(group))


def marked_classes(
    labels: Labels, places: NDArray[np.float64], kinds: NDArray[np.int64], *, within_px: float
) -> tuple[NDArray[np.int64], int, int]:
    """Return the class of each candidate that point markers give it.

    A marker labels the candidate that contains it, else the nearest one within a distance.

    Parameters
    ----------
    labels : (y, x) int32
        Candidates 1 ... n.
    places : (m, 2) float64
        (row, column), px.
    kinds : (m,) int64
        Class of each marker.
    within_px : float
        How far a candidate may lie from its marker, px.

    Returns
    -------
    classes : (n,) int64
        `UNLABELLED` where there is no marker, or markers of several classes.
    dropped : int
        Markers without a candidate.
    contradictory : int
        Candidates with markers of several classes.

    Examples
    --------
    >>> labels = np.zeros((9, 20), np.int32); labels[2:5, 2:5] = 1; labels[2:5, 9:12] = 2
    >>> places = np.array([[3.0, 3.0], [3.0, 13.0], [8.0, 19.0]])
    >>> marked_classes(labels, places, np.array([1, 0, 1]), within_px=3)
    (array([1, 0]), 1, 0)
    """
    from scipy import ndimage

    classes = np.full(int(labels.max(initial=0)), UNLABELLED, np.int64)
    if len(places) == 0 or len(classes) == 0:
        return classes, len(places), 0
    away, nearest = ndimage.distance_transform_edt(labels == 0, return_indices=True)
    inside = np.rint(places).astype(np.int64)
    seen = ((inside >= 0) & (inside < labels.shape)).all(1)
    y, x = np.clip(inside, 0, np.array(labels.shape) - 1).T
    hit = seen & (away[y, x] <= within_px)
    part = labels[nearest[0, y, x], nearest[1, y, x]][hit] - 1
    lowest, highest = np.full(len(classes), np.iinfo(np.int64).max), classes.copy()
    np.minimum.at(lowest, part, kinds[hit])
    np.maximum.at(highest, part, kinds[hit])
    marked = highest != UNLABELLED
    agreed = marked & (lowest == highest)
    classes[agreed] = highest[agreed]
    return classes, int(np.count_nonzero(~hit)), int(np.count_nonzero(marked & ~agreed))


def painted_classes(labels: Labels, mask: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Return the class of each candidate that a mask gives it: that of half its pixels or more.

    Candidates without such a class are of the first one; where half or more is
    `napari_steatosis.core.dataset.IGNORE`, they are unlabelled.

    Parameters
    ----------
    labels : (y, x) int32
        Candidates 1 ... n.
    mask : (y, x) uint8
        Class indices, 255 = ignore.
    count : int
        Number of classes.

    Raises
    ------
    BadValueError
        Where sizes differ, or the mask holds a value that is no class.

    Examples
    --------
    >>> labels = np.zeros((4, 12), np.int32); labels[:, :4] = 1; labels[:, 6:] = 2
    >>> mask = np.zeros((4, 12), np.uint8); mask[:, :9] = 1
    >>> painted_classes(labels, mask, 2)
    array([1, 1])
    """
    if labels.shape != mask.shape:
        raise BadValueError(f"The image is {labels.shape} px and its mask {mask.shape}.")
    value = np.where(mask == IGNORE, count, mask).astype(np.int64)
    if value.max(initial=0) > count:
        raise BadValueError(
            f"The mask holds the value {int(mask[mask != IGNORE].max())}, but there are {count} "
            f"classes (0 to {count - 1}, 255 = ignore)."
        )
    parts = int(labels.max(initial=0))
    joint = labels.astype(np.int64) * (count + 1) + value
    inside = np.bincount(joint.ravel(), minlength=(parts + 1) * (count + 1))
    share = inside.reshape(parts + 1, count + 1)[1:]
    area = share.sum(1)
    # Of two that share a candidate evenly the later one has it: fat, not tissue.
    most = count - share[:, ::-1].argmax(1)
    most[2 * share[np.arange(parts), most] < area] = 0
    most[most == count] = UNLABELLED
    return most.astype(np.int64)


def _checked(sample: Sample, um_per_px: float) -> NDArray[np.uint8]:
    own = sample.um_per_px
    if own is not None and abs(own / um_per_px - 1) > SCALE_TOLERANCE:
        raise BadValueError(
            f"{sample.name} has {own:g} um per pixel, but the model is trained at {um_per_px:g}. "
            f"Resample it, or train a model for that scale."
        )
    return sample.image()


def _kinds(marks: Marks, classes: Sequence[str], name: str) -> NDArray[np.int64]:
    """Return the class of each marker; of two classes whatever is no fat is the first."""
    index = {label: i for i, label in enumerate(classes)} | dict.fromkeys(MARKED_FAT, 1)
    unknown = sorted({label for label in marks.labels if label not in index})
    if unknown and len(classes) > 2:
        raise BadValueError(
            f"{name}: the marker {unknown[0]!r} is none of the classes {', '.join(classes)}. "
            f"Rename it, or add the class."
        )
    return np.array([index.get(label, 0) for label in marks.labels], np.int64)
