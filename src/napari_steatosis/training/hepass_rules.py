"""The five categories by which the HEPASS images were checked, reproduced without OpenCV."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import Dataset, Finding, Sample
from ..core.errors import SteatosisError
from ..io.datasets.pictures import Stored, read_stored

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif")
SMALLEST_PX = 224
GLASS = 200
"""Grey values above it are no tissue ..."""

LEAST_TISSUE = 0.5
"""... which is at least this share. Fat is white, so fatty images fall below it."""

WHITE = 220
LEAST_AREA_PX = 50.0
ORDER = ("valid", "invalid", "low_tissue", "no_fat_detected", "duplicates")
"""Order of the rows of the table and of the keys of the JSON."""

PARAMETERS: Mapping[str, Any] = {
    "suffixes": list(SUFFIXES),
    "smallest_px": SMALLEST_PX,
    "grey_of_glass_above": GLASS,
    "least_tissue": LEAST_TISSUE,
    "grey_of_fat_above": WHITE,
    "least_area_px": LEAST_AREA_PX,
}
SAID = {
    "invalid": ("unreadable, or a side below 224 px.", "Leave it out, or scan it again."),
    "duplicates": ("the same pixels as an earlier image.", "Leave it out."),
    "low_tissue": (
        "more than half of it is brighter than 200.",
        "Look at it: fat is bright, too, so this rule finds fatty images. Keep those.",
    ),
    "no_fat_detected": ("no white place above 50 px.", "Keep it as a control without fat."),
}


@dataclass(frozen=True)
class Judged:
    """What the rules say of one file.

    Parameters
    ----------
    category : str
        One of `ORDER`; ``""`` for a file whose suffix they pass over.
    pixels : str
        MD5 of the blue, green and red bytes.
    fat_count : int
        White places above 50 px.
    avg_fat_area : float
        Their mean area, px.
    """

    category: str
    pixels: str = ""
    fat_count: int = 0
    avg_fat_area: float = 0.0


def judge(sample: Sample) -> Judged:
    """Return the category of a file by itself: all but ``duplicates``, which needs the others."""
    if not sample.path.lower().endswith(SUFFIXES):
        return Judged("")
    try:
        rgb = _as_opencv(read_stored(sample.path))
    except SteatosisError:
        return Judged("invalid")
    if rgb is None or min(rgb.shape[:2]) < SMALLEST_PX:
        return Judged("invalid")
    pixels = hashlib.md5(rgb[..., ::-1].tobytes(), usedforsecurity=False).hexdigest()
    grey = grey_of(rgb)
    if float(np.mean(grey <= GLASS)) < LEAST_TISSUE:
        return Judged("low_tissue", pixels)
    areas = outer_areas(grey > WHITE)
    areas = areas[areas > LEAST_AREA_PX]
    if not areas.size:
        return Judged("no_fat_detected", pixels)
    return Judged("valid", pixels, len(areas), float(areas.mean()))


def sorted_out(data: Dataset, judged: list[Judged]) -> dict[str, list[Any]]:
    """Return the report: category to file names, for ``valid`` to what was counted.

    A file whose pixels were seen before is a duplicate whatever else it is, unless it is
    invalid; the first stays.
    """
    names = _names(data)
    report: dict[str, list[Any]] = {category: [] for category in ORDER}
    seen: set[str] = set()
    for name, one in zip(names, judged, strict=True):
        if not one.category:
            continue
        if one.pixels and one.pixels in seen:
            report["duplicates"].append(name)
            continue
        seen.add(one.pixels)
        if one.category == "valid":
            counted = {"fat_count": one.fat_count, "avg_fat_area": one.avg_fat_area}
            report["valid"].append({"file": name, **counted})
        else:
            report[one.category].append(name)
    return report


def findings_of(
    data: Dataset, judged: list[Judged], report: Mapping[str, list[Any]]
) -> list[Finding]:
    """Return the categories as findings, and what the rules pass over."""
    sample = dict(zip(_names(data), (one.name for one in data), strict=True))
    found = [
        Finding(
            kind, "warning", sample[name], f"By the HEPASS rules: {SAID[kind][0]}", SAID[kind][1]
        )
        for kind in ORDER[1:]
        for name in report[kind]
    ]
    found += [
        Finding(
            "passed_over", "note", one.name, "The HEPASS rules know .png, .jpg, .jpeg and .tif."
        )
        for one, by_rules in zip(data, judged, strict=True)
        if not by_rules.category
    ]
    return found


def grey_of(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ``0.299 R + 0.587 G + 0.114 B``, rounded as OpenCV does in 15 bits.

    Examples
    --------
    >>> grey_of(np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]])).tolist()
    [[76, 150, 29]]
    """
    weighted = rgb.astype(np.uint32) @ np.array([9798, 19235, 3735], np.uint32)
    return ((weighted + 16384) >> 15).astype(np.uint8)


def outer_areas(yes: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the areas inside the outlines of places, as OpenCV's ``contourArea`` has them.

    Places hang together over corners; those that lie inside another do not count, and holes
    are filled. The outline runs through the centres of the outermost pixels: of every square
    between four centres it holds all where the four pixels belong to the place, half where
    three do, and nothing else. (Pick's ``N - B / 2 - 1`` says the same but for lines of
    single pixels.)

    Examples
    --------
    >>> outer_areas(np.pad(np.ones((4, 6), bool), 1)).tolist()
    [15.0]
    """
    from scipy.ndimage import binary_fill_holes, label

    filled = binary_fill_holes(yes)
    labels, count = label(filled, np.ones((3, 3), int))
    if not count:
        return np.zeros(0)
    corners = [labels[:-1, :-1], labels[:-1, 1:], labels[1:, :-1], labels[1:, 1:]]
    held = sum((corner > 0).astype(np.uint8) for corner in corners)
    owner = np.maximum.reduce(corners)
    area = np.select([held == 4, held == 3], [1.0, 0.5], 0.0)
    sums = np.bincount(owner.ravel(), area.ravel(), minlength=count + 1)[1:]
    return sums.astype(np.float64)


def _as_opencv(stored: Stored) -> NDArray[np.uint8] | None:
    """Return what ``cv2.imread`` makes of a file: 8-bit colour, alpha dropped, grey three times."""
    pixels = stored.pixels
    if stored.rgb is not None:
        return stored.rgb
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * 255
    if pixels.dtype != np.uint8:
        return None
    if stored.mode == "CMYK":
        light = 255 - pixels.astype(np.uint16)
        return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)
    if pixels.ndim == 2 or pixels.shape[2] < 3:
        plane = pixels if pixels.ndim == 2 else pixels[..., 0]
        return np.repeat(plane[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., :3])


def _names(data: Dataset) -> list[str]:
    """Return the names of the files, with folders only where two files have one name."""
    short = [PurePosixPath(one.name).name for one in data]
    count = Counter(short)
    return [s if count[s] == 1 else one.name for s, one in zip(short, data, strict=True)]
