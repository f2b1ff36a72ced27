"""The pixel size that a TIFF file states, and in which of its words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from .._header import UM_PER_UNIT
from .channels import ome_image

RESOLUTION_UNITS = {2: "inch", 3: "cm"}


def stated_scale(file: Any, series: Any) -> tuple[tuple[float, float] | None, str]:
    """Return height and width of a level 0 pixel in um as the file states them, and where."""
    for source, pair in _scales(file, series):
        if pair is not None and min(pair) > 0:
            return pair, source
    return None, "the file states no pixel size"


def _scales(file: Any, series: Any) -> Iterator[tuple[str, tuple[float, float] | None]]:
    pixels = ome_image(file, series)
    if pixels is not None:
        yield "OME-XML PhysicalSize", _ome_size(pixels)
    page = series.pages[0].aspage()
    across, along = page.resolution
    unit = UM_PER_UNIT.get(RESOLUTION_UNITS.get(int(page.resolutionunit), ""))
    source = "TIFF resolution tag"
    if file.is_imagej:
        unit = UM_PER_UNIT.get(str((file.imagej_metadata or {}).get("unit", "")))
        source = "ImageJ resolution"
    yield source, None if unit is None or not across or not along else (unit / along, unit / across)


def _ome_size(pixels: ElementTree.Element) -> tuple[float, float] | None:
    sides = []
    for axis in "YX":
        value = pixels.get(f"PhysicalSize{axis}")
        unit = UM_PER_UNIT.get(pixels.get(f"PhysicalSize{axis}Unit", "um"))
        if value is None or unit is None:
            return None
        sides.append(float(value) * unit)
    return sides[0], sides[1]
