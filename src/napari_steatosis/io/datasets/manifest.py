"""The one table of a dataset, read back; and tables that are joined to it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ...core.errors import BadValueError
from ...core.geometry import Region
from .folders import SPLITS, Found
from .tables import Rows, meant_by, number, read_table

NAME = "manifest.csv"

SPELLINGS = {
    **dict.fromkeys(("path", "image", "file", "filename", "file_name", "image_path"), "path"),
    **dict.fromkeys(("mask_path", "mask"), "mask_path"),
    **dict.fromkeys(("points_path", "points"), "points_path"),
    **dict.fromkeys(("annotations_path", "annotations", "geojson"), "annotations_path"),
    **dict.fromkeys(("patient", "group", "patient_id", "donor", "case"), "patient"),
    **dict.fromkeys(("split", "set", "subset"), "split"),
    **dict.fromkeys(("label", "class", "grade", "stage"), "label"),
    **dict.fromkeys(("score", "score_percent"), "score"),
    **dict.fromkeys(("mpp", "um_per_px"), "um_per_px"),
    **{name: name for name in ("slide", "stain", "modality", "site", "y", "x", "height", "width")},
}
"""Column to the field of a `Sample` that it gives; other columns are passed over."""

PATHS = ("path", "mask_path", "points_path", "annotations_path")
SIDES = ("y", "x", "height", "width")
MOST_FAULTS = 20


def read_manifest(path: str) -> Found:
    """Read a manifest; relative paths start from its own folder.

    Raises
    ------
    CannotOpenError
        Where there is no such table.
    BadValueError
        Where columns or cells cannot be used: all is told at once, with the line.
    """
    names, rows = read_table(path)
    meant = meant_by(names, SPELLINGS, path)
    if "path" not in meant.values():
        raise BadValueError(
            f"{path} has no column path; it has: {', '.join(names) or 'nothing'}. A manifest has "
            f"the columns path, and as wanted mask_path, points_path, patient, slide, split, "
            f"label, score, mpp, stain, modality, site."
        )
    found, faults = Found(), []
    folder = os.path.dirname(path) or "."
    for line, cells in enumerate(rows, start=2):
        try:
            found.rows.append(_row(cells, meant, folder))
        except BadValueError as error:
            faults.append(f"  line {line}: {error}")
    if faults:
        more = len(faults) - MOST_FAULTS
        raise BadValueError(
            f"{path}: rows cannot be used.\n"
            + "\n".join(faults[:MOST_FAULTS])
            + (f"\n  and {more} more" if more > 0 else "")
        )
    if not found.rows:
        raise BadValueError(f"{path} lists no image.")
    _named(found.rows)
    return found


def _row(cells: Mapping[str, str], meant: Mapping[str, str], folder: str) -> dict[str, Any]:
    row: dict[str, Any] = {field: cells[name] for name, field in meant.items()}
    if not row["path"]:
        raise BadValueError("the path is empty. Give the file of the image.")
    row["name"] = PurePosixPath(row["path"].replace("\\", "/")).as_posix()
    for field in PATHS:
        if row.get(field):
            row[field] = ";".join(
                os.path.normpath(os.path.join(folder, one.strip())).replace(os.sep, "/")
                for one in row[field].split(";")
            )
    row["split"] = SPLITS.get(row.get("split", "").lower(), row.get("split", ""))
    for field in ("score", "um_per_px"):
        row[field] = number(row.get(field, ""), field, row["name"])
    if row["um_per_px"] is not None and not row["um_per_px"] > 0:
        raise BadValueError(f"mpp is {row['um_per_px']:g}; give the size of a pixel in um.")
    sides = [number(row.pop(side, ""), side, row["name"]) for side in SIDES]
    if any(side is not None for side in sides):
        if None in sides:
            raise BadValueError("a region needs y, x, height and width; fill all four or none.")
        y, x, height, width = (int(side or 0) for side in sides)
        row["region"] = Region(y=y, x=x, height=height, width=width)
        row["name"] += f" @{y},{x}"
    return row


def _named(rows: Sequence[dict[str, Any]]) -> None:
    """Give rows of one image (several regions, several labels) names of their own."""
    seen: dict[str, int] = {}
    for row in rows:
        name = row["name"]
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            row["name"] = f"{name} #{seen[name]}"


def read_point_table(path: str, files: Mapping[str, str]) -> Found:
    """Read a table ``image,x,y,label`` as one sample per image.

    Parameters
    ----------
    path : str
        The table.
    files : mapping of str to str
        Name and stem of the pictures beside it to their path; what is not there is taken as
        a path from the folder of the table.
    """
    names, rows = read_table(path)
    image = next(name for name in names if SPELLINGS.get(name) == "path")
    folder = os.path.dirname(path) or "."
    found = Found()
    for name in dict.fromkeys(row[image] for row in rows):
        place = files.get(name) or files.get(PurePosixPath(name).stem) or f"{folder}/{name}"
        found.rows.append({"name": name, "path": place, "points_path": path})
    return found


def is_point_table(names: Sequence[str]) -> bool:
    """Say whether columns are those of points in many images."""
    return {"x", "y"} <= set(names) and not {"height", "width"} & set(names)


def join_table(found: Found, path: str) -> None:
    """Add the columns of a table: by patient (scores), else by image (patients, labels).

    Raises
    ------
    BadValueError
        Where it has no column that both share, or no row fits.
    """
    names, rows = read_table(path)
    meant = meant_by(names, SPELLINGS, path)
    given = {field: name for name, field in meant.items()}
    key = "path" if "path" in given else "patient"
    values = [field for field in given if field not in (key, *PATHS, *SIDES)]
    if key not in given or not values:
        raise BadValueError(
            f"{path} has the columns {', '.join(names) or 'none'}. A table to be joined has "
            f"patient and score_percent, or image and patient (and label, split, site, mpp)."
        )
    table = _by_key(rows, given[key], path)
    fitting = 0
    for row in found.rows:
        cells = next((table[one] for one in _keys(row, key) if one in table), None)
        if cells is None:
            continue
        fitting += 1
        for field in values:
            cell = cells[given[field]]
            if field in ("score", "um_per_px"):
                row[field] = number(cell, field, path)
            elif cell:
                row[field] = SPLITS.get(cell.lower(), cell) if field == "split" else cell
    if not fitting:
        raise BadValueError(
            f"{path}: none of its {len(table)} values of {given[key]} (first: "
            f"{next(iter(table), 'none')}) is that of an image here (first: "
            f"{next(iter(_keys(found.rows[0], key)), 'none') or 'none'})."
        )
    if fitting < len(found.rows):
        found.notes.append(
            f"{os.path.basename(path)} says nothing of {len(found.rows) - fitting} of "
            f"{len(found.rows)} images."
        )


def _by_key(rows: Rows, column: str, path: str) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for line, cells in enumerate(rows, start=2):
        other = table.setdefault(cells[column], cells)
        if other is not cells and other != cells:
            raise BadValueError(
                f"{path}, line {line}: {column} {cells[column]!r} is there twice with different "
                f"values. Keep one."
            )
    return table


def _keys(row: Mapping[str, Any], key: str) -> list[str]:
    if key == "patient":
        return [row["patient"]] if row.get("patient") else []
    place = PurePosixPath(row["name"])
    return [row["name"], place.name, place.stem]
