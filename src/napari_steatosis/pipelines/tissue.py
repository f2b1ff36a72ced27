"""A tissue mask from a file, for a slide: one of this program, or drawn elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import BadValueError, CannotOpenError
from ..core.label_image import LabelImage
from ..core.mask import Mask
from ..core.slide import Slide
from ..imaging.mask_labels import checked_on, mask_of_labels
from ..io import open_labels
from ..io._masks import NAME, open_mask_picture
from ..io._ngff.read import recognises
from .analyse import stem_of
from .regions import SUFFIXES as OUTLINES
from .regions import read_regions

SUFFIXES = (".ome.zarr", ".zarr", ".png", *OUTLINES)


def read_tissue(place: str | os.PathLike[str], slide: Slide) -> Mask:
    """Read where the tissue of a slide is: what ``napari-steatosis tissue`` wrote, or others.

    Parameters
    ----------
    place : path
        OME-Zarr with the labels ``tissue`` (or with no others), PNG, GeoJSON; or a folder with
        one of them per slide (``liver_017.ome.zarr`` for ``liver_017.svs``).
    slide : Slide
        With a pixel size.

    Returns
    -------
    Mask
        With the provenance that it was stored with, where nobody changed it since.

    Raises
    ------
    CannotOpenError
        Where there is no such file, none for the slide, or it cannot be read.
    MissingScaleError
        Where the slide has no pixel size.
    BadValueError
        Where the mask does not lie on the slide, or is of another one.

    Examples
    --------
    >>> import tempfile
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(1024, 1024, seed=1)
    >>> mask, folder = st.find_tissue(slide), tempfile.mkdtemp()
    >>> _ = st.write(mask, f"{folder}/mask.png")
    >>> read_tissue(f"{folder}/mask.png", slide).provenance == mask.provenance
    True
    """
    slide.frame()
    path = mask_file(Path(place), Path(slide.path))
    name = path.name.lower()
    if name.endswith(OUTLINES):
        return checked_on(read_regions(path, slide), slide)
    if name.endswith(".png"):
        return mask_of_labels(open_mask_picture(path, slide), slide)
    return mask_of_labels(_labels(path), slide)


def mask_file(place: Path, slide: Path) -> Path:
    """Return the file of a slide's mask: the place itself, or the one for it in a folder.

    Raises
    ------
    CannotOpenError
        Where the folder has none for the slide.
    """
    if not place.is_dir() or recognises(place) or place.name.lower().endswith(".zarr"):
        return place
    names = [f"{stem_of(slide.name)}{suffix}" for suffix in SUFFIXES]
    there = [place / name for name in names if (place / name).exists()]
    if not there:
        raise CannotOpenError(
            f"{place} has no tissue mask of {slide}: neither of {', '.join(names)} is there."
        )
    return there[0]


def _labels(path: Path) -> LabelImage:
    found: tuple[LabelImage, ...] = open_labels(path)
    named = [one for one in found if one.name == NAME] or list(found)
    if len(named) != 1:
        there = ", ".join(one.name for one in found) or "none"
        raise BadValueError(
            f"{path}: a tissue mask is read from the labels {NAME!r}; there are: {there}. Give the "
            f"path of the labels themselves ({path.name}/labels/...)."
        )
    return named[0]
