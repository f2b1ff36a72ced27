"""Portal tracts and central veins that somebody drew, found for a slide."""

from __future__ import annotations

import os

from ..core.errors import BadValueError
from ..core.slide import Slide
from ..imaging import mask_of_annotations
from ..quantify import Landmarks
from .regions import annotations_for

KINDS = ("portal", "central")


def kind_of(class_name: str) -> str:
    """Return which landmark a class is: ``"portal"``, ``"central"`` or ``""``.

    Examples
    --------
    >>> kind_of("Portal tract"), kind_of("central"), kind_of("Tissue")
    ('portal', 'central', '')
    """
    name = class_name.strip().lower()
    return next((kind for kind in KINDS if name.startswith(kind)), "")


def read_landmarks(place: str | os.PathLike[str], slide: Slide) -> Landmarks:
    """Read the portal and central regions of a slide from GeoJSON, as QuPath exports it.

    Parameters
    ----------
    place : path
        A GeoJSON file, or a folder with one per slide, as for `read_regions`. Areas count whose
        class begins with "portal" or "central", in capitals or not.
    slide : Slide
        With a pixel size; the coordinates are px of its level 0.

    Raises
    ------
    CannotOpenError
        Where the folder has no file for the slide, or the file is no GeoJSON.
    BadValueError
        Where no such area is annotated.

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
    annotations = annotations_for(place, slide)
    classes = {
        kind: [
            name
            for name in {one.class_name for one in annotations if one.shape == "polygon"}
            if kind_of(name) == kind
        ]
        for kind in KINDS
    }
    if not any(classes.values()):
        there = ", ".join(sorted(name or "(no class)" for name in annotations.classes)) or "none"
        raise BadValueError(
            f"{annotations.path}: there is no area of the class 'portal' or 'central', from which "
            f"zones are measured. Classes there: {there}."
        )
    frame = slide.frame()
    masks = {
        kind: mask_of_annotations(annotations, frame, classes=names)
        for kind, names in classes.items()
        if names
    }
    return Landmarks(masks.get("portal"), masks.get("central"))
