"""A sample as a row of the manifest: the columns, and paths that hold wherever the folder lies."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .dataset import Sample

COLUMNS = (
    *("path", "mask_path", "points_path", "patient", "slide", "split", "label", "score", "mpp"),
    *("stain", "modality", "site"),
)
"""Columns of every manifest."""

REGION_COLUMNS = ("y", "x", "height", "width")
EXTRA_COLUMNS = ("annotations_path", *REGION_COLUMNS)
"""Columns that follow where they are used."""


def row_of(sample: Sample, start: str) -> dict[str, str]:
    """Return column to cell; paths are relative to a folder."""

    def number(value: float | None) -> str:
        return "" if value is None else repr(float(value))

    place = sample.region
    sides = {} if place is None else {name: str(getattr(place, name)) for name in REGION_COLUMNS}
    masks = sample.mask_path.split(";")
    return {
        "path": _relative(sample.path, start),
        "mask_path": ";".join(_relative(one, start) for one in masks),
        "points_path": _relative(sample.points_path, start),
        "annotations_path": _relative(sample.annotations_path, start),
        "mpp": number(sample.um_per_px),
        "score": number(sample.score),
        **{name: str(getattr(sample, name)) for name in ("patient", "slide", "split", "label")},
        **{name: str(getattr(sample, name)) for name in ("stain", "modality", "site")},
        **(sides or dict.fromkeys(REGION_COLUMNS, "")),
    }


def _relative(path: str, start: str) -> str:
    if not path:
        return ""
    try:
        return Path(os.path.relpath(path, start)).as_posix()
    except ValueError:  # another drive of Windows
        return path
