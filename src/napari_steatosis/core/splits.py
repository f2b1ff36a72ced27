"""What to train on and what to test on, so that no patient is in both."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dataset import Dataset, Sample, SplitBy
from .errors import BadValueError, SteatosisWarning

IMAGE_LEVEL = (
    "Image-level split: images of one patient may be on both sides, so scores are optimistic. "
    "Give patients, and split by them."
)
"""What a report must show where `Dataset.image_level` is set."""

FINEST = 20
"""A share that is held out is a whole number of this many parts at most."""

MOST_BINS = 4
"""Scores are stratified in as many bins."""


def split_dataset(
    data: Dataset,
    by: SplitBy,
    *,
    held_out: float = 0.2,
    folds: int | None = None,
    seed: int = 7,
) -> Any:
    """Do what `Dataset.split` says.

    Groups are dealt out by scikit-learn's StratifiedGroupKFold, single images by StratifiedKFold.
    """
    if by not in ("patient", "official", "image"):
        raise BadValueError(f"by is {by!r}; give 'patient', 'official' or 'image'.")
    if not 0 < held_out < 1:
        raise BadValueError(f"held_out is {held_out}; give a share between 0 and 1.")
    if by == "official":
        return _official(data, folds)
    if by == "image":
        warnings.warn(IMAGE_LEVEL, SteatosisWarning, stacklevel=3)
        notes = tuple(dict.fromkeys((*data.notes, IMAGE_LEVEL)))
        data = replace(data, image_level=True, notes=notes)
    groups = _groups(data, by)
    count = len(np.unique(groups))
    if folds is not None:
        if not 2 <= folds <= count:
            raise BadValueError(
                f"{data.root}: {folds} folds of {count} {by}s are not possible; give 2 to {count}."
            )
        dealt = _dealt(data, groups, folds, seed)
        return tuple(_pair(data, dealt == fold) for fold in range(folds))
    share = Fraction(held_out).limit_denominator(min(FINEST, count))
    parts = max(2, share.denominator if share else min(FINEST, count))
    taken = min(max(1, share.numerator), parts - 1)
    return _pair(data, _dealt(data, groups, parts, seed) < taken)


def _groups(data: Dataset, by: str) -> NDArray[Any]:
    if by == "image":
        groups = np.arange(len(data))
    else:
        if unknown := [one.name for one in data if not one.patient]:
            raise BadValueError(
                f"{data.root}: {len(unknown)} of {len(data)} samples have no patient (first: "
                f"{unknown[0]}), so patients cannot be kept apart. Give a manifest with a column "
                f"patient, group near-duplicates (group_duplicates), or split by='image', which "
                f"is optimistic."
            )
        groups = np.array([one.patient for one in data])
    if len(np.unique(groups)) < 2:
        raise BadValueError(
            f"{data.root}: there is one {by} only ({len(data)} samples), so nothing can be held "
            f"out. Add data of other patients."
        )
    return groups


def _dealt(data: Dataset, groups: NDArray[Any], parts: int, seed: int) -> NDArray[np.int64]:
    """Return for every sample the part, 0 to `parts` - 1, that its group was dealt to."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    strata = _strata(data.samples)
    if np.unique(strata, return_counts=True)[1].max() < parts:
        strata = np.zeros(len(data), np.int64)  # too few of every class to spread them
    single = len(np.unique(groups)) == len(groups)  # many times faster where nothing hangs together
    dealer = (StratifiedKFold if single else StratifiedGroupKFold)(
        parts, shuffle=True, random_state=seed
    )
    dealt = np.zeros(len(data), np.int64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        kept = None if single else groups
        for part, (_, chosen) in enumerate(dealer.split(strata, strata, kept)):
            dealt[chosen] = part
    return _none_empty(dealt, groups, parts)


def _none_empty(dealt: NDArray[np.int64], groups: NDArray[Any], parts: int) -> NDArray[np.int64]:
    """Give an empty part the smallest group of the part that has most groups."""
    for part in range(parts):
        if not (dealt == part).any():
            held = [len(np.unique(groups[dealt == other])) for other in range(parts)]
            names, sizes = np.unique(groups[dealt == int(np.argmax(held))], return_counts=True)
            dealt[groups == names[np.argmin(sizes)]] = part
    return dealt


def _strata(samples: Sequence[Sample]) -> NDArray[np.int64]:
    """Return the class of each sample, or the quarter that its score lies in."""
    if any(one.label for one in samples):
        return np.unique([one.label for one in samples], return_inverse=True)[1]
    scores = np.array([np.nan if one.score is None else one.score for one in samples])
    known = scores[~np.isnan(scores)]
    if not known.size:
        return np.zeros(len(samples), np.int64)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, MOST_BINS + 1)[1:-1]))
    return np.where(np.isnan(scores), -1, np.digitize(scores, edges))


def _pair(data: Dataset, chosen: NDArray[np.bool_]) -> tuple[Dataset, Dataset]:
    train = tuple(one for one, out in zip(data, chosen, strict=True) if not out)
    test = tuple(one for one, out in zip(data, chosen, strict=True) if out)
    return replace(data, samples=train), replace(data, samples=test)


def _official(data: Dataset, folds: int | None) -> tuple[Dataset, Dataset]:
    """Return the samples of the split train, and those of val, or of test where there is no val."""
    if folds is not None:
        raise BadValueError("An official split has no folds; leave folds out, or give by.")
    sets = {one.split for one in data}
    held = next((name for name in ("val", "test") if name in sets), None)
    if "train" not in sets or held is None:
        raise BadValueError(
            f"{data.root}: there is no official split into train and val or test; the column "
            f"split holds {', '.join(sorted(map(repr, sets)))}. Split by='patient'."
        )
    train, test = data.where(split="train"), data.where(split=held)
    both = {one.patient for one in train if one.patient} & {one.patient for one in test}
    if both:
        said = (
            f"The official split has {len(both)} patient(s) both in train and in {held} (as "
            f"{min(both)}): scores are optimistic."
        )
        warnings.warn(said, SteatosisWarning, stacklevel=4)
        train, test = (replace(one, notes=(*one.notes, said)) for one in (train, test))
    return train, test
