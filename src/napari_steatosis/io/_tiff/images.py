"""The images of a TIFF file: which is the slide, what are its levels, what else is there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tifffile

from ...core.errors import CannotOpenError
from .._header import not_rgb
from .channels import channel_names, rgb_order
from .pages import Planes, is_rows, tile_size
from .qptiff import qptiff_series

LARGEST_STRIP_BYTES = 2**30
"""A compressed strip above this must be decoded whole for every pixel, so it is refused."""

PHOTOMETRIC_GREY, PHOTOMETRIC_RGB, PHOTOMETRIC_YCBCR = 1, 2, 6
JPEG, APERIO_YCBCR = 7, 33003
INTERLEAVED, PLANES_APART = 1, 2


def slide_and_others(file: Any) -> tuple[Any, list[Any]]:
    """Return the largest image and the rest: labels and overviews are smaller, wherever they are.

    Raises
    ------
    CannotOpenError
        For a file that holds no image.
    """
    listed: list[Any] = (qptiff_series(file) if file.is_qpi else []) or list(file.series)
    if not listed:
        raise CannotOpenError("it holds no image; it may be damaged or incomplete")
    slide = max(listed, key=lambda series: math.prod(series.shape))
    return slide, [series for series in listed if series is not slide]


def levels_of(file: Any, series: Any) -> list[Planes]:
    """Return the pages of the levels, finest first.

    Raises
    ------
    CannotOpenError
        For what is not an 8-bit RGB slide.
    """
    order: Sequence[int] = (0,)
    if _is_three_planes(series):
        named = rgb_order(file, series)
        if named is None:
            raise _not_declared(file, series)
        order = named
    refusal = _refusal(file, series, order)
    if refusal is not None:
        raise refusal
    levels = [level for level in series.levels if _refusal(file, level, order) is None]
    return [tuple(level.pages[n].aspage() for n in order) for level in levels]


def named_pages(file: Any, others: list[Any]) -> dict[str, Any]:
    """Return the page of each of the other images that is RGB, by name."""
    found = dict[str, Any]()
    for number, series in enumerate(others, start=1):
        if _refusal(file, series, (0,)) is None:
            name = (series.name or f"image {number}").lower()
            found[f"{name} {number}" if name in found else name] = series.pages[0].aspage()
    return found


def _sides(series: Any) -> dict[str, int]:
    pairs = zip(series.axes, series.shape, strict=True)
    return {axis: size for axis, size in pairs if size > 1 or axis in "YXS"}


def _is_three_planes(series: Any) -> bool:
    """Say whether an image is three pages of one 8-bit sample, which may be red, green, blue."""
    planes = [size for axis, size in _sides(series).items() if axis not in "YX"]
    pages = [] if None in series.pages else [page.aspage() for page in series.pages]
    grey = all(p.photometric == PHOTOMETRIC_GREY and p.samplesperpixel == 1 for p in pages)
    return planes == [3] and len(pages) == 3 and grey and series.dtype == np.uint8


def _not_declared(file: Any, series: Any) -> CannotOpenError:
    names = [name for name in channel_names(file, series) if name]
    named = f"named {', '.join(map(repr, names))}" if names else "without names"
    return CannotOpenError(
        f"it holds 3 planes of uint8 {named}, which it does not declare to be red, green and "
        f"blue: they may be fluorescent channels. If they are the colours of a stained slide, "
        f"name the channels Red, Green and Blue in its OME-XML, or convert it to 8-bit RGB "
        f"(in Fiji: Image > Type > RGB Color)"
    )


def _refusal(file: Any, series: Any, order: Sequence[int]) -> CannotOpenError | None:
    """Return why the planes of this order are not an 8-bit RGB image that can be decoded."""
    sides, found = _sides(series), f"it holds {series.dtype} pixels"
    if len(order) == 3 and _is_three_planes(series):
        return _undecodable(series.pages[0].aspage())
    if set(sides) == {"Y", "X"}:
        return not_rgb(f"{found} in 1 channel (grey or palette)")
    if set(sides) != {"Y", "X", "S"}:
        extra = ", ".join(f"{sides[axis]} along {axis}" for axis in sides if axis not in "YX")
        names = [name for name in channel_names(file, series) if name][:8]
        named = f": {', '.join(names)}" if names else ""
        return not_rgb(f"{found} in several planes or channels ({extra}{named})")
    if series.dtype != np.uint8 or sides["S"] not in (3, 4):
        return not_rgb(f"{found} in {sides['S']} channels")
    if len(series.pages) != 1 or series.pages[0] is None:
        return not_rgb(f"{found} spread over {len(series.pages)} pages")
    page = series.pages[0].aspage()
    if page.bitspersample != 8:
        return not_rgb(f"it holds {page.bitspersample}-bit pixels")
    if page.photometric == PHOTOMETRIC_YCBCR and page.compression != JPEG:
        return not_rgb(f"it holds YCbCr pixels compressed as {code_name(page.compression)}")
    if page.photometric not in (PHOTOMETRIC_RGB, PHOTOMETRIC_YCBCR):
        return not_rgb(f"{found} with the colours {code_name(page.photometric)}")
    return _undecodable(page)


def _undecodable(page: Any) -> CannotOpenError | None:
    if page.compression not in tifffile.TIFF.DECOMPRESSORS:
        return CannotOpenError(
            f"its compression {code_name(page.compression)} is not known; save it with JPEG, "
            f"deflate or LZW in the program that wrote it"
        )
    if page.compression == APERIO_YCBCR:
        return CannotOpenError(
            "its tiles are YCbCr in JPEG 2000 as Aperio writes them, which only OpenSlide turns "
            "into RGB; open it with the reader 'openslide'"
        )
    if page.planarconfig not in (INTERLEAVED, PLANES_APART):
        return CannotOpenError(
            f"its PlanarConfiguration {int(page.planarconfig)} is not known; it may be damaged. "
            f"Copy it again from its origin"
        )
    height, width = tile_size(page)
    if not is_rows(page) and height * width * page.samplesperpixel > LARGEST_STRIP_BYTES:
        return CannotOpenError(
            f"it is one compressed strip of {height} x {width} px, which would have to be "
            f"decoded whole for every view; save it in tiles (a pyramidal OME-TIFF)"
        )
    return None


def code_name(code: Any) -> str:
    """Return the name and number of a TIFF enumeration, ``"JPEG (7)"``."""
    return f"{code.name} ({int(code)})" if hasattr(code, "name") else str(code)
