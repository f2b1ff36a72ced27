"""Annotations (QuPath's GeoJSON) as layers: shapes and points, or labels for very many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CannotOpenError
from .layers import LayerTuple, labels_layer

if TYPE_CHECKING:
    import napari.layers

    from ..core.annotation import Annotation, Annotations

MOST_SHAPES = 5000
"""Beyond this number napari takes too long to draw shapes, and labels are shown instead."""
PLAIN = (230, 160, 0)
"""Colour of annotations that have none."""
FACE_OPACITY = 0.2
EDGE_SHARE = 1 / 120
"""Width of an outline in diagonals of its box, within `EDGE_PX`."""
EDGE_PX = (1.0, 30.0)
PX_OF_LEVEL_0 = "px_of_level_0"
"""Says in the metadata of a layer that its data are px of the slide, wherever it is drawn."""
POINT_PX = 12
POINT_ON_SCREEN = (5, 40)


def annotation_layers(
    annotations: Annotations, image: napari.layers.Image | None = None
) -> list[LayerTuple]:
    """Return annotations as layer data of shapes, labels and points.

    Parameters
    ----------
    annotations : Annotations
        In px of level 0 of a slide.
    image : napari.layers.Image, optional
        Layer of that slide, on which they are to lie; without it they are in px.

    Raises
    ------
    CannotOpenError
        There is none.
    """
    if not len(annotations):
        raise CannotOpenError(f"{annotations.path}: it holds no annotation with a place.")
    name = Path(annotations.path or "annotations").name
    where = {} if image is None else transform_of(image)
    kinds: dict[str, list[Annotation]] = {"polygon": [], "line": [], "points": []}
    for one in annotations:
        kinds[one.shape].append(one)
    many = len(kinds["polygon"]) > MOST_SHAPES
    outlines = [*([] if many else kinds["polygon"]), *kinds["line"]]
    made = []
    if many:
        made.append(_labels(annotations, name, image, where))
    if outlines:
        made.append(_shapes(outlines, name, where))
    if kinds["points"]:
        made.append(_points(kinds["points"], name, where))
    return made


def transform_of(image: napari.layers.Image) -> dict[str, Any]:
    """Return what puts the data of another layer on the data of an image layer."""
    names = ("scale", "translate", "rotate", "shear", "units")
    return {**{name: getattr(image, name) for name in names}, "affine": np.asarray(image.affine)}


def keyhole(rings: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return a ring and its holes as one line of corners, as a napari shape has it.

    A corner that comes again ends a ring: ``outer ... outer, hole ... hole, outer``.

    Examples
    --------
    >>> outer = np.array([(0, 0), (0, 9), (9, 9), (0, 0)], float)
    >>> hole = np.array([(2, 4), (2, 6), (3, 5), (2, 4)], float)
    >>> len(keyhole([outer])), len(keyhole([outer, hole]))
    (3, 8)
    >>> [len(ring) for ring in rings_of(keyhole([outer, hole]))]
    [4, 4]
    """
    outer, *holes = rings
    if not holes:
        return outer[:-1]
    steps = [outer]
    for hole in holes:
        steps += [hole, outer[:1]]
    return np.concatenate(steps[:-1])


def rings_of(corners: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the closed rings of a line of corners: the opposite of `keyhole`."""
    rings, begun = [], 0
    for at in range(1, len(corners)):
        if at > begun + 2 and np.array_equal(corners[at], corners[begun]):
            rings.append(corners[begun : at + 1])
            begun = at + 1
        elif rings and at == begun and np.array_equal(corners[at], corners[0]):
            begun = at + 1  # back at the outer ring, before the next hole
    rest = corners[begun:]
    if len(rest) > 2 and not rings:
        rings.append(np.concatenate([rest, rest[:1]]))
    elif len(rest):  # no keyhole after all: somebody moved a corner of it
        return [np.concatenate([corners, corners[:1]])]
    return rings


def _shapes(outlines: list[Annotation], name: str, where: dict[str, Any]) -> LayerTuple:
    data = [
        keyhole(part) if one.shape == "polygon" else part[0]
        for one in outlines
        for part in one.parts
    ]
    owners = [one for one in outlines for _ in one.parts]
    edges = _colours(owners)
    sizes = [float(np.linalg.norm(np.ptp(corners, axis=0))) for corners in data]
    options = {
        "name": name,
        "shape_type": ["polygon" if one.shape == "polygon" else "path" for one in owners],
        "edge_color": edges,
        "face_color": edges * (1, 1, 1, FACE_OPACITY),
        "edge_width": np.clip(np.multiply(sizes, EDGE_SHARE), *EDGE_PX).tolist(),
        "features": _features(owners),
        "metadata": {PX_OF_LEVEL_0: True},
        **where,
    }
    return data, options, "shapes"


def _points(marks: list[Annotation], name: str, where: dict[str, Any]) -> LayerTuple:
    groups = [one.parts[0][0] for one in marks]
    owners = [one for one, group in zip(marks, groups, strict=True) for _ in group]
    options = {
        "name": f"{name} points",
        "face_color": _colours(owners),
        "border_color": "white",
        "size": POINT_PX,
        "canvas_size_limits": POINT_ON_SCREEN,
        "features": _features(owners),
        "metadata": {PX_OF_LEVEL_0: True},
        **where,
    }
    return np.concatenate(groups), options, "points"


def _labels(
    annotations: Annotations, name: str, image: napari.layers.Image | None, where: dict[str, Any]
) -> LayerTuple:
    from ..imaging.annotations import labels_of

    if image is None:
        shape = _extent(annotations)
    else:
        shape = image.metadata["slide"].shape
    levels, options, kind = labels_layer(labels_of(annotations, shape))
    return levels, {**options, "name": name, **where}, kind


def _extent(annotations: Annotations) -> tuple[int, int]:
    """Return the height and width, px, in which all annotations lie."""
    far = np.max([one.box[2:] for one in annotations], axis=0)
    height, width = np.maximum(np.floor(far) + 1, 1).astype(int)
    return int(height), int(width)


def _colours(owners: list[Annotation]) -> NDArray[np.float64]:
    return np.array([(*(one.colour or PLAIN), 255) for one in owners]) / 255


def _features(owners: list[Annotation]) -> Any:
    """Return a table of what is known of each shape or point.

    ``object`` and ``part`` number the annotations of the file and their pieces, so that a
    writer can put them together again.
    """
    import pandas

    rows, part = [], 0
    numbers = {id(one): number for number, one in enumerate(dict.fromkeys(owners))}
    for before, one in zip([None, *owners], owners, strict=False):
        part = part + 1 if one is before else 0
        rows.append(
            {
                "class": one.class_name,
                "name": one.name,
                "kind": one.kind,
                "identity": one.identity,
                "locked": one.locked,
                "object": numbers[id(one)],
                "part": part,
                **one.measurements,
            }
        )
    return pandas.DataFrame(rows)
