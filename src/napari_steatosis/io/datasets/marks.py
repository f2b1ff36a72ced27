"""Points and outlines that somebody set: CSV tables, files that napari saves, QuPath's GeoJSON."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ...core.annotation import Annotation, Annotations
from ...core.errors import BadValueError, CannotOpenError
from ...core.marks import Marks
from ..annotations import open_annotations
from .places import inside, read_bytes
from .tables import Rows, read_table

IMAGE_COLUMNS = ("image", "path", "file", "filename", "name")
LABEL_COLUMNS = ("label", "class", "classification", "kind")
AXES = ("axis-0", "axis-1")
UNLABELLED = "fat"
"""What a point or shape without a label marks."""

GEOJSON = (".geojson", ".geojson.gz", ".json")


@lru_cache(maxsize=64)
def read_marks(path: str, changed: float = 0.0) -> Mapping[str, Marks]:
    """Read points: image to marks; the image is ``""`` where the file names none.

    A CSV with the columns image, x, y and label (px, pixel centres at whole numbers); a CSV
    or ``.npy`` of a napari Points layer; the points of a GeoJSON of QuPath.

    Parameters
    ----------
    path : str
        The file.
    changed : float
        Time of its last change, so that a file that was edited is read again.

    Raises
    ------
    CannotOpenError
        Where it is missing or damaged.
    BadValueError
        Where it has not these columns, or a place is no number.
    """
    if path.lower().endswith(GEOJSON):
        return {"": marks_of(annotations_at(path, changed))}
    if path.lower().endswith(".npy"):
        return {"": Marks(_array(path), (UNLABELLED,) * len(_array(path)))}
    names, rows = read_table(path)
    if "shape-type" in names:
        raise BadValueError(f"{path} holds shapes of napari, no points. Save the Points layer.")
    if set(AXES) <= set(names):
        _flat(path, names)
        y, x = AXES
    elif {"x", "y"} <= set(names):
        y, x = "y", "x"
    else:
        raise BadValueError(
            f"{path} has the columns {', '.join(names) or 'none'}. A table of points needs image, "
            f"x, y and label, or those of a napari Points layer (axis-0, axis-1)."
        )
    image = next((name for name in IMAGE_COLUMNS if name in names), None)
    label = next((name for name in LABEL_COLUMNS if name in names), None)
    found: dict[str, tuple[list[tuple[float, float]], list[str]]] = {}
    for number, row in enumerate(rows, start=2):
        places, labels = found.setdefault(row[image] if image else "", ([], []))
        places.append((_length(row[y], path, number), _length(row[x], path, number)))
        labels.append((row[label] if label else "") or UNLABELLED)
    return {
        name: Marks(np.array(places, np.float64).reshape(-1, 2), tuple(labels))
        for name, (places, labels) in found.items()
    }


def marks_for(path: str, image: str) -> Marks:
    """Return the marks of one image of a file: by its path, its name, or its stem."""
    found = read_marks(path, changed_at(path))
    place = PurePosixPath(image.replace("\\", "/"))
    for name in (image, place.as_posix(), place.name, place.stem, ""):
        if name in found:
            return found[name]
    for name, marks in found.items():
        if name and place.as_posix().endswith(f"/{name}"):
            return marks
    return Marks(np.zeros((0, 2)), ())


@lru_cache(maxsize=8)
def annotations_at(path: str, changed: float = 0.0) -> Annotations:
    """Read outlines: QuPath's GeoJSON, or a CSV of a napari Shapes layer.

    Raises
    ------
    CannotOpenError, BadValueError
        Where it is missing, damaged, or of another kind.
    """
    if not path.lower().endswith(".csv"):
        if inside(path)[0]:
            raise CannotOpenError(f"{path}: annotations are not read inside a zip file; unpack it.")
        return open_annotations(path)
    names, rows = read_table(path)
    wanted = {"index", "shape-type", *AXES}
    if missing := sorted(wanted - set(names)):
        raise BadValueError(
            f"{path} has no column {', '.join(missing)}; it has: {', '.join(names)}. Save the "
            f"Shapes layer in napari as CSV."
        )
    _flat(path, names)
    return Annotations(tuple(_shapes(rows, path)), path)


def changed_at(path: str) -> float:
    """Return when a file, or the zip file that it is in, was last changed; else 0."""
    try:
        return os.path.getmtime(inside(path)[0] or path)
    except OSError:
        return 0.0


def marks_of(annotations: Annotations) -> Marks:
    """Return the points among annotations."""
    points = [one for one in annotations if one.shape == "points"]
    places = [one.parts[0][0] for one in points]
    labels = [one.class_name or UNLABELLED for one in points for _ in one.parts[0][0]]
    return Marks(np.concatenate([np.zeros((0, 2)), *places]), tuple(labels))


def _shapes(rows: Rows, path: str) -> list[Annotation]:
    corners: dict[str, list[tuple[float, float]]] = {}
    kinds: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        place = (_length(row[AXES[0]], path, number), _length(row[AXES[1]], path, number))
        corners.setdefault(row["index"], []).append(place)
        kinds[row["index"]] = row["shape-type"]
    found = []
    for index, places in corners.items():
        ring = np.array(places, np.float64)
        if kinds[index] in ("line", "path"):
            found.append(Annotation("line", ((ring,),)))
            continue
        if kinds[index] == "ellipse":
            ring = _ellipse(ring)
        closed = np.concatenate([ring, ring[:1]])
        found.append(Annotation("polygon", ((closed,),), class_name=UNLABELLED))
    return found


def _ellipse(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the outline of an ellipse that napari stores as the corners of its box."""
    if len(box) != 4:
        return box
    middle, down, right = box.mean(0), (box[3] - box[0]) / 2, (box[1] - box[0]) / 2
    angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)[:, None]
    return np.asarray(middle + np.cos(angle) * right + np.sin(angle) * down)


def _array(path: str) -> NDArray[np.float64]:
    try:
        places = np.load(io.BytesIO(read_bytes(path)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise CannotOpenError(f"{path} cannot be read as an array ({error}).") from error
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise BadValueError(f"{path} has the shape {places.shape}; points are (n, 2): row, column.")
    return places.astype(np.float64)


def _flat(path: str, names: list[str]) -> None:
    if "axis-2" in names:
        raise BadValueError(f"{path} has three axes; save a layer that lies on one flat image.")


def _length(cell: str, path: str, line: int) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise BadValueError(f"{path}, line {line}: the place is {cell!r}, not a number of px.")
    return value
