"""Portal tracts and central veins that somebody drew, found for a slide."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..core.annotation import Annotation
from ..core.errors import BadValueError
from ..core.geometry import Frame
from ..core.slide import Slide
from ..imaging import mask_of_annotations
from ..quantify import Landmarks
from .regions import annotations_for

KINDS = ("portal", "central")
POINT_UM = 8.0
"""Side of the square that a point stands for, um: distances begin at its edge."""


def kind_of(class_name: str) -> str:
    """Return which landmark a class is: ``"portal"``, ``"central"`` or ``""``.

    Examples
    --------
    >>> kind_of("Portal tract"), kind_of("central"), kind_of("Tissue")
    ('portal', 'central', '')
    """
    name = class_name.strip().lower()
    return next((kind for kind in KINDS if name.startswith(kind)), "")


def around_points(points_um: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return a closed square of `POINT_UM` around each point, (5, 2) um.

    Examples
    --------
    >>> around_points(np.array([[10.0, 20.0]]))[0].tolist()
    [[6.0, 16.0], [6.0, 24.0], [14.0, 24.0], [14.0, 16.0], [6.0, 16.0]]
    """
    corners = np.array([(-1, -1), (-1, 1), (1, 1), (1, -1), (-1, -1)]) * POINT_UM / 2
    return [point + corners for point in np.asarray(points_um, float).reshape(-1, 2)]


def read_landmarks(place: str | os.PathLike[str], slide: Slide) -> Landmarks:
    """Read the portal and central regions of a slide from GeoJSON, as QuPath exports it.

    Parameters
    ----------
    place : path
        A GeoJSON file, or a folder with one per slide, as for `read_regions`. Areas and points
        count whose class begins with "portal" or "central", in capitals or not; a point stands
        for a vessel of 8 um.
    slide : Slide
        With a pixel size; the coordinates are px of its level 0.

    Raises
    ------
    CannotOpenError
        Where the folder has no file for the slide, or the file is no GeoJSON.
    BadValueError
        Where nothing of the kind is annotated.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import napari_steatosis as st
    >>> square = [[[0, 0], [0, 160], [160, 160], [160, 0], [0, 0]]]
    >>> shape = {"type": "Polygon", "coordinates": square}
    >>> vein = {"classification": {"name": "Central vein"}}
    >>> file = Path(tempfile.mkdtemp()) / "drawn.geojson"
    >>> _ = file.write_text(json.dumps({"type": "Feature", "geometry": shape, "properties": vein}))
    >>> read_landmarks(file, st.drawn_liver(512, 512, seed=1)).kinds
    ('central',)
    """
    frame, annotations = slide.frame(), annotations_for(place, slide)
    annotations = replace(annotations, items=tuple(_area(one, frame) for one in annotations))
    there = {one.class_name for one in annotations if one.shape == "polygon"}
    classes = {kind: [name for name in there if kind_of(name) == kind] for kind in KINDS}
    if not any(classes.values()):
        known = ", ".join(sorted(name or "(no class)" for name in annotations.classes)) or "none"
        raise BadValueError(
            f"{annotations.path}: there is no area or point of the class 'portal' or 'central', "
            f"from which zones are measured. Classes there: {known}."
        )
    masks = {
        kind: mask_of_annotations(annotations, frame, classes=names)
        for kind, names in classes.items()
        if names
    }
    return Landmarks(masks.get("portal"), masks.get("central"))


def _area(one: Annotation, frame: Frame) -> Annotation:
    """Return points as squares, and anything else as it is."""
    if one.shape != "points":
        return one
    points = np.concatenate([ring for part in one.parts for ring in part])
    squares = around_points(frame.to_um(points))
    return replace(one, shape="polygon", parts=tuple((frame.to_px(each),) for each in squares))
