from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from huge_tiff import huge_tiff
from made_slides import halves, ome_tiff, stained
from napari_steatosis.core.errors import CannotOpenError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide
from napari_steatosis.io._handles import HANDLES

RGB = stained(150, 230)
INSIDE = Region(y=37, x=61, height=99, width=151)


def written(folder: Path, pixels: Any = RGB, **how: Any) -> Path:
    path = folder / "picture.tif"
    tifffile.imwrite(path, pixels, **{"photometric": "rgb", **how})
    return path


LAYOUTS = {
    "tiles": {"tile": (64, 64), "compression": "zlib"},
    "tiles, not compressed": {"tile": (32, 48)},
    "strips": {"rowsperstrip": 7, "compression": "lzw"},
    "strips, not compressed": {"rowsperstrip": 7},
    "one strip": {"rowsperstrip": 150},
    "one strip, compressed": {"rowsperstrip": 150, "compression": "zstd"},
    "bigtiff": {"tile": (64, 64), "bigtiff": True},
    "big endian": {"rowsperstrip": 16, "byteorder": ">"},
    "predictor": {"tile": (64, 64), "compression": "zlib", "predictor": True},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_stored_pixels(layout: str, tmp_path: Path) -> None:
    slide = open_slide(written(tmp_path, **LAYOUTS[layout]), reader="tiff")
    np.testing.assert_array_equal(slide.read(INSIDE), RGB[INSIDE.slices])


@pytest.mark.parametrize("layout", [{"tile": (64, 64)}, {"rowsperstrip": 11}])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_planes_stored_apart_are_joined(
    layout: dict[str, Any], compression: str | None, tmp_path: Path
) -> None:
    apart = np.ascontiguousarray(RGB.transpose(2, 0, 1))
    path = written(tmp_path, apart, planarconfig="separate", compression=compression, **layout)
    np.testing.assert_array_equal(open_slide(path).read(INSIDE), RGB[INSIDE.slices])


def test_jpeg_tiles_are_what_tifffile_decodes(tmp_path: Path) -> None:
    path = written(tmp_path, tile=(64, 64), compression="jpeg")
    expected = tifffile.imread(path)
    np.testing.assert_array_equal(open_slide(path).read(INSIDE), expected[INSIDE.slices])


@pytest.mark.parametrize(("kind", "name"), [(1, "assocalpha"), (2, "unassalpha")])
def test_alpha_is_blended_over_white(kind: int, name: str, tmp_path: Path) -> None:
    alpha = np.zeros((150, 230, 1), np.uint8)
    alpha[:, 100:] = 255
    alpha[:, 50:100] = 51
    colour = (RGB * (alpha / 255.0)).astype(np.uint8) if kind == 1 else RGB
    path = written(tmp_path, np.concatenate([colour, alpha], 2), extrasamples=[name])
    pixels = open_slide(path).read(Region(y=0, x=0, height=150, width=230))
    np.testing.assert_array_equal(pixels[:, 100:], RGB[:, 100:])
    assert (pixels[:, :50] == 255).all()
    expected = RGB[:, 50:100] * 0.2 + 255 * 0.8
    assert np.abs(pixels[:, 50:100] - expected).max() <= 1


def test_a_fourth_channel_that_is_no_alpha_is_ignored(tmp_path: Path) -> None:
    other = np.concatenate([RGB, np.zeros((150, 230, 1), np.uint8)], 2)
    path = written(tmp_path, other, extrasamples=["unspecified"])
    np.testing.assert_array_equal(open_slide(path).read(INSIDE), RGB[INSIDE.slices])


def test_ome_pixel_size_with_units_and_levels_in_subifds(tmp_path: Path) -> None:
    slide = open_slide(ome_tiff(tmp_path, RGB))
    assert slide.um_per_px == (0.25, 0.25)
    assert slide.scale_source == "OME-XML PhysicalSize"
    assert [level.downsample for level in slide.levels] == [1, 2, 4]


@pytest.mark.parametrize("layout", [{"tile": (64, 64)}, {"rowsperstrip": 9}])
def test_levels_in_reduced_pages(layout: dict[str, Any], tmp_path: Path) -> None:
    """As libvips and many converters write them; a page that is no level is another image."""
    path = tmp_path / "pages.tif"
    levels = halves(RGB, 3)
    with tifffile.TiffWriter(path) as file:
        for number, level in enumerate([*levels, stained(30, 31)]):
            kind = {"photometric": "rgb", "compression": "zlib", "subfiletype": 0 < number < 3}
            file.write(level, metadata=None, **kind, **layout)
    slide = open_slide(path)
    assert [level.downsample for level in slide.levels] == [1, 2, 4]
    for number, level in enumerate(levels):
        height, width = level.shape[:2]
        whole = Region(y=0, x=0, height=height, width=width)
        np.testing.assert_array_equal(slide.read(whole, number), level)
    (name,) = slide.associated
    np.testing.assert_array_equal(slide.source.associated(name), stained(30, 31))


def test_an_enormous_pyramid_opens_at_once(tmp_path: Path) -> None:
    path = huge_tiff(tmp_path / "huge.tif", 100_000)
    assert path.stat().st_size < 2e6
    begun = time.perf_counter()
    slide = open_slide(path)
    assert time.perf_counter() - begun < 0.5
    assert (slide.shape, slide.um_per_px) == ((100_000, 100_000), (0.25, 0.25))
    assert sum(level.shrink == 1 for level in slide.levels) == 8
    first = slide.read(Region(y=0, x=0, height=512, width=512))
    far = slide.read(Region(y=512 * 190, x=512 * 77, height=512, width=512))
    np.testing.assert_array_equal(first, far)
    assert slide.read(Region(y=90_000, x=90_000, height=300, width=400)).std() > 10


@pytest.mark.parametrize(
    ("how", "um_per_px"),
    [
        ({"resolution": (20000, 40000), "resolutionunit": "CENTIMETER"}, (0.25, 0.5)),
        ({"resolution": (50800, 50800), "resolutionunit": "INCH"}, (0.5, 0.5)),
        ({"resolution": (2, 4), "imagej": True, "metadata": {"unit": "um"}}, (0.25, 0.5)),
        ({"resolution": (2, 2), "imagej": True, "metadata": {"unit": "pixel"}}, None),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (2, 2), "resolutionunit": "NONE"}, None),
        ({}, None),
    ],
)
def test_resolution_tags(
    how: dict[str, Any], um_per_px: tuple[float, float] | None, tmp_path: Path
) -> None:
    slide = open_slide(written(tmp_path, **how))
    assert slide.um_per_px == (um_per_px and pytest.approx(um_per_px))


REFUSED = {
    "grey": (RGB[..., 0], {"photometric": "minisblack"}, "uint8 pixels in 1 channel"),
    "16 bit": (RGB.astype(np.uint16) * 256, {}, "uint16 pixels in 3 channels"),
    "float": (RGB.astype(np.float32), {}, "float32 pixels in 3 channels"),
    "stack": (
        np.stack([RGB] * 4),
        {"metadata": {"axes": "ZYXS"}},
        r"several planes or channels \(4 along",
    ),
    "fluorescence": (
        np.stack([RGB[..., 0]] * 3),
        {"photometric": "minisblack", "ome": True, "metadata": {"axes": "CYX"}},
        "3 planes of uint8 without names",
    ),
    "cmyk": (
        np.concatenate([RGB, RGB[..., :1]], 2),
        {"photometric": "separated"},
        "with the colours SEPARATED",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_8_bit_rgb_is_refused_with_a_remedy(kind: str, tmp_path: Path) -> None:
    pixels, how, reason = REFUSED[kind]
    with pytest.raises(CannotOpenError, match=rf"{reason}.*[Cc]onvert it to 8-bit RGB"):
        open_slide(written(tmp_path, pixels, **how))


def test_the_largest_image_is_the_slide_and_others_are_associated(tmp_path: Path) -> None:
    path = tmp_path / "several.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        small = {"Name": "Label", "axes": "YXS", "PhysicalSizeX": 9.0, "PhysicalSizeY": 9.0}
        large = {"Name": "Slide", "axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        file.write(stained(40, 60), photometric="rgb", metadata=small)
        file.write(RGB, photometric="rgb", tile=(64, 64), metadata=large)
    slide = open_slide(path)
    assert slide.shape == (150, 230)
    assert slide.um_per_px == (0.5, 0.5)
    assert slide.associated == ("label",)
    np.testing.assert_array_equal(slide.source.associated("label"), stained(40, 60))


def test_a_tile_that_the_writer_left_out_is_white(tmp_path: Path) -> None:
    path = tmp_path / "sparse.tif"
    tiles = [RGB[:64, :64].tobytes(), b"", b"", RGB[64:128, 64:128].tobytes()]
    tifffile.imwrite(
        path, iter(tiles), shape=(128, 128, 3), dtype="u1", tile=(64, 64), photometric="rgb"
    )
    pixels = open_slide(path).read(Region(y=0, x=0, height=128, width=128))
    np.testing.assert_array_equal(pixels[64:, 64:], RGB[64:128, 64:128])
    assert (pixels[:64, 64:] == 255).all()


def test_a_spoiled_tile_is_an_error_where_it_lies_only(tmp_path: Path) -> None:
    path = written(tmp_path, tile=(64, 64), compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[1]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"spoiled!" * 8)
    slide = open_slide(path)
    with pytest.raises(UnreadableRegionError, match="rows 0-10, columns 64-74"):
        slide.read(Region(y=0, x=64, height=10, width=10))
    good = Region(y=0, x=0, height=64, width=64)
    np.testing.assert_array_equal(slide.read(good), RGB[good.slices])


def test_directories_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "circle.tif"
    with tifffile.TiffWriter(path) as file:
        for _ in range(2):
            file.write(RGB, photometric="rgb", metadata=None)
    with tifffile.TiffFile(path) as file:
        last = file.pages[1].offset
        (tags,) = struct.unpack("<H", path.read_bytes()[last : last + 2])
    with path.open("r+b") as opened:
        opened.seek(last + 2 + 12 * tags)
        opened.write(struct.pack("<I", file.pages[0].offset))
    with pytest.raises(CannotOpenError, match="lead back to byte 8"):
        open_slide(path)


def test_an_unknown_order_of_samples_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, tile=(64, 64))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["PlanarConfiguration"].overwrite(7)
    with pytest.raises(CannotOpenError, match="PlanarConfiguration 7"):
        open_slide(path)


@pytest.mark.parametrize("how", [{"tile": (256, 256), "compression": "zlib"}, {}])
def test_a_small_region_of_a_large_level_takes_little_memory(
    how: dict[str, Any], tmp_path: Path
) -> None:
    path = written(tmp_path, np.full((6000, 6000, 3), 200, np.uint8), **how)
    slide = open_slide(path)
    HANDLES.close()
    tracemalloc.start()
    slide.read(Region(y=2990, x=2990, height=100, width=100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # the level has 108 MB
