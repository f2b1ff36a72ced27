"""TIFF, BigTIFF, OME-TIFF and QPTIFF, through tifffile, tile by tile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from ..core.errors import CannotOpenError
from ..core.geometry import Region
from ..core.slide import Slide, checked_scale, virtual_levels
from ._colour import profile_of
from ._handles import HANDLES
from ._header import fingerprint, read_size, stored_levels
from ._tiff.images import code_name, levels_of, named_pages, slide_and_others
from ._tiff.pages import PageReader, check_complete, check_directories, tile_size
from ._tiff.qptiff import qptiff_properties
from ._tiff.scale import stated_scale

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF and BigTIFF, in both byte orders."""

ALPHA_ASSOCIATED, ALPHA_UNASSOCIATED = 1, 2
ICC_PROFILE = 34675

COMPRESSIONS = {
    1: "none",
    5: "LZW",
    **dict.fromkeys((6, 7, 33007, 34892), "JPEG"),
    **dict.fromkeys((8, 32946), "deflate"),
    32773: "PackBits",
    **dict.fromkeys((33003, 33004, 33005, 34712), "JPEG 2000"),
    **dict.fromkeys((22610, 34934), "JPEG XR"),
    34887: "LERC",
    34925: "LZMA",
    **dict.fromkeys((34926, 50000), "zstd"),
    **dict.fromkeys((34927, 50001), "WebP"),
    34933: "PNG",
    **dict.fromkeys((50002, 52546), "JPEG XL"),
}
"""Names of TIFF compressions as people say them."""


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
            return _over_white(handle.read(level, region), handle.levels[level][0])

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return another image of the file (label, macro, thumbnail) as ``(y, x, 3) uint8``."""
        with HANDLES.borrow(self.path, _open_handle) as handle:
            return _over_white(handle.other(name), handle.others[name])


def recognises(path: Path) -> bool:
    """Say whether a file begins as TIFF or BigTIFF does."""
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return file.read(4) in MAGIC


def open_slide(path: Path) -> Slide:
    """Open the largest image of a TIFF file, with its pyramid (SubIFDs or further pages).

    Three pages of one sample each are opened as RGB only where the file declares them to be
    red, green and blue (`rgb_order`).

    Raises
    ------
    CannotOpenError
        For pixels that are not 8-bit RGB, unknown compressions and damaged directories.
    """
    if not recognises(path):
        raise CannotOpenError("not a TIFF file")
    try:
        with HANDLES.borrow(str(path), _open_handle) as handle:
            stated, source = stated_scale(handle.file, slide_and_others(handle.file)[0])
            page = handle.levels[0][0]
            profile = profile_of(page.tags.valueof(ICC_PROFILE))
            properties = _properties(handle.file, page)
    except CannotOpenError:
        raise
    except Exception as error:  # a damaged directory can raise anything
        raise CannotOpenError(
            f"its directory cannot be read ({type(error).__name__}: {error}); it may be damaged "
            f"or incomplete. Copy it again from its origin"
        ) from error
    scale, scale_source = checked_scale(stated, source)
    sizes = [(pages[0].imagelength, pages[0].imagewidth) for pages in handle.levels]
    return Slide(
        path=str(path),
        reader="tiff",
        source=TiffSource(str(path)),
        levels=tuple(virtual_levels(stored_levels(sizes))),
        fingerprint=fingerprint(path),
        um_per_px=scale,
        scale_source=scale_source,
        tile_px=read_size(tile_size(page)),
        associated=tuple(handle.others),
        properties=properties,
        compression=COMPRESSIONS.get(int(page.compression), code_name(page.compression)),
        profile=profile,
    )


def _open_handle(path: str) -> PageReader:
    file = tifffile.TiffFile(path)
    try:
        check_directories(file)
        slide, others = slide_and_others(file)
        levels = levels_of(file, slide)
        check_complete(file, levels)
        return PageReader(file, levels, named_pages(file, others))
    except BaseException:
        file.close()
        raise


def _over_white(pixels: NDArray[np.uint8], page: Any) -> NDArray[np.uint8]:
    if pixels.shape[2] == 3:
        return pixels
    kind = page.extrasamples[0] if page.extrasamples else None
    if kind not in (ALPHA_ASSOCIATED, ALPHA_UNASSOCIATED):
        return np.ascontiguousarray(pixels[..., :3])
    alpha = pixels[..., 3:].astype(np.uint16)
    colour = pixels[..., :3].astype(np.uint16)
    if kind == ALPHA_UNASSOCIATED:
        colour = (colour * alpha + 127) // 255
    return np.minimum(colour + (255 - alpha), 255).astype(np.uint8)


def _properties(file: Any, page: Any) -> dict[str, str]:
    """Return the short texts of the page and how its pixels are stored."""
    tags = {tag.name: tag.value for tag in page.tags.values()}
    kinds = {"Compression": page.compression, "Photometric": page.photometric}
    stored = {name: code_name(code) for name, code in kinds.items()}
    told = {f"tiff.{name}": text for name, text in {**tags, **stored}.items()}
    if file.is_qpi:
        told |= qptiff_properties(page)
    return {name: text for name, text in told.items() if isinstance(text, str) and len(text) < 999}
