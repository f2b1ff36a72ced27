"""Areas that somebody drew elsewhere, found for a slide and made a mask."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..core.annotation import Annotations
from ..core.errors import CannotOpenError
from ..core.mask import Mask
from ..core.slide import Slide
from ..imaging import mask_of_annotations
from ..io import open_annotations
from .analyse import stem

SUFFIXES = (".geojson", ".geojson.gz", ".json")


def read_regions(
    place: str | os.PathLike[str], slide: Slide, *, classes: Sequence[str] = ()
) -> Mask:
    """Read annotated areas of a slide from GeoJSON, as QuPath exports it.

    Parameters
    ----------
    place : path
        A GeoJSON file, or a folder with one per slide (``liver_017.geojson`` for
        ``liver_017.svs``).
    slide : Slide
        With a pixel size; the coordinates are px of its level 0.
    classes : sequence of str
        Only areas of these classes; none is all.

    Returns
    -------
    Mask

    Raises
    ------
    CannotOpenError
        Where the folder has no file for the slide, or the file is no GeoJSON.
    BadValueError
        Where no such area is annotated.

    Examples
    --------
    >>> import json, tempfile
    >>> import napari_steatosis as st
    >>> square = [[[0, 0], [0, 160], [160, 160], [160, 0], [0, 0]]]
    >>> shape = {"type": "Polygon", "coordinates": square}
    >>> file = Path(tempfile.mkdtemp()) / "drawn.geojson"
    >>> _ = file.write_text(json.dumps({"type": "Feature", "geometry": shape, "properties": {}}))
    >>> round(read_regions(file, st.drawn_liver(512, 512, seed=1)).area_mm2, 4)
    0.0064
    """
    return mask_of_annotations(annotations_for(place, slide), slide.frame(), classes=classes)


def annotations_for(place: str | os.PathLike[str], slide: Slide) -> Annotations:
    """Read the annotations of a slide from a file, or from the one that a folder has for it.

    Raises
    ------
    CannotOpenError
        Where the folder has none, or the file is no GeoJSON.
    """
    path = Path(place)
    if path.is_dir():
        named = [path / f"{stem(slide)}{suffix}" for suffix in SUFFIXES]
        there = [file for file in named if file.is_file()]
        if not there:
            raise CannotOpenError(
                f"{path} has no annotations of {slide.path}: neither of "
                f"{', '.join(file.name for file in named)} is there."
            )
        path = there[0]
    return open_annotations(path)
