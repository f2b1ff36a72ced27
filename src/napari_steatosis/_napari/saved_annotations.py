"""Shapes and points of napari as annotations, to be written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.annotation import Annotation
from ..core.errors import BadValueError
from .annotation_layers import PX_OF_LEVEL_0, rings_of
from .placement import Ground, has_length, matrix_of, relative
from .saved_layers import rows_of
from .view import ellipse_outline

CLASS_COLUMNS = ("class", "classification")
"""Columns of features that are taken for the class, the first that says something."""
OWN_COLUMNS = ("object", "part", "identity", "index")


def annotations_of(
    data: Any, meta: Mapping[str, Any], kind: str, ground: Ground | None
) -> list[Annotation]:
    """Return the shapes or points of a layer in px of level 0 of the slide.

    Raises
    ------
    BadValueError
        The layer is not flat, or the slide that it lies on is not known.
    """
    if meta["ndim"] != 2:
        raise BadValueError(f"The layer {meta['name']!r} has {meta['ndim']} dimensions, not 2.")
    matrix = _to_px(meta, ground)
    colours = np.asarray(meta["edge_color" if kind == "shapes" else "face_color"])[:, :3] * 255
    rows = rows_of(meta, len(data))
    kinds = meta["shape_type"] if kind == "shapes" else ["point"] * len(rows)
    made: list[Annotation] = []
    last: tuple[Any, Any] | None = None
    known: set[str] = set()
    for corners, shape, row, colour in zip(data, kinds, rows, colours, strict=True):
        form, parts = _geometry(np.atleast_2d(corners) @ matrix[:2, :2].T + matrix[:2, 2], shape)
        piece = (row.get("object"), row.get("part"))
        if last is not None and piece[0] == last[0] and piece[1] == last[1] + 1:
            made[-1] = _joined(made[-1], form, parts)
        else:
            made.append(_annotation(form, parts, row, colour, known))
        last = piece if None not in piece else None
    return made


def _to_px(meta: Mapping[str, Any], ground: Ground | None) -> NDArray[np.float64]:
    if meta["metadata"].get(PX_OF_LEVEL_0):
        return np.eye(3)
    if ground is not None:
        return relative(meta, ground)
    if not has_length(meta):
        return matrix_of(meta)
    raise BadValueError(
        f"The layer {meta['name']!r} is in a unit of length, and GeoJSON is in px of its slide. "
        f"Save it together with the layer of the slide."
    )


def _geometry(corners: NDArray[np.float64], shape: str) -> tuple[str, Any]:
    if shape == "point":
        return "points", ((corners,),)
    if shape in ("line", "path"):
        return "line", ((corners,),)
    outline = ellipse_outline(corners) if shape == "ellipse" else corners
    return "polygon", (tuple(rings_of(outline)),)


def _joined(one: Annotation, form: str, parts: Any) -> Annotation:
    if form == "points":
        parts = ((np.concatenate([one.parts[0][0], parts[0][0]]),),)
        return replace(one, parts=parts)
    return replace(one, parts=(*one.parts, *parts))


def _annotation(
    form: Any, parts: Any, row: Mapping[str, Any], colour: Any, known: set[str]
) -> Annotation:
    """Return a piece as an annotation; a copy of one has no identity yet."""
    identity = str(row.get("identity", ""))
    identity = "" if identity in known else identity
    known.add(identity)
    words = {name: value for name, value in row.items() if name not in OWN_COLUMNS}
    class_name = str(next((words.pop(c) for c in CLASS_COLUMNS if words.get(c)), ""))
    red, green, blue = (int(part) for part in np.rint(colour))
    return Annotation(
        form,
        parts,
        kind=str(words.pop("kind", "annotation")),
        name=str(words.pop("name", "")),
        locked=bool(words.pop("locked", False)),
        class_name=class_name,
        colour=(red, green, blue),
        identity=identity,
        measurements={
            name: float(value) for name, value in words.items() if isinstance(value, int | float)
        },
    )
