"""Results out: the table of writers, and the function that picks one by the suffix."""

from __future__ import annotations

import os
from inspect import signature
from pathlib import Path
from typing import Any, get_args, get_type_hints

from ..core.errors import BadValueError, UnknownNameError
from ..core.table import Table

WRITERS = Table(
    "writer",
    {
        ".csv": "napari_steatosis.io.write_table:write_csv",
        ".parquet": "napari_steatosis.io.write_table:write_parquet",
        ".json": "napari_steatosis.io.write_table:write_json",
        ".html": "napari_steatosis.io.write_report:write_html",
        ".pdf": "napari_steatosis.io.write_report:write_pdf",
        ".geojson": "napari_steatosis.io.write_geojson:write_geojson",
        ".geojson.gz": "napari_steatosis.io.write_geojson:write_geojson",
        ".ome.zarr": "napari_steatosis.io.write_ome_zarr:write_ome_zarr",
        ".zarr": "napari_steatosis.io.write_ome_zarr:write_ome_zarr",
        ".ome.tif": "napari_steatosis.io.write_ome_tiff:write_ome_tiff",
        ".ome.tiff": "napari_steatosis.io.write_ome_tiff:write_ome_tiff",
        ".png": "napari_steatosis.io.write_picture:write_picture",
        ".svg": "napari_steatosis.io.write_snapshot:write_snapshot",
    },
)
"""Suffix to a function ``(value, path, *, overwrite, **its own options) -> list of Path``.

The annotation of `value` says what the writer can write."""


def write(
    value: Any, path: str | os.PathLike[str], *, overwrite: bool = False, **options: Any
) -> list[Path]:
    """Write a report, a prediction, a slide or labels in the format of the suffix.

    A file gets its name when it is complete; what is half-written is never left behind.

    Parameters
    ----------
    value : Report, Reports, Annotations, Prediction, LabelImage, Mask, Slide or Snapshot
        A `Report` as ``.csv`` or ``.parquet`` (one row per droplet; ``*_summary`` and
        ``*_tiles`` beside it), ``.json``, ``.html``, ``.pdf`` or ``.geojson``,
        ``.geojson.gz`` (QuPath); `Annotations` as ``.geojson``, ``.geojson.gz``; `Reports` of
        several slides as ``.csv`` or ``.parquet`` (one row per slide, and ``*_patients``); a
        `Slide`, `Prediction` or `LabelImage` as ``.ome.tif`` or ``.ome.zarr`` (labels also into an
        OME-Zarr image that is there); a `Snapshot` as ``.png`` or ``.svg``; a `Mask` as
        ``.ome.zarr``, ``.png``, or outlines: ``.geojson``, ``.geojson.gz``.
    path : path
        What to write. Folders on the way are created.
    overwrite : bool
        Replace what is there.
    **options
        Passed on to the writer of the suffix, which documents them (``version="0.5"``).

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UnknownNameError
        No writer has that suffix.
    BadValueError
        The format cannot hold such a value, or has no such option.
    CannotOpenError
        Something stands there already and `overwrite` is False.

    Examples
    --------
    >>> import tempfile
    >>> from napari_steatosis.core.report import Measurement, Report
    >>> report = Report("slide", (Measurement("fat_area", 0.25, "mm^2", "Area of fat."),))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [made.name for made in write(report, f"{folder}/slide.json")]
    ['slide.json']
    """
    target = Path(path)
    name = target.name.lower()
    suffixes = [suffix for suffix in WRITERS if name.endswith(suffix)]
    if not suffixes:
        raise UnknownNameError(f"{target}: no writer has this suffix. Known: {', '.join(WRITERS)}.")
    writer = WRITERS[max(suffixes, key=len)]
    if not isinstance(value, written_by(writer)):
        fitting = [s for s in WRITERS if isinstance(value, written_by(WRITERS[s]))]
        what, holds = type(value).__name__, " or ".join(k.__name__ for k in written_by(writer))
        raise BadValueError(
            f"{target}: this format holds a {holds}, not a {what}. A {what} can be written as "
            f"{', '.join(fitting) or 'nothing'}.{MADE_OF.get(what, '')}"
        )
    known = [name for name in signature(writer).parameters if name not in GIVEN]
    said = ", ".join(name for name in known if not name.startswith("on_"))
    if unknown := [name for name in options if name not in known]:
        raise BadValueError(
            f"{target}: this format has no option {', '.join(unknown)}. It has: {said or 'none'}."
        )
    made: list[Path] = writer(value, target, overwrite=overwrite, **options)
    return made


MADE_OF = {
    "Prediction": " measure(prediction) makes a Report of it.",
    "Report": " report.prediction holds the Prediction.",
    "Slide": " Snapshot(slide, region) makes a picture of it (in the shell: snapshot).",
}
"""How a value becomes another that more formats hold."""

GIVEN = ("value", "path", "overwrite")
"""Parameters that every writer has."""


def written_by(writer: Any) -> tuple[type, ...]:
    """Return the types that a writer writes: one, or those of a union."""
    kind = get_type_hints(writer)["value"]
    return get_args(kind) or (kind,)
