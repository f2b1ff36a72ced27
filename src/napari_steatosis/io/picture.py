"""PNG, JPEG, BMP and WebP pictures, through Pillow, held whole in memory while they are read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin
from PIL.Image import Exif, Image, Transpose

from ..core.errors import CannotOpenError
from ..core.geometry import Region
from ..core.slide import Slide, virtual_levels
from ._colour import profile_of
from ._handles import HANDLES
from ._header import fingerprint, not_rgb, stored_levels

LARGEST_PX = 200_000_000
"""Pixels of a picture that are decoded into memory at most (600 MB)."""

FORMATS: dict[str, tuple[bytes, Callable[[Any], Any]]] = {
    "PNG": (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    "JPEG": (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    "BMP": (b"BM", BmpImagePlugin.BmpImageFile),
    "WebP": (b"RIFF", WebPImagePlugin.WebPImageFile),
}
"""First bytes and Pillow class. The classes are used by themselves because ``PIL.Image.open``
warns of, or refuses, sizes by a limit that belongs to the whole process."""

TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What brings a picture of this EXIF orientation upright."""

COMPRESSIONS = {"PNG": "deflate", "JPEG": "JPEG", "BMP": "none", "WebP": "WebP"}

PNG_BIT_DEPTH = 24
"""Byte of a PNG that holds its bits per channel; Pillow reduces 16 to 8 without a word."""


@dataclass(frozen=True)
class PictureSource:
    """Pixels of a picture.

    It is turned as its EXIF orientation says, so that it lies as every viewer shows it, and
    an alpha channel is blended over white.

    Parameters
    ----------
    path : str
        The file.
    """

    path: str

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region inside the picture."""
        with HANDLES.borrow(self.path, _open_handle) as handle:
            return handle.pixels[region.slices].copy()

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise `KeyError`: a picture holds no label, macro or thumbnail."""
        raise KeyError(name)


class _Decoded:
    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def close(self) -> None:
        self.pixels = np.empty((0, 0, 3), np.uint8)


def _open_handle(path: str) -> _Decoded:
    return _Decoded(decoded(Path(path)))


def decoded(path: Path) -> NDArray[np.uint8]:
    """Return a whole picture, upright and over white, as ``(y, x, 3) uint8``.

    Raises
    ------
    CannotOpenError
        For what is not an 8-bit RGB picture. A damaged one raises what Pillow raises.
    """
    with _image(path) as image:
        _check_pixels(path, str(image.format), image.mode)
        turn = TURNS.get(_orientation(image))
        pixels = np.asarray(image if turn is None else image.transpose(turn))
    return over_white(pixels) if pixels.shape[2] == 4 else pixels


def over_white(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blend ``(y, x, 4)`` RGB with alpha over white.

    Examples
    --------
    >>> over_white(np.uint8([[[0, 0, 0, 255], [0, 0, 0, 0]]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    alpha = pixels[..., 3:].astype(np.uint16)
    blended = pixels[..., :3] * alpha + 255 * (255 - alpha)
    return ((blended + 127) // 255).astype(np.uint8)


def recognises(path: Path) -> bool:
    """Say whether a file begins as one of the four formats does."""
    return _format(path) is not None


@dataclass(frozen=True)
class PictureHeader:
    """What is known of a picture before it is decoded.

    Parameters
    ----------
    format : str
        Row of `FORMATS`.
    mode : str
        Pillow's word for its channels.
    shape : (int, int)
        Height and width as it lies upright, px.
    icc : bytes, optional
        Its ICC profile.
    """

    format: str
    mode: str
    shape: tuple[int, int]
    icc: bytes | None


def read_header(path: Path) -> PictureHeader:
    """Read the header of an 8-bit RGB picture.

    Raises
    ------
    CannotOpenError
        For grey, 16-bit, CMYK and palette pictures, and those too large for memory.
    """
    name = _format(path)
    if name is None:
        raise CannotOpenError("not a PNG, JPEG, BMP or WebP picture")
    try:
        with _image(path) as image:
            width, height = image.size
            mode, icc = image.mode, image.info.get("icc_profile")
            turned = _orientation(image) >= 5
    except Exception as error:  # a damaged header can raise anything
        raise CannotOpenError(
            f"its {name} header cannot be read ({type(error).__name__}: {error}); it may be "
            f"damaged or incomplete. Copy it again from its origin"
        ) from error
    _check_pixels(path, name, mode)
    if width * height > LARGEST_PX:
        raise CannotOpenError(
            f"a picture of {height} x {width} px is decoded whole and would fill the memory "
            f"(limit {LARGEST_PX / 1e6:g} Mpx); convert it to a tiled pyramidal TIFF"
        )
    return PictureHeader(name, mode, (width, height) if turned else (height, width), icc)


def open_slide(path: Path) -> Slide:
    """Open a picture of tissue; it never has a pixel size, whatever its DPI tag says.

    DPI tags of pictures state the size in print (72, 96, 300), not that of the tissue.

    Raises
    ------
    CannotOpenError
        As `read_header`.
    """
    header = read_header(path)
    name = header.format
    return Slide(
        path=str(path),
        reader="picture",
        source=PictureSource(str(path)),
        levels=tuple(virtual_levels(stored_levels([header.shape]))),
        fingerprint=fingerprint(path),
        scale_source=f"a {name} picture states no pixel size (its DPI is that of print)",
        properties={"picture.format": name, "picture.mode": header.mode},
        compression=COMPRESSIONS[name],
        profile=profile_of(header.icc),
    )


def _format(path: Path) -> str | None:
    if path.is_dir():
        return None
    with path.open("rb") as file:
        head = file.read(16)
    for name, (magic, _) in FORMATS.items():
        if head.startswith(magic) and (name != "WebP" or head[8:12] == b"WEBP"):
            return name
    return None


def _image(path: Path) -> Image:
    name = _format(path)
    if name is None:
        raise CannotOpenError(f"{path} is no longer a picture")
    image: Image = FORMATS[name][1](path)
    return image


def _orientation(image: Image) -> int:
    """Return the EXIF orientation in the header; ``getexif`` would decode a PNG to its end."""
    exif = Exif()
    exif.load(image.info.get("exif", b""))
    return int(exif.get(0x0112, 1))


def _check_pixels(path: Path, name: str, mode: str) -> None:
    bits = 8
    if name == "PNG":
        with path.open("rb") as file:
            bits = file.read(PNG_BIT_DEPTH + 1)[PNG_BIT_DEPTH]
    if bits == 16:
        raise not_rgb(f"it holds uint16 pixels (mode {mode})")
    if mode not in ("RGB", "RGBA"):
        kinds = {"P": "palette", "CMYK": "CMYK", "1": "black and white"}
        raise not_rgb(f"it holds {kinds.get(mode, 'grey')} pixels (mode {mode})")
