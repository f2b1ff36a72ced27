"""QPTIFF of PerkinElmer and Akoya: every page says in XML what it is."""

from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import tifffile

OTHER_NAMES = {"Thumbnail": "thumbnail", "Overview": "macro", "Label": "label"}
"""Names of the images that are not the slide, by ``ImageType``."""


def described(page: Any) -> ElementTree.Element:
    """Return the XML of a page; an empty element where it has none."""
    try:
        return ElementTree.fromstring(page.description)
    except ElementTree.ParseError:
        return ElementTree.Element("nothing")


def qptiff_series(file: Any) -> list[Any]:
    """Return the slide with its levels and the other images, by their ``ImageType``.

    tifffile goes by the order of the pages, which takes a label for the overview where the
    overview is missing. Empty where no page is of full resolution: files of components are
    no slides.
    """
    full, others = list[Any](), list[Any]()
    reduced = dict[tuple[int, ...], list[Any]]()
    for page in [page.aspage() for page in file.pages]:
        kind = described(page).findtext("ImageType")
        if kind == "FullResolution":
            full.append(page)
        elif kind == "ReducedResolution":
            reduced.setdefault(page.shape, []).append(page)
        elif kind in OTHER_NAMES:
            others.append(_series_of([page], OTHER_NAMES[kind]))
    if not full:
        return []
    slide = _series_of(full, "slide")
    shapes = sorted(reduced, key=math.prod, reverse=True)
    slide.levels.extend(_series_of(reduced[shape], "level") for shape in shapes)
    return [slide, *others]


def stain_name(page: Any) -> str:
    """Return the name of the marker or filter of a page of one channel, or nothing."""
    told = described(page)
    return told.findtext("Biomarker") or told.findtext("Name") or ""


def qptiff_properties(page: Any) -> dict[str, str]:
    """Return the plain fields of the XML: objective, exposure, names of slide and scanner."""
    fields = [field for field in described(page) if not len(field)]
    return {f"qptiff.{field.tag}": field.text or "" for field in fields}


def _series_of(pages: list[Any], name: str) -> Any:
    first = pages[0]
    shape, axes = first.shape, first.axes
    if len(pages) > 1:
        shape, axes = (len(pages), *shape), f"C{axes}"
    return tifffile.TiffPageSeries(pages, shape, first.dtype, axes, name=name, kind="qpi")
