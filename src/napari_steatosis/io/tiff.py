"""TIFF, BigTIFF and OME-TIFF, through tifffile, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..core.errors import CannotOpenError
from ..core.geometry import Region
from ..core.slide import Slide, checked_scale, virtual_levels
from ._handles import HANDLES
from ._header import UM_PER_UNIT, fingerprint, not_rgb, read_size, stored_levels
from ._tiff_pages import PageReader, check_complete, is_rows, tile_size

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF and BigTIFF, in both byte orders."""

LARGEST_STRIP_BYTES = 2**30
"""A compressed strip above this must be decoded whole for every pixel, so it is refused."""

PHOTOMETRIC_RGB, PHOTOMETRIC_YCBCR, JPEG, INTERLEAVED = 2, 6, 7, 1
ALPHA_ASSOCIATED, ALPHA_UNASSOCIATED = 1, 2


@dataclass(frozen=True)
class TiffSource:
    """Pixels of a TIFF file.

    An alpha channel is blended over white, which leaves opaque pixels as they are. A fourth
    channel that is not declared to be alpha is ignored, as the TIFF standard says. A tile
    that the writer left out (no offset, no bytes) is white.

    Parameters
    ----------
    path : str
        The file.
    """

    path: str

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region inside the stored level."""
        with HANDLES.borrow(self.path, _open_handle) as handle:
            return _over_white(handle.read(level, region), handle.pages[level])

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return another image of the file (label, macro, thumbnail) as ``(y, x, 3) uint8``."""
        with HANDLES.borrow(self.path, _open_handle) as handle:
            page = _associated(handle.file)[name]
            whole = Region(y=0, x=0, height=page.imagelength, width=page.imagewidth)
            other = PageReader(handle.file, [page])
            return _over_white(other.read(0, whole), page)


def recognises(path: Path) -> bool:
    """Say whether a file begins as TIFF or BigTIFF does."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def open_slide(path: Path) -> Slide:
    """Open the largest image of a TIFF file, with its pyramid (SubIFDs or further pages).

    Raises
    ------
    CannotOpenError
        For pixels that are not 8-bit RGB, unknown compressions and damaged directories.
    """
    if not recognises(path):
        raise CannotOpenError("not a TIFF file")
    try:
        with HANDLES.borrow(str(path), _open_handle) as handle:
            pages, file = handle.pages, handle.file
            stated, source = _stated_scale(file)
            associated = tuple(_associated(file))
    except CannotOpenError:
        raise
    except Exception as error:  # a damaged directory can raise anything
        raise CannotOpenError(
            f"its directory cannot be read ({type(error).__name__}: {error}); it may be damaged "
            f"or incomplete. Copy it again from its origin"
        ) from error
    scale, scale_source = checked_scale(stated, source)
    sizes = [(page.imagelength, page.imagewidth) for page in pages]
    return Slide(
        path=str(path),
        reader="tiff",
        source=TiffSource(str(path)),
        levels=tuple(virtual_levels(stored_levels(sizes))),
        fingerprint=fingerprint(path),
        um_per_px=scale,
        scale_source=scale_source,
        tile_px=read_size(tile_size(pages[0])),
        associated=associated,
        properties=_properties(pages[0]),
    )


def _open_handle(path: str) -> PageReader:
    file = tifffile.TiffFile(path)
    try:
        pages = _pages_of(_slide_series(file))
        check_complete(file, pages)
        return PageReader(file, pages)
    except BaseException:
        file.close()
        raise


def _slide_series(file: tifffile.TiffFile) -> Any:
    """Return the largest image: labels and overviews are smaller, wherever they stand."""
    if not file.series:
        raise CannotOpenError("it holds no image; it may be damaged or incomplete")
    return max(file.series, key=lambda series: math.prod(series.shape))


def _pages_of(series: Any) -> list[Any]:
    """Return the pages of the levels, or refuse what is not an 8-bit RGB slide."""
    refusal = _refusal(series)
    if refusal is not None:
        raise refusal
    levels = [level for level in series.levels if _refusal(level) is None]
    return [level.pages[0].aspage() for level in levels]


def _refusal(series: Any) -> CannotOpenError | None:
    pairs = zip(series.axes, series.shape, strict=True)
    sides = {axis: size for axis, size in pairs if size > 1 or axis in "YXS"}
    page, found = series.keyframe, f"it holds {series.dtype} pixels"
    if set(sides) == {"Y", "X"}:
        return not_rgb(f"{found} in 1 channel (grey or palette)")
    if set(sides) != {"Y", "X", "S"}:
        extra = ", ".join(f"{sides[axis]} along {axis}" for axis in sides if axis not in "YX")
        return not_rgb(f"{found} in several planes or channels ({extra})")
    if series.dtype != np.uint8 or sides["S"] not in (3, 4):
        return not_rgb(f"{found} in {sides['S']} channels")
    if len(series.pages) != 1 or page is None:
        return not_rgb(f"{found} spread over {len(series.pages)} pages")
    if page.photometric == PHOTOMETRIC_YCBCR and page.compression != JPEG:
        return not_rgb(f"it holds YCbCr pixels compressed as {_name(page.compression)}")
    if page.photometric not in (PHOTOMETRIC_RGB, PHOTOMETRIC_YCBCR):
        return not_rgb(f"{found} with the colours {_name(page.photometric)}")
    if page.compression not in tifffile.TIFF.DECOMPRESSORS:
        return CannotOpenError(
            f"its compression {_name(page.compression)} is not known; save it with JPEG, "
            f"deflate or LZW in the program that wrote it"
        )
    height, width = tile_size(page)
    if not is_rows(page) and height * width * page.samplesperpixel > LARGEST_STRIP_BYTES:
        return CannotOpenError(
            f"it is one compressed strip of {height} x {width} px, which would have to be "
            f"decoded whole for every view; save it in tiles (a pyramidal OME-TIFF)"
        )
    return None


def _name(code: Any) -> str:
    return f"{code.name} ({int(code)})" if hasattr(code, "name") else str(code)


def _over_white(pixels: NDArray[np.uint8], page: Any) -> NDArray[np.uint8]:
    kind = page.extrasamples[0] if page.extrasamples else None
    if pixels.shape[2] == 3 or kind not in (ALPHA_ASSOCIATED, ALPHA_UNASSOCIATED):
        return np.ascontiguousarray(pixels[..., :3])
    alpha = pixels[..., 3:].astype(np.uint16)
    colour = pixels[..., :3].astype(np.uint16)
    if kind == ALPHA_UNASSOCIATED:
        colour = (colour * alpha + 127) // 255
    return np.minimum(colour + (255 - alpha), 255).astype(np.uint8)


def _associated(file: tifffile.TiffFile) -> dict[str, Any]:
    slide, found = _slide_series(file), {}
    listed: list[Any] = list(file.series)
    for number, series in enumerate(listed):
        if series is not slide and _refusal(series) is None:
            found[(series.name or f"image {number}").lower()] = series.pages[0].aspage()
    return found


def _stated_scale(file: tifffile.TiffFile) -> tuple[tuple[float, float] | None, str]:
    """Return height and width of a pixel in um as the file states them, and where."""
    for source, pair in _scales(file):
        if pair is not None and min(pair) > 0:
            return pair, source
    return None, "the file states no pixel size"


def _scales(file: tifffile.TiffFile) -> Iterator[tuple[str, tuple[float, float] | None]]:
    series = _slide_series(file)
    page = series.pages[0].aspage()
    if file.is_ome and file.ome_metadata:
        images = ElementTree.fromstring(file.ome_metadata).findall("{*}Image")
        index = file.series.index(series)
        pixels = images[index].find("{*}Pixels") if index < len(images) else None
        yield "OME-XML PhysicalSize", None if pixels is None else _ome_size(pixels)
    across, along = page.resolution
    unit = UM_PER_UNIT.get({2: "inch", 3: "cm"}.get(int(page.resolutionunit), ""))
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


def _properties(page: Any) -> dict[str, str]:
    """Return the short text tags of the page and how its pixels are stored."""
    tags = {tag.name: tag.value for tag in page.tags.values()}
    texts = {name: text for name, text in tags.items() if isinstance(text, str) and len(text) < 999}
    stored = {"Compression": _name(page.compression), "Photometric": _name(page.photometric)}
    return {f"tiff.{name}": text for name, text in {**texts, **stored}.items()}
