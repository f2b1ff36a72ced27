"""Every way of storing RGB in TIFF that tifffile can write: compression by layout."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from icc import wide_profile
from made_slides import stained
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide
from napari_steatosis.io._handles import HANDLES

RGB = stained(150, 230)
INSIDE = Region(y=37, x=61, height=99, width=151)
WHOLE = Region(y=0, x=0, height=150, width=230)

LOSSLESS = {
    "none": {},
    "deflate": {"compression": "zlib"},
    "LZW": {"compression": "lzw"},
    "zstd": {"compression": "zstd"},
    "LZMA": {"compression": "lzma"},
    "PackBits": {"compression": "packbits"},
    "JPEG 2000": {"compression": "jpeg2000", "compressionargs": {"reversible": True, "level": 0}},
    "WebP": {"compression": "webp", "compressionargs": {"lossless": True}},
    "JPEG XL": {"compression": "jpegxl", "compressionargs": {"lossless": True}},
    "PNG": {"compression": "png"},
}
LOSSY = {
    "JPEG": {"compression": "jpeg", "compressionargs": {"level": 80}},
    "JPEG 2000": {"compression": "jpeg2000", "compressionargs": {"level": 40}},
    "WebP": {"compression": "webp", "compressionargs": {"level": 70}},
    "JPEG XL": {"compression": "jpegxl", "compressionargs": {"level": 70}},
}
WITH_PREDICTOR = ("none", "deflate", "LZW", "zstd", "LZMA")
INTERLEAVED_ONLY = ("WebP", "PackBits")
"""WebP stores colours together; tifffile writes PackBits of planes without their last rows."""

PIECES = {"tiles": {"tile": (64, 48)}, "strips": {"rowsperstrip": 22}}
KINDS = {
    "classic, little endian": {"byteorder": "<"},
    "classic, big endian": {"byteorder": ">"},
    "BigTIFF, little endian": {"byteorder": "<", "bigtiff": True},
    "BigTIFF, big endian": {"byteorder": ">", "bigtiff": True},
}


def written(path: Path, *, planar: bool = False, **how: Any) -> Path:
    pixels = np.ascontiguousarray(RGB.transpose(2, 0, 1)) if planar else RGB
    plan = {"planarconfig": "separate"} if planar else {}
    tifffile.imwrite(path, pixels, **{"photometric": "rgb", **plan, **how})
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("name", LOSSLESS)
def test_what_is_stored_without_loss_is_read_without(
    name: str, pieces: str, kind: str, tmp_path: Path
) -> None:
    for planar, predictor in product((False, True), (False, True)):
        if (planar and name in INTERLEAVED_ONLY) or (predictor and name not in WITH_PREDICTOR):
            continue
        if predictor and name == "none":
            continue
        how = {**LOSSLESS[name], **PIECES[pieces], **KINDS[kind]}
        if predictor:
            how["predictor"] = True
        path = written(tmp_path / f"{planar}{predictor}.tif", planar=planar, **how)
        slide = open_slide(path, reader="tiff")
        assert slide.compression == name
        np.testing.assert_array_equal(slide.read(INSIDE), RGB[INSIDE.slices])
        np.testing.assert_array_equal(slide.read(WHOLE), RGB)
    HANDLES.close()


@pytest.mark.parametrize("pieces", [{"tile": (64, 48)}, {"rowsperstrip": 16}])
@pytest.mark.parametrize("name", LOSSY)
def test_what_is_stored_with_loss_is_what_tifffile_decodes(
    name: str, pieces: dict[str, Any], tmp_path: Path
) -> None:
    path = written(tmp_path / "lossy.tif", **LOSSY[name], **pieces)
    slide = open_slide(path)
    assert slide.compression == name
    expected = tifffile.imread(path)
    np.testing.assert_array_equal(slide.read(WHOLE), expected)
    np.testing.assert_array_equal(slide.read(INSIDE), expected[INSIDE.slices])
    assert np.abs(expected.astype(int) - RGB).mean() < 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pieces", [{"tile": (64, 48)}, {"rowsperstrip": 16}])
@pytest.mark.parametrize(
    "colours",
    [
        {"compressionargs": {"level": 90, "outcolorspace": "rgb"}},
        {"subsampling": (1, 1)},
        {"subsampling": (2, 1)},
        {"subsampling": (2, 2)},
        {"planar": True},
    ],
    ids=["rgb", "ycbcr 4:4:4", "ycbcr 4:2:2", "ycbcr 4:2:0", "planar"],
)
def test_jpeg_of_every_colour_space(
    colours: dict[str, Any], pieces: dict[str, Any], kind: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "jpeg.tif", compression="jpeg", **colours, **pieces, **KINDS[kind])
    expected = tifffile.imread(path)
    if colours.get("planar"):
        expected = expected.transpose(1, 2, 0)
    slide = open_slide(path)
    assert slide.compression == "JPEG"
    np.testing.assert_array_equal(slide.read(WHOLE), expected)
    assert np.abs(expected.astype(int) - RGB).mean() < 12


@pytest.mark.parametrize("compression", [None, "zlib", "jpeg"])
def test_a_read_of_one_tile_belongs_to_the_caller(compression: str | None, tmp_path: Path) -> None:
    """It may be written to, and what is written is seen by nobody else."""
    path = written(tmp_path / "one.tif", tile=(64, 48), compression=compression)
    slide, one = open_slide(path), Region(y=64, x=48, height=64, width=48)
    first = slide.read(one)
    expected = first.copy()
    first[:] = 0
    slide.read(INSIDE)[:] = 0
    np.testing.assert_array_equal(slide.read(one), expected)
    np.testing.assert_array_equal(slide.read(INSIDE), slide.read(WHOLE)[INSIDE.slices])


def test_the_colour_profile_is_that_of_the_file(tmp_path: Path) -> None:
    profile = wide_profile("Scanner 7")
    slide = open_slide(written(tmp_path / "profile.tif", iccprofile=profile))
    assert slide.profile is not None
    assert (slide.profile.name, slide.profile.data) == ("Scanner 7", profile)
    assert open_slide(written(tmp_path / "none.tif")).profile is None


@pytest.mark.parametrize("bits", [4, 6])
def test_fewer_than_8_bits_are_refused(bits: int, tmp_path: Path) -> None:
    path = tmp_path / "few.tif"
    tifffile.imwrite(path, RGB >> (8 - bits), photometric="rgb", bitspersample=bits)
    with pytest.raises(OSError, match=f"{bits}-bit pixels"):
        open_slide(path)
