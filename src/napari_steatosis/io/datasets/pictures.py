"""Pictures of a dataset as they are stored, and as RGB; nothing is reduced without a word."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import CannotOpenError
from .._header import not_rgb
from ..picture import LARGEST_PX, PNG_BIT_DEPTH, over_white
from .places import read_bytes

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NPY = b"\x93NUMPY"
PNG_16_BIT = b"\x10"


@dataclass(frozen=True, eq=False)
class Stored:
    """Pixels of a file as they are stored.

    Parameters
    ----------
    pixels : (y, x) or (y, x, channel) array
        Of any integer type.
    mode : str
        ``"RGB"``, ``"RGBA"``, ``"grey"``, ``"grey+alpha"``, ``"palette"``, ``"CMYK"``, or
        ``"uint16"`` and the like for what is not of 8 bits.
    rgb : (y, x, 3) uint8, optional
        Colours of a palette, where `pixels` are its indices.
    """

    pixels: NDArray[Any]
    mode: str
    rgb: NDArray[np.uint8] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        height, width = self.pixels.shape[:2]
        return height, width


def read_stored(path: str) -> Stored:
    """Decode a picture, a TIFF or a numpy array as it is stored.

    Raises
    ------
    CannotOpenError
        Where it is missing, damaged, empty, or of another format.
    """
    data = read_bytes(path)
    try:
        if data.startswith(NPY):
            found = _of_array(np.load(io.BytesIO(data), allow_pickle=False))
        elif data.startswith(TIFF):
            found = _tiff(data)
        else:
            found = _picture(data)
    except CannotOpenError as error:
        raise CannotOpenError(f"{path}: {error}") from None
    except Exception as error:  # decoders raise anything
        raise CannotOpenError(
            f"{path} cannot be decoded ({type(error).__name__}: {error}); it is damaged, not "
            f"complete, or no picture. Copy it again from its origin."
        ) from error
    if found.pixels.ndim not in (2, 3) or not found.pixels.size:
        raise CannotOpenError(f"{path} holds an array of shape {found.pixels.shape}, no picture.")
    return found


def rgb_of(stored: Stored, path: str) -> NDArray[np.uint8]:
    """Return a stored picture as ``(y, x, 3) uint8``: grey three times, alpha over white.

    Raises
    ------
    CannotOpenError
        For 16 bits and CMYK, whose conversion nobody stated.
    """
    pixels = stored.pixels
    if stored.mode == "palette" and stored.rgb is not None:
        return stored.rgb
    if stored.mode == "grey":
        grey = pixels if pixels.dtype == np.uint8 else pixels.astype(np.uint8) * 255
        return np.repeat(grey[..., None], 3, axis=2)
    if stored.mode == "grey+alpha":
        return over_white(np.concatenate([np.repeat(pixels[..., :1], 3, 2), pixels[..., 1:]], 2))
    if stored.mode == "RGBA":
        return over_white(pixels)
    if stored.mode == "RGB":
        return pixels
    raise CannotOpenError(f"{path}: {not_rgb(f'it holds {stored.mode} pixels')}.")


def _picture(data: bytes) -> Stored:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        opening = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        seen = f"it begins with {data[:8]!r}" if data else "it is empty"
        raise CannotOpenError(
            f"{seen}: no PNG, JPEG, TIFF, BMP or WebP picture that can be decoded. Copy it again "
            f"from its origin."
        ) from None
    with opening as opened:
        if opened.width * opened.height > LARGEST_PX:
            raise CannotOpenError(f"it has {opened.width} x {opened.height} px: open it as a slide")
        image = opened if opened.format == "PNG" else ImageOps.exif_transpose(opened)
        image.load()
    if opened.format == "PNG" and data[PNG_BIT_DEPTH : PNG_BIT_DEPTH + 1] == PNG_16_BIT:
        return Stored(np.asarray(image), "uint16")
    if image.mode == "P":
        return Stored(np.asarray(image), "palette", np.asarray(image.convert("RGB")))
    modes = {"L": "grey", "1": "grey", "LA": "grey+alpha"}
    return Stored(np.asarray(image), modes.get(image.mode, image.mode))


def _tiff(data: bytes) -> Stored:
    from tifffile import PHOTOMETRIC, TiffFile

    with TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        if len(file.series[0].pages) > 1:
            raise CannotOpenError(
                f"it is a stack of shape {file.series[0].shape}; save the one image that is meant"
            )
        if page.imagewidth * page.imagelength > LARGEST_PX:
            raise CannotOpenError(
                f"it has {page.imagewidth} x {page.imagelength} px: open it as a slide"
            )
        pixels = np.asarray(page.asarray())
        photometric, colormap = page.photometric, page.colormap
    if photometric == PHOTOMETRIC.SEPARATED:
        return Stored(pixels, "CMYK")
    if photometric == PHOTOMETRIC.MINISWHITE and pixels.dtype == np.uint8:
        pixels = 255 - pixels
    if photometric == PHOTOMETRIC.PALETTE and colormap is not None and pixels.dtype == np.uint8:
        return Stored(pixels, "palette", (colormap.T[pixels] >> 8).astype(np.uint8))
    if pixels.ndim == 3 and pixels.shape[0] in (3, 4) and pixels.shape[2] not in (3, 4):
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 0, 2))
    return _of_array(pixels)


def _of_array(pixels: NDArray[Any]) -> Stored:
    if pixels.dtype not in (np.uint8, np.bool_):
        return Stored(pixels, str(pixels.dtype))
    channels = 1 if pixels.ndim == 2 else pixels.shape[-1]
    if pixels.ndim == 3 and channels == 1:
        pixels = pixels[..., 0]
    names = {1: "grey", 2: "grey+alpha", 3: "RGB", 4: "RGBA"}
    return Stored(pixels, names.get(channels, f"{channels} channels of"))
