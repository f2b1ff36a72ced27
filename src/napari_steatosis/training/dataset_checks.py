"""What is wrong with a dataset as a whole: copies, classes, patients, sets."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from ..core.dataset import Dataset, Finding, Sample
from ..core.splits import IMAGE_LEVEL
from .duplicates import clusters_of
from .sample_checks import Facts, Limits

FEW = 5
"""A class of fewer images, or patients, than this cannot be spread over five folds."""


def findings_of_all(data: Dataset, facts: Sequence[Facts], limits: Limits) -> Iterator[Finding]:
    """Yield what only all samples together show."""
    yield from _of_classes(data)
    yield from _of_patients(data)
    yield from _of_masks(data, facts)
    yield from _of_scale(data, limits)
    yield from copies(data, facts, limits)
    if data.image_level:
        yield Finding("image_level", "warning", "", IMAGE_LEVEL)
    for note in data.notes:
        if note != IMAGE_LEVEL:
            yield Finding("taken_for_granted", "note", "", note)


def _of_classes(data: Dataset) -> Iterator[Finding]:
    count = Counter(one.label for one in data if one.label)
    if not count:
        return
    if unlabelled := [one.name for one in data if not one.label]:
        yield Finding(
            "label_missing", "error", unlabelled[0],
            f"{len(unlabelled)} of {len(data)} images have no label.",
            "Put them into a class folder, or fill the column label.",
        )  # fmt: skip
    if len(count) == 1:
        yield Finding(
            "one_class", "error", "", f"All {count.total()} images are of the class "
            f"{next(iter(count))!r}; there is nothing to tell apart.",
            "Add images of another class, or open the folder above.",
        )  # fmt: skip
        return
    for name, number in count.items():
        patients = {one.group for one in data if one.label == name}
        if min(number, len(patients)) < FEW:
            yield Finding(
                "rare_class", "warning", "",
                f"The class {name!r} has {number} image(s) of {len(patients)} patient(s).",
                "Scores of this class will be uncertain; add more, or join classes.",
            )  # fmt: skip


def _of_patients(data: Dataset) -> Iterator[Finding]:
    unknown = [one.name for one in data if not one.patient]
    patients = {one.patient for one in data if one.patient}
    if unknown and len(data) > 1:
        yield Finding(
            "no_patient", "warning", unknown[0] if patients else "",
            f"Of {len(unknown)} of {len(data)} images nobody says whose they are.",
            "Join a table image,patient; else only an image-level split is possible, which is "
            "optimistic.",
        )  # fmt: skip
    if len(patients) == 1 and not unknown:
        yield Finding(
            "one_patient", "error", "", f"All images are of the patient {next(iter(patients))!r}.",
            "Nothing can be held out; add other patients.",
        )  # fmt: skip
    sets: dict[str, set[str]] = defaultdict(set)
    for one in data:
        if one.patient and one.split:
            sets[one.patient].add(one.split)
    for patient, names in sets.items():
        if len(names) > 1:
            yield Finding(
                "patient_in_two_sets", "error", "",
                f"The patient {patient!r} is in {' and in '.join(sorted(names))}.",
                "Scores would be optimistic: split by='patient' in place of 'official'.",
            )  # fmt: skip


def _of_masks(data: Dataset, facts: Sequence[Facts]) -> Iterator[Finding]:
    masked = [bool(one.mask_path or one.annotations_path) for one in data]
    if not any(masked):
        return
    if not all(masked):
        names = [one.name for one, has in zip(data, masked, strict=True) if not has]
        yield Finding(
            "mask_missing", "warning", names[0],
            f"{len(names)} of {len(data)} images have no mask, the others have one.",
            "Save an empty mask for tissue without fat; leave out what is not annotated.",
        )  # fmt: skip
    marked = [one.marked for one in facts if not math.isnan(one.marked)]
    if marked and not any(marked):
        yield Finding(
            "all_masks_empty", "error", "", f"All {len(marked)} masks are empty.",
            "Nothing can be learned from them: look whether the right masks are there.",
        )  # fmt: skip


def _of_scale(data: Dataset, limits: Limits) -> Iterator[Finding]:
    sizes = {one.um_per_px for one in data if one.um_per_px}
    unknown = sum(one.um_per_px is None for one in data)
    radiology = all(one.modality.lower() == "ultrasound" for one in data)
    if unknown and not radiology:
        yield Finding(
            "no_pixel_size", "warning", "", f"Of {unknown} of {len(data)} images no pixel size is "
            f"known; to find tissue {limits.um_per_px:g} um was taken.",
            "State it (um_per_px, or the column mpp): droplets are measured in um.",
        )  # fmt: skip
    if sizes and max(sizes) > 1.1 * min(sizes):
        yield Finding(
            "pixel_sizes", "warning", "", f"Pixels are of {min(sizes):.3g} to {max(sizes):.3g} um.",
            "Resample them to one size.",
        )  # fmt: skip


def copies(data: Dataset, facts: Sequence[Facts], limits: Limits) -> Iterator[Finding]:
    """Yield what has the same pixels as another image, or nearly the same picture."""
    first: dict[str, Sample] = {}
    rest: list[int] = []
    for index, (one, seen) in enumerate(zip(data, facts, strict=True)):
        if not seen.pixels:
            continue
        other = first.setdefault(seen.pixels, one)
        if other is one:
            rest.append(index)
        else:
            yield from _copy(other, one)
    clusters = clusters_of([facts[index].picture_hash for index in rest], limits.near_bits)
    order = np.argsort(clusters, kind="stable")
    for before, index in pairwise(order.tolist()):
        if clusters[before] == clusters[index]:
            yield _near(data[rest[before]], data[rest[index]])


def _copy(other: Sample, one: Sample) -> Iterator[Finding]:
    apart = other.split and one.split and other.split != one.split
    yield Finding(
        "duplicate_across_sets" if apart else "duplicate", "error" if apart else "warning",
        one.name, f"It has the same pixels as {other.name}"
        + (f", which is in {other.split}, while it is in {one.split}." if apart else "."),
        "Keep one of them.",
    )  # fmt: skip
    if other.label != one.label:
        yield Finding(
            "label_conflict", "error", one.name,
            f"It is labelled {one.label or 'not'!r}, and {other.name}, with the same pixels, "
            f"{other.label or 'not'!r}.", "Ask whoever labelled them.",
        )  # fmt: skip


def _near(other: Sample, one: Sample) -> Finding:
    apart = other.split and one.split and other.split != one.split
    return Finding(
        "near_duplicate_across_sets" if apart else "near_duplicate",
        "error" if apart else "warning", one.name, f"It is nearly the same picture as {other.name}"
        + (f", which is in {other.split}, while it is in {one.split}." if apart else "."),
        "Look at both; keep copies on one side of a split (group_duplicates).",
    )  # fmt: skip
