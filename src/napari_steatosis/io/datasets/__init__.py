"""Training data in: every layout becomes the same table of samples, and nothing is decoded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from ...core.dataset import Dataset, Sample
from ...core.errors import BadValueError, CannotOpenError
from .areas import areas_at
from .coding import MaskCoding, coding_given, find_coding
from .folders import Found, annotated_slides, pictures_in, samples_in
from .manifest import NAME, is_point_table, join_table, read_manifest, read_point_table
from .places import files_of
from .slides import tiles_in
from .source import FileSource, classes_drawn
from .tables import read_table

Join = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
UM_PER_PX = 0.5
"""Resolution of the tiles of slides where none is asked for: that of the shipped models."""


def open_dataset(
    path: str | os.PathLike[str],
    *,
    join: Join = (),
    mask_values: Mapping[int | str, str] | None = None,
    um_per_px: float | None = None,
    tile_px: int = 512,
    modality: str = "",
) -> Dataset:
    """Open training data; only names of files and tables are read, no image.

    A manifest (CSV, or ``manifest.csv`` in the folder) comes first. Else a folder or zip file,
    which is read without being unpacked, may hold: slides with a GeoJSON of the same name;
    images with masks of the same stem in a sibling folder (mask, manual, annotation, label,
    gt, ..., or micro and macro) or beside them (``a.png``, ``a_mask.png``); class folders
    (``F0`` ... ``F4``, any) with train, val and test above them; images with points or
    outlines beside them. A CSV ``image,x,y,label`` is a dataset of points.

    Parameters
    ----------
    path : str or path
        Folder, zip file or CSV table.
    join : path or sequence of paths
        CSV tables that are joined: patient and score_percent; or image and patient, label,
        split, site, mpp.
    mask_values : mapping, optional
        What the masks hold: value, or colour ``"#ffff00"``, to class or ``"ignore"``. Without
        it the values are found out from some of the masks, and `Dataset.notes` says what was
        found.
    um_per_px : float, optional
        Size of a pixel of images for which no table states it; for slides the resolution of
        the tiles, 0.5 by default, um.
    tile_px : int
        Side of the tiles of slides, px.
    modality : str
        Of images for which no table states it: ``"ultrasound"`` is not asked for stain.

    Returns
    -------
    Dataset

    Raises
    ------
    CannotOpenError
        Nothing there, no image in it, or a damaged zip file or table.
    BadValueError
        Wrong columns, cells or mask values; a slide without a completely annotated area.

    Examples
    --------
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> for name in ("one", "two"):
    ...     Path("grades", name).mkdir(parents=True)
    ...     Image.new("RGB", (8, 8)).save(f"grades/{name}/a.png")
    >>> data = open_dataset("grades")
    >>> [(sample.name, sample.label) for sample in data], data.classes
    ([('one/a.png', 'one'), ('two/a.png', 'two')], ('one', 'two'))
    """
    if (um_per_px is not None and not um_per_px > 0) or tile_px < 1:
        raise BadValueError(
            f"um_per_px is {um_per_px} and tile_px {tile_px}; both must be positive."
        )
    place = os.fspath(path).replace(os.sep, "/")
    found = _found(place, um_per_px or UM_PER_PX, tile_px)
    for table in [join] if isinstance(join, str | os.PathLike) else join:
        join_table(found, os.fspath(table))
    root = os.path.dirname(place) or "." if place.lower().endswith(".csv") else place
    stated = {"um_per_px": um_per_px, "modality": modality}
    return _dataset(found, root, mask_values, stated)


def _found(place: str, um_per_px: float, tile_px: int) -> Found:
    if place.lower().endswith(".csv") and not os.path.isdir(place):
        return _table(place)
    files = files_of(place)
    tables = [name for name in files if name.rpartition("/")[2].lower() == NAME]
    if tables:
        return read_manifest(f"{place.rstrip('/')}/{min(tables, key=len)}")
    slides = list(annotated_slides(files))
    if slides:
        return tiles_in(place.rstrip("/"), slides, um_per_px=um_per_px, tile_px=tile_px)
    if not pictures_in(files):
        raise CannotOpenError(
            f"{place} holds no picture (PNG, JPEG, TIFF, BMP, WebP) among {len(files)} files. Give "
            f"the folder of the images, a zip file of it, or a CSV table with the column path. "
            f"Slides need outlines beside them (slide.svs, slide.geojson)."
        )
    return samples_in(place, files)


def _table(place: str) -> Found:
    names, _ = read_table(place)
    if not is_point_table(names):
        return read_manifest(place)
    if not {"image", "path", "file", "filename"} & set(names):
        raise BadValueError(
            f"{place} has points but no column image; it has: {', '.join(names)}. Give the folder "
            f"of the image that they belong to, or add the column."
        )
    folder = os.path.dirname(place) or "."
    files: dict[str, str] = {}
    for name in pictures_in(files_of(folder)):
        for key in (name, PurePosixPath(name).name, PurePosixPath(name).stem):
            files.setdefault(key, f"{folder}/{name}")
    return read_point_table(place, files)


def _dataset(
    found: Found,
    root: str,
    mask_values: Mapping[int | str, str] | None,
    stated: Mapping[str, Any],
) -> Dataset:
    labels = sorted({row["label"] for row in found.rows if row.get("label")})
    masks = [
        one for row in found.rows if row.get("mask_path") for one in row["mask_path"].split(";")
    ]
    drawn = sorted({row["annotations_path"] for row in found.rows if row.get("annotations_path")})
    coding = _coding(found, masks, mask_values)
    outlined = classes_drawn([areas_at(one) for one in drawn]) if drawn else ()
    source = FileSource(coding, outlined)
    samples = tuple(
        Sample(source=source, **{**stated, **{k: v for k, v in row.items() if v not in (None, "")}})
        for row in found.rows
    )
    indices = coding.classes if coding else outlined
    data = Dataset(samples, tuple(labels) or indices, root, tuple(found.notes))
    if labels and indices:
        said = f"Labels and masks are there, too; classes are the labels, masks hold {indices}."
        data = replace(data, notes=(*data.notes, said))
    return data


def _coding(
    found: Found, masks: Sequence[str], mask_values: Mapping[int | str, str] | None
) -> MaskCoding | None:
    """Return how masks are coded; of two masks per image (micro, macro) each is yes or no."""
    if not masks:
        if mask_values is not None:
            raise BadValueError("mask_values is given, but no image has a mask file.")
        return None
    coding = find_coding(masks) if mask_values is None else coding_given(mask_values)
    found.notes.append(f"{coding.said[:1].upper()}{coding.said[1:]}.")
    if any(";" in row.get("mask_path", "") for row in found.rows):
        found.notes.append(
            "Two masks per image: the first is class 1 (micro), the second 2 (macro)."
        )
        return replace(coding, classes=("tissue", "micro", "macro"))
    return coding
