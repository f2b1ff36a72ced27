"""What OpenSlide's properties say of a slide: its rectangle, pixel size, compression."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tifffile

from ..core.errors import CannotOpenError
from ..core.geometry import Region
from ..core.slide import checked_scale
from ._header import UM_PER_UNIT
from .tiff import COMPRESSIONS

VENDOR_SCALES = {
    "aperio.MPP": 1.0,
    "ventana.ScanRes": 1.0,
    "philips.PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE[0].DICOM_PIXEL_SPACING": 1e3,
}
"""Properties with the size of a pixel, and um per their unit.

OpenSlide gives these as ``openslide.mpp-y`` and ``-x``, but not where a unit stands behind the
number or where the size is stated for a level only.
"""

MOST_TOGETHER_PX = 2**27
"""Pixels of a tile or of an associated image, which OpenSlide decodes whole (512 MB)."""

TIFF_UNITS = {"inch": "inch", "centimeter": "cm"}
"""Units of the TIFF resolution tags, as OpenSlide spells them and as UM_PER_UNIT does."""

TRANSFER_SYNTAXES = {
    "1.2.840.10008.1.2": "none",
    "1.2.840.10008.1.2.1": "none",
    "1.2.840.10008.1.2.5": "RLE",
    "1.2.840.10008.1.2.4.50": "JPEG",
    "1.2.840.10008.1.2.4.90": "JPEG 2000",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
"""How pixels are stored, by DICOM's identifier of it (PS3.6, table A-1)."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Where OpenSlide is to read a level so that it gives the level of the slide.

    Parameters
    ----------
    downsample : float
        What OpenSlide takes for the level 0 pixels per pixel.
    y, x : float
        Where the slide's pixel (0, 0) lies on OpenSlide's level, px.
    cuts : bool
        OpenSlide cuts off fractions of a pixel of the level; else it interpolates.
    """

    downsample: float
    y: float
    x: float
    cuts: bool = False

    @classmethod
    def of(cls, bounds: Region, level: float, *, downsample: float, cuts: bool) -> Plane:
        """Return the plane of the part within `bounds`, of a level with `level` px per pixel."""
        y, x = bounds.y / level, bounds.x / level
        if cuts:
            y, x = math.floor(y), math.floor(x)
        return cls(downsample, y, x, cuts)

    def corner(self, y: int, x: int) -> tuple[int, int]:
        """Return the level 0 coordinates (x, y) that give a pixel of the slide's level."""
        return self._along(self.x + x), self._along(self.y + y)

    def _along(self, place_px: float) -> int:
        if not self.cuts:
            return round(place_px * self.downsample)
        below = math.floor(place_px * self.downsample)
        return below + (below / self.downsample < place_px)


def bounds_of(properties: Mapping[str, str], height: int, width: int) -> Region:
    """Return the part of OpenSlide's level 0 that was scanned; all of it where none is stated.

    Bounds that begin outside the level or are empty cannot be right and are not used.

    Parameters
    ----------
    properties : mapping of str to str
        As OpenSlide gives them.
    height, width : int
        Of level 0, px.
    """
    whole = Region(y=0, x=0, height=height, width=width)
    try:
        y, x, rows, columns = (
            int(properties[f"openslide.bounds-{side}"]) for side in ("y", "x", "height", "width")
        )
    except (KeyError, ValueError):
        return whole
    if not (0 <= y < height and 0 <= x < width and rows > 0 and columns > 0):
        return whole
    return Region(y=y, x=x, height=min(rows, height - y), width=min(columns, width - x))


def cut_out(
    levels: Sequence[tuple[int, int, float]], bounds: Region
) -> list[tuple[int, int, float]]:
    """Return the levels of the part of a slide within `bounds`.

    A coarser level has the pixels that lie in the part as a whole. The list ends before a
    level without any.

    Parameters
    ----------
    levels : sequence of (height, width, downsample)
        Of the whole, finest first.
    bounds : Region
        On level 0.

    Examples
    --------
    >>> part = Region(y=6, x=3, height=21, width=40)
    >>> cut_out([(100, 100, 1.0), (50, 50, 2.0)], part)
    [(21, 40, 1.0), (10, 20, 2.0)]
    """
    if (bounds.height, bounds.width) == levels[0][:2]:
        return list(levels)
    parts = []
    for height, width, downsample in levels:
        rows = min(int(bounds.height / downsample), height - math.ceil(bounds.y / downsample))
        columns = min(int(bounds.width / downsample), width - math.ceil(bounds.x / downsample))
        if min(rows, columns) < 1:
            break
        parts.append((rows, columns, downsample))
    return parts


def stated_scale(properties: Mapping[str, str]) -> tuple[tuple[float, float] | None, str]:
    """Return height and width of a level 0 pixel in um, and where it stands, or why unknown."""
    first: tuple[None, str] | None = None
    for pair, source in _scales(properties):
        scale, reason = checked_scale(pair, source)
        if scale is not None:
            return scale, reason
        first = first or (None, reason)
    if first is not None:
        return first
    power = max(_numbers(properties, "openslide.objective-power"), default=0.0)
    if power <= 0:
        return None, "the file states no pixel size"
    return None, (
        f"the file states no pixel size (its {power:g}x objective suggests about "
        f"{10 / power:g} um, which is a guess and is not used)"
    )


def _scales(properties: Mapping[str, str]) -> Iterator[tuple[tuple[float, float], str]]:
    vendor = f"vendor {properties['openslide.vendor']}"
    sides = _numbers(properties, "openslide.mpp-y", "openslide.mpp-x")
    if sides:
        yield (sides[0], sides[-1]), f"OpenSlide, {vendor}"
    for name, um in VENDOR_SCALES.items():
        sides = _numbers(properties, name)
        if sides:
            yield (sides[0] * um, sides[-1] * um), f"{name}, {vendor}"
    unit = UM_PER_UNIT.get(TIFF_UNITS.get(properties.get("tiff.ResolutionUnit", ""), ""))
    sides = _numbers(properties, "tiff.YResolution", "tiff.XResolution")
    if unit is not None and sides and min(sides) > 0:
        yield (unit / sides[0], unit / sides[-1]), "TIFF resolution tag"


def _numbers(properties: Mapping[str, str], *names: str) -> list[float]:
    """Return the numbers in some properties in turn; none where one of them has none."""
    texts = (properties.get(name, "").replace(",", ".") for name in names)
    found = [re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", text) for text in texts]
    return [float(number) for numbers in found for number in numbers] if all(found) else []


def _check_tile_size(page: Any) -> None:
    height, width = (page.tilelength, page.tilewidth) if page.is_tiled else (1, 1)
    if not 0 < height * width <= MOST_TOGETHER_PX:
        raise CannotOpenError(
            f"it states tiles of {height} x {width} px, which cannot be: its header is damaged. "
            f"Copy it again from its origin"
        )


def _check_levels(properties: Mapping[str, str], pages: list[Any]) -> None:
    """Refuse levels that are larger than their pages: OpenSlide gives what lies in memory."""
    for number, page in enumerate(pages[: int(properties["openslide.level-count"])]):
        sides = (properties[f"openslide.level[{number}].{side}"] for side in ("height", "width"))
        height, width = map(int, sides)
        if height > page.imagelength or width > page.imagewidth:
            raise CannotOpenError(
                f"its level {number} of {height} x {width} px is stored in "
                f"{page.imagelength} x {page.imagewidth} px: its header is damaged. Copy it "
                f"again from its origin"
            )


def check_associated_size(properties: Mapping[str, str], name: str) -> None:
    """Refuse an associated image that would fill the memory.

    Raises
    ------
    CannotOpenError
    """
    sides = ("height", "width")
    height, width = (int(properties.get(f"openslide.associated.{name}.{s}", 1)) for s in sides)
    if height * width > MOST_TOGETHER_PX:
        raise CannotOpenError(f"it states {height} x {width} px, which cannot be")


def compression_of(file: Path, properties: Mapping[str, str]) -> str:
    """Return how the pixels of level 0 are stored, ``"JPEG"``; ``"unknown"`` where not said.

    Raises
    ------
    CannotOpenError
        For tiles of a size that no scanner writes: OpenSlide would end the whole program.
    """
    vendor = properties["openslide.vendor"]
    if vendor == "dicom":
        return TRANSFER_SYNTAXES.get(properties.get("dicom.TransferSyntaxUID", ""), "unknown")
    if vendor == "mirax":
        section = properties.get("mirax.HIERARCHICAL.HIER_0_VAL_0_SECTION")
        return properties.get(f"mirax.{section}.IMAGE_FORMAT", "unknown")
    if vendor == "hamamatsu":
        return "none" if file.suffix.lower() == ".vmu" else "JPEG"
    try:
        with tifffile.TiffFile(file) as tiff:
            pages = [page.aspage() for page in tiff.pages]
            for page in pages:
                _check_tile_size(page)
            if vendor == "philips":
                _check_levels(properties, [page for page in pages if page.is_tiled])
            largest = max(pages, key=lambda page: page.imagelength * page.imagewidth)
            return COMPRESSIONS.get(int(largest.compression), "unknown")
    except CannotOpenError:
        raise
    except (tifffile.TiffFileError, OSError, ValueError, TypeError, LookupError, struct.error):
        return "unknown"
