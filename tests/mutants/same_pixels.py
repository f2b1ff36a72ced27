"""The pixels that a file holds by the word of the library of its format, without our readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from napari_steatosis.core.geometry import Region
from napari_steatosis.core.slide import Slide

LARGEST_PX = 2**24


def stored_pixels(slide: Slide, level: int, window: Region) -> NDArray[np.uint8] | None:
    """Return a window of a stored level; None where this cannot be said independently."""
    size = slide.levels[level]
    if size.height * size.width > LARGEST_PX:
        return None
    return LIBRARIES[slide.reader](slide, size.stored, window)


def _openslide(slide: Slide, stored: int, window: Region) -> NDArray[np.uint8] | None:
    path = Path(slide.source.path)
    with openslide.OpenSlide(path) as handle:
        if handle.level_downsamples[stored] != round(handle.level_downsamples[stored]):
            return None
        step = round(handle.level_downsamples[stored])
        y, x = (int(handle.properties.get(f"openslide.bounds-{axis}", 0)) for axis in "yx")
        if y or x:
            return None
        corner = (window.x * step, window.y * step)
        rgba = np.asarray(handle.read_region(corner, stored, (window.width, window.height)))
    return np.where(rgba[..., 3:] == 0, 255, rgba[..., :3]).astype(np.uint8)


def _tiff(slide: Slide, stored: int, window: Region) -> NDArray[np.uint8] | None:
    with tifffile.TiffFile(slide.path) as file:
        series = max(file.series, key=lambda one: np.prod(one.shape, dtype=float))
        pages = [one.pages[0].aspage() for one in series.levels]
        fitting = [p for p in pages if (p.imagelength, p.imagewidth) == (
            slide.levels[stored].height, slide.levels[stored].width)]  # fmt: skip
        if len(fitting) != 1 or fitting[0].samplesperpixel != 3:
            return None
        if any(count == 0 for count in fitting[0].databytecounts):
            return None
        whole = fitting[0].asarray()
    if whole.shape[0] == 3 and whole.shape[-1] != 3:
        whole = np.moveaxis(whole, 0, -1)
    return whole[window.slices]


def _zarr(slide: Slide, stored: int, window: Region) -> NDArray[np.uint8] | None:
    source = slide.source
    array = zarr.open_array(str(Path(source.metadata).parent / source.datasets[stored]), mode="r")
    rows, columns = window.slices
    place = {"y": rows, "x": columns, "c": slice(None)}
    axes = source.axes
    pixels = np.asarray(array[tuple(place.get(axis, slice(0, 1)) for axis in axes)])
    single = tuple(i for i, axis in enumerate(axes) if axis not in "cyx")
    kept = [axis for axis in axes if axis in "cyx"]
    return pixels.squeeze(single).transpose([kept.index(axis) for axis in "yxc"])


def _picture(slide: Slide, stored: int, window: Region) -> NDArray[np.uint8] | None:
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(slide.path) as image:
        if image.mode != "RGB" or image.getexif().get(0x0112, 1) != 1:
            return None
        return np.asarray(image)[window.slices]


LIBRARIES = {
    "openslide": _openslide,
    "tiff": _tiff,
    "ome-zarr": _zarr,
    "picture": _picture,
    "tiles": lambda slide, stored, window: None,
}
