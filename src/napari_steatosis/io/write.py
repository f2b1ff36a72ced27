"""Results out: the table of writers, and the function that picks one by the suffix."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

from ..core.errors import BadValueError, CannotOpenError, UnknownNameError
from ..core.table import Table

WRITERS = Table(
    "writer",
    {
        ".csv": "napari_steatosis.io.write_table:write_csv",
        ".json": "napari_steatosis.io.write_table:write_json",
        ".html": "napari_steatosis.io.write_report:write_html",
        ".geojson": "napari_steatosis.io.write_geojson:write_geojson",
        ".geojson.gz": "napari_steatosis.io.write_geojson:write_geojson",
        ".ome.zarr": "napari_steatosis.io.write_ome_zarr:write_ome_zarr",
        ".zarr": "napari_steatosis.io.write_ome_zarr:write_ome_zarr",
    },
)
"""Suffix to a function ``(value, path, *, overwrite) -> list of Path``.

The annotation of `value` says what the writer can write."""


def write(value: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> list[Path]:
    """Write a report or a prediction in the format of the suffix.

    A file gets its name when it is complete; what is half-written is never left behind.

    Parameters
    ----------
    value : Report or Prediction
        A `Report` as ``.csv`` (one row per droplet, and ``*_summary.csv`` beside it),
        ``.json``, ``.html`` or ``.geojson``, ``.geojson.gz`` (QuPath); a `Prediction` as
        ``.zarr`` (OME-NGFF labels, also into an existing OME-Zarr image).
    path : path
        What to write. Folders on the way are created.
    overwrite : bool
        Replace what is there.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UnknownNameError
        No writer has that suffix.
    BadValueError
        The format cannot hold such a value.
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
        what, holds = type(value).__name__, written_by(writer).__name__
        raise BadValueError(
            f"{target}: this format holds a {holds}, not a {what}. A {what} can be written as "
            f"{', '.join(fitting) or 'nothing'}; measure(prediction) makes a Report of a "
            f"Prediction, and report.prediction holds the Prediction."
        )
    made: list[Path] = writer(value, target, overwrite=overwrite)
    return made


def written_by(writer: Any) -> type:
    """Return the type that a writer writes."""
    kind: type = get_type_hints(writer)["value"]
    return kind


@contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well it becomes `path`.

    Raises
    ------
    CannotOpenError
        Something stands at `path` and `overwrite` is False.
    """
    if path.exists() and not overwrite:
        raise CannotOpenError(
            f"{path} is there already. Choose another name, or allow it to be replaced "
            f"(overwrite=True)."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        if part.is_dir() and path.exists():
            gone = path.with_name(f".{path.name}.{os.getpid()}.gone")
            path.replace(gone)
            part.replace(path)
            _remove(gone)
        else:
            part.replace(path)
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
