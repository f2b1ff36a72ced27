"""Slides of scanner vendors and DICOM, through OpenSlide."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from openslide import OpenSlide, OpenSlideError, __library_version__
from PIL import ImageCms
from PIL.Image import Image

from ..core.digest import digest
from ..core.errors import CannotOpenError
from ..core.geometry import Region
from ..core.slide import ColourProfile, Slide, virtual_levels
from ._colour import profile_of
from ._handles import HANDLES
from ._header import fingerprint, read_size, stored_levels
from ._openslide_header import (
    Plane,
    bounds_of,
    check_associated_size,
    compression_of,
    cut_out,
    stated_scale,
)

BLOCK_PX = 256
"""Side of the blocks in which levels of a downsample that is not whole are read, px."""

CUTS_FRACTIONS = ("leica",)
"""Vendors where OpenSlide cuts off fractions of a pixel; for others it interpolates."""

MANY_FILES = ("dicom", "mirax", "hamamatsu")
"""Vendors whose slide lies in several files, where OpenSlide's own hash is the identity."""


@dataclass(frozen=True)
class OpenSlideSource:
    """Pixels of a file that OpenSlide reads.

    Parts of the field that were not scanned (fully transparent to OpenSlide) have the
    background colour that the file states, else white, as glass has; where a pixel is
    partly covered, at the outline of the scan, it has the colour of the covered part.

    Parameters
    ----------
    path : str
        File that OpenSlide opens.
    planes : tuple of Plane
        Where each stored level is read.
    background : (int, int, int)
        Colour of what was not scanned, RGB.
    """

    path: str
    planes: tuple[Plane, ...]
    background: tuple[int, int, int] = (255, 255, 255)

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region inside the stored level."""
        whole = self.planes[level].downsample.is_integer()
        way = self._crop if whole else self._blocks
        return self._with_handle(lambda slide: way(slide, level, region))

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image (label, macro, thumbnail) as ``(y, x, 3) uint8``."""

        def read(slide: OpenSlide) -> NDArray[np.uint8]:
            check_associated_size(slide.properties, name)
            return over_background(slide.associated_images[name], self.background)

        return self._with_handle(read)

    def _with_handle(self, read: Callable[[OpenSlide], NDArray[np.uint8]]) -> NDArray[np.uint8]:
        """Read with the shared handle, and after an error once more with a new one.

        An error makes OpenSlide refuse every further read of that handle, also of threads
        that read undamaged parts at that moment.
        """
        try:
            with HANDLES.borrow(self.path, _open_handle) as slide:
                return read(slide)
        except OpenSlideError:
            HANDLES.forget(self.path)
        with OpenSlide(self.path) as slide:
            return read(slide)

    def _crop(self, slide: OpenSlide, level: int, region: Region) -> NDArray[np.uint8]:
        corner = self.planes[level].corner(region.y, region.x)
        image = slide.read_region(corner, level, (region.width, region.height))
        return over_background(image, self.background)

    def _blocks(self, slide: OpenSlide, level: int, region: Region) -> NDArray[np.uint8]:
        """Read from the corners of fixed blocks, so that a pixel is the same in every crop.

        OpenSlide takes whole level 0 coordinates. Where the downsample is not whole these
        fall between two pixels of the level, and it interpolates by a fraction that depends
        on the corner of the crop.
        """
        out = np.empty((region.height, region.width, 3), np.uint8)
        for y in range(region.y // BLOCK_PX * BLOCK_PX, region.y_end, BLOCK_PX):
            for x in range(region.x // BLOCK_PX * BLOCK_PX, region.x_end, BLOCK_PX):
                block = Region(y=y, x=x, height=BLOCK_PX, width=BLOCK_PX)
                wanted = block.intersect(region)
                assert wanted is not None
                height, width = wanted.y_end - y, wanted.x_end - x
                read = Region(y=y, x=x, height=height, width=width)
                pixels = self._crop(slide, level, read)
                out[wanted.within(region)] = pixels[wanted.within(read)]
        return out


def over_background(image: Image, background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return RGBA as ``(y, x, 3) uint8`` RGB, transparent pixels in the background colour."""
    # Bytes, as every read passes here: through array interfaces it takes twice as long.
    rgb = np.frombuffer(bytearray(image.convert("RGB").tobytes()), np.uint8)
    alpha = image.getchannel("A").tobytes()
    if b"\0" in alpha:
        rgb.reshape(-1, 3)[np.frombuffer(alpha, np.uint8) == 0] = background
    return rgb.reshape(image.height, image.width, 3)


def _open_handle(path: str) -> OpenSlide:
    return OpenSlide(path)


def recognises(path: Path) -> bool:
    """Say whether a file is of a vendor format that is read through OpenSlide.

    Plain tiled TIFF, which OpenSlide can read too, is left to the reader ``tiff``: that one
    gives the stored pixels of every level, knows OME metadata and levels in SubIFDs, and
    does not turn 16-bit or grey pixels into 8-bit RGB unasked.
    """
    return OpenSlide.detect_format(path) not in (None, "generic-tiff")


def open_slide(path: Path) -> Slide:
    """Open svs, ndpi, mrxs, scn, bif, svslide, vms, DICOM or tiled vendor TIFF.

    Where the file states which part of the glass was scanned (``openslide.bounds-x`` and so on
    in `Slide.properties`), the slide is that part, so coordinates are those of QuPath.

    Parameters
    ----------
    path : Path
        A file, or a folder with the DICOM instances of one slide.

    Raises
    ------
    CannotOpenError
        With the reason in OpenSlide's words where it has one.
    """
    file = _dicom_of(path) if path.is_dir() else path
    if not recognises(file):
        raise _not_of_a_vendor(file)
    try:
        with HANDLES.borrow(str(file), _open_handle) as handle:
            properties = dict(handle.properties)
            sizes = [(height, width) for width, height in handle.level_dimensions]
            downsamples = handle.level_downsamples
            names = tuple(handle.associated_images)
            profile = _profile(handle)
    except (OpenSlideError, OSError) as error:
        raise _refusal(file, error) from error
    bounds = bounds_of(properties, *sizes[0])
    levels = cut_out(stored_levels(sizes), bounds)
    cuts = properties["openslide.vendor"] in CUTS_FRACTIONS
    planes = tuple(
        Plane.of(bounds, level, downsample=downsample, cuts=cuts)
        for (_, _, level), downsample in zip(levels, downsamples, strict=False)
    )
    scale, scale_source = stated_scale(properties)
    tile_height, tile_width = (
        int(properties.get(f"openslide.level[0].tile-{side}", 512)) for side in ("height", "width")
    )
    return Slide(
        path=str(path),
        reader="openslide",
        source=OpenSlideSource(str(file), planes, _background(properties)),
        levels=tuple(virtual_levels(levels)),
        fingerprint=_identity(file, properties),
        um_per_px=scale,
        scale_source=scale_source,
        tile_px=read_size((tile_height, tile_width)),
        associated=names,
        properties=properties,
        compression=compression_of(file, properties),
        profile=profile,
    )


def _not_of_a_vendor(file: Path) -> CannotOpenError:
    if OpenSlide.detect_format(file) is not None:
        return CannotOpenError(
            "a plain tiled TIFF, which the reader 'tiff' opens without resampling it"
        )
    if file.suffix.lower() == ".mrxs":
        return CannotOpenError(
            f"a MIRAX slide keeps its pixels in a folder beside it, {file.stem!r}, which is "
            f"missing or has no Slidedat.ini. Copy the file and the folder together"
        )
    return CannotOpenError("not a vendor format that OpenSlide knows")


def _refusal(file: Path, error: Exception) -> CannotOpenError:
    vendor = OpenSlide.detect_format(file)
    return CannotOpenError(
        f"OpenSlide {__library_version__} takes it for {vendor} but cannot open it: "
        f"{error}. It may be damaged, incomplete, or of a variant that OpenSlide does not read"
    )


def _profile(handle: OpenSlide) -> ColourProfile | None:
    try:
        profile = handle.color_profile
    except (ImageCms.PyCMSError, OSError):  # a damaged profile; the pixels are still good
        return None
    return None if profile is None else profile_of(profile.tobytes())


def _background(properties: Mapping[str, str]) -> tuple[int, int, int]:
    text = properties.get("openslide.background-color", "FFFFFF")
    red, green, blue = bytes.fromhex(text)
    return red, green, blue


def _identity(file: Path, properties: Mapping[str, str]) -> str:
    vendor, own = properties["openslide.vendor"], properties.get("openslide.quickhash-1")
    if vendor in MANY_FILES and own is not None and file.suffix.lower() != ".ndpi":
        return digest({"vendor": vendor, "quickhash-1": own})
    return fingerprint(file)


def _dicom_of(folder: Path) -> Path:
    """Return an instance of the one DICOM slide in a folder."""
    slides: dict[str, Path] = {}
    refused = CannotOpenError("a folder without DICOM instances")
    if (folder / "Slidedat.ini").is_file():
        refused = CannotOpenError(
            f"the folder of a MIRAX slide; open the file {folder.name}.mrxs beside it"
        )
    for file in _dicom_files(folder):
        try:
            with OpenSlide(file) as handle:
                identity = handle.properties.get("openslide.quickhash-1", file.name)
                slides.setdefault(identity, file)
        except OpenSlideError as error:
            refused = _refusal(file, error)
    if not slides:
        raise refused
    if len(slides) > 1:
        names = ", ".join(file.name for file in slides.values())
        raise CannotOpenError(
            f"a folder with {len(slides)} DICOM slides; open one of them by its file: {names}"
        )
    return next(iter(slides.values()))


def _dicom_files(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as there:  # a folder may hold a hundred thousand tiles
        names = [one.name for one in there if os.path.splitext(one.name)[1].lower() in ("", ".dcm")]
    for file in (folder / name for name in sorted(names)):
        if file.is_file():
            with file.open("rb") as opened:
                opened.seek(128)
                if opened.read(4) == b"DICM":
                    yield file
