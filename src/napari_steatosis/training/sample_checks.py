"""What is wrong with one sample, and what is measured of it on the way."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import IGNORE, Finding, Sample
from ..core.errors import SteatosisError
from ..imaging.picture_hash import difference_hash
from ..imaging.tile_tissue import tissue_share
from ..io.datasets.pictures import read_stored, rgb_of
from ..io.datasets.places import exists
from ..io.datasets.source import FileSource
from .hepass_rules import LEAST_AREA_PX, WHITE, grey_of, outer_areas

UNSTAINED = ("ultrasound", "ct", "mri", "radiology")
"""Modalities for which colour and tissue are not looked at."""

CANNOT = {
    "uint16": "16_bit",
    "CMYK": "cmyk",
}
"""Stored mode to the kind of its refusal."""


@dataclass(frozen=True)
class Limits:
    """By what samples are judged.

    Parameters
    ----------
    least_px : int
        Shortest side of an image.
    least_tissue : float
        Share of an image that is tissue, fat included.
    um_per_px : float
        Taken for the size of a pixel where none is known, um; only the share of tissue rests
        on it.
    near_bits : int
        Pictures whose hashes differ in at most so many of 64 bits are near-duplicates.
    """

    least_px: int = 224
    least_tissue: float = 0.5
    um_per_px: float = 0.5
    near_bits: int = 4


@dataclass(frozen=True)
class Facts:
    """What was measured of one sample.

    Parameters
    ----------
    sample : str
        Its name.
    height, width : int
        Of the image, px; 0 where it cannot be read.
    mode : str
        How it is stored.
    pixels : str
        MD5 of size and pixels: equal for equal images.
    picture_hash : int, optional
        64 bits, nearly equal for copies; None for a flat image.
    tissue : float
        Share of the image, 0 to 1; NaN where it is not looked for.
    marked : float
        Share of the known mask that is of a class above 0; NaN without a mask.
    marks : int
        Points.
    findings : tuple of Finding
        What is wrong.
    """

    sample: str
    height: int = 0
    width: int = 0
    mode: str = ""
    pixels: str = ""
    picture_hash: int | None = None
    tissue: float = math.nan
    marked: float = math.nan
    marks: int = 0
    findings: tuple[Finding, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return plain values; null where nothing was measured."""
        return {
            "sample": self.sample,
            "height_px": self.height,
            "width_px": self.width,
            "mode": self.mode,
            "md5": self.pixels,
            "dhash": None if self.picture_hash is None else f"{self.picture_hash:016x}",
            "tissue_share": None if math.isnan(self.tissue) else round(self.tissue, 4),
            "marked_share": None if math.isnan(self.marked) else round(self.marked, 6),
            "points": self.marks,
        }


def look_at(sample: Sample, limits: Limits) -> Facts:
    """Read one sample and say what is wrong with it; nothing is raised for bad data."""
    mode = "RGB"
    try:
        if isinstance(sample.source, FileSource) and sample.region is None:
            stored = read_stored(sample.path)
            mode = stored.mode
            image = rgb_of(stored, sample.path)
        else:
            image = sample.image()
    except SteatosisError as error:
        return Facts(sample.name, mode=mode, findings=(_unreadable(sample, mode, str(error)),))
    height, width = image.shape[:2]
    facts = Facts(
        sample.name,
        height,
        width,
        mode,
        hashlib.md5(str(image.shape).encode() + image.tobytes(), usedforsecurity=False).hexdigest(),
        difference_hash(image),
    )
    findings = [*_of_image(sample, facts, limits)]
    if sample.modality.lower() not in UNSTAINED:
        facts = replace(facts, tissue=tissue_share(image, sample.um_per_px or limits.um_per_px))
        findings += _of_tissue(sample, facts, limits)
    facts, of_mask = _with_mask(sample, facts, image)
    facts, of_points = _with_points(sample, facts)
    return replace(facts, findings=(*findings, *of_mask, *of_points))


def _unreadable(sample: Sample, mode: str, said: str) -> Finding:
    if sample.path and not exists(sample.path):
        return Finding("missing_file", "error", sample.name, said, "Correct the path, or copy it.")
    if mode in CANNOT or mode.startswith(("uint", "int", "float")):
        return Finding(CANNOT.get(mode, "bit_depth"), "error", sample.name, said)
    if "channels" in mode:
        return Finding("bad_channels", "error", sample.name, said)
    return Finding("unreadable", "error", sample.name, said, "It cannot be trained on.")


def _of_image(sample: Sample, facts: Facts, limits: Limits) -> Iterator[Finding]:
    if min(facts.height, facts.width) < limits.least_px:
        yield Finding(
            "too_small", "warning", sample.name, f"It is {facts.height} x {facts.width} px.",
            f"Crops of {limits.least_px} px do not fit; leave it out or use smaller crops.",
        )  # fmt: skip
    if facts.mode.startswith("grey") and sample.modality.lower() not in UNSTAINED:
        yield Finding(
            "bad_channels", "warning", sample.name, "It is grey; a stained section has colours.",
            "Take the colour scan, or state the modality (ultrasound) in a manifest.",
        )  # fmt: skip
    if facts.mode in ("RGBA", "grey+alpha"):
        yield Finding(
            "alpha", "warning", sample.name, "Its alpha channel is blended over white.",
            "See that nothing is hidden; save it as RGB.",
        )  # fmt: skip
    if facts.mode == "palette":
        yield Finding(
            "palette", "note", sample.name, "It has a palette of at most 256 colours.",
            "Take the original, if there is one.",
        )  # fmt: skip


def _of_tissue(sample: Sample, facts: Facts, limits: Limits) -> Iterator[Finding]:
    if facts.tissue < limits.least_tissue:
        yield Finding(
            "low_tissue", "warning", sample.name,
            f"{100 * facts.tissue:.0f} % of it is tissue, fat included.",
            "Look at it: glass, a large vessel, another stain, or out of focus.",
        )  # fmt: skip


def _with_mask(
    sample: Sample, facts: Facts, image: NDArray[np.uint8]
) -> tuple[Facts, list[Finding]]:
    try:
        mask = sample.mask()
    except SteatosisError as error:
        missing = any(one and not exists(one) for one in sample.mask_path.split(";"))
        kind = "mask_values" if isinstance(error, ValueError) else "mask_unreadable"
        kind = "mask_missing" if missing else kind
        return facts, [Finding(kind, "error", sample.name, str(error))]
    if mask is None:
        bright = not sample.points_path and sample.modality.lower() not in UNSTAINED
        if bright and not (outer_areas(grey_of(image) > WHITE) > LEAST_AREA_PX).any():
            return facts, [_no_fat(sample, "no white place above 50 px")]
        return facts, []
    if mask.shape != image.shape[:2]:
        sizes = f"The image is {facts.height} x {facts.width} px, its mask " + " x ".join(
            map(str, mask.shape)
        )
        said = "Pair the right files, or export the mask at the size of the image."
        return facts, [Finding("mask_size", "error", sample.name, f"{sizes}.", said)]
    known = mask != IGNORE
    if not known.any():
        said = "Leave it out, or annotate it."
        return facts, [Finding("mask_ignored", "warning", sample.name, "All of it is 255.", said)]
    facts = replace(facts, marked=float(np.count_nonzero(mask[known])) / int(known.sum()))
    if facts.marked == 0:
        return facts, [_no_fat(sample, "its mask is empty", "mask_empty")]
    if facts.marked == 1 and known.all():
        said = "Is the mask turned inside out? If not, leave it so."
        return facts, [Finding("mask_full", "warning", sample.name, "All of it is marked.", said)]
    return facts, []


def _no_fat(sample: Sample, why: str, kind: str = "no_fat") -> Finding:
    said = "Keep it, if that is true: a model must see tissue without fat."
    return Finding(kind, "note", sample.name, f"No fat: {why}.", said)


def _with_points(sample: Sample, facts: Facts) -> tuple[Facts, list[Finding]]:
    try:
        marks = sample.points()
    except SteatosisError as error:
        missing = bool(sample.points_path) and not exists(sample.points_path)
        kind = "points_missing" if missing else "points_unreadable"
        return facts, [Finding(kind, "error", sample.name, str(error))]
    if marks is None:
        return facts, []
    facts = replace(facts, marks=len(marks.places))
    if not facts.marks:
        said = "Set some, or leave the image out."
        return facts, [Finding("points_none", "warning", sample.name, "It has no point.", said)]
    limits = np.array([facts.height, facts.width]) - 0.5
    outside = int(((marks.places < -0.5) | (marks.places > limits)).any(1).sum())
    if outside:
        said = f"{outside} of {facts.marks} points lie outside the image."
        remedy = "Are x and y exchanged, or is it another image or scale?"
        return facts, [Finding("points_outside", "error", sample.name, said, remedy)]
    return facts, []
