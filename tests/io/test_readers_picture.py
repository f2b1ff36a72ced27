from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.io import imsave

from icc import wide_profile
from made_slides import png, stained
from napari_steatosis.core.errors import CannotOpenError, MissingScaleError
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide

RGB = stained(120, 200)
WHOLE = Region(y=0, x=0, height=120, width=200)


@pytest.mark.parametrize(
    ("suffix", "how"), [("png", {}), ("bmp", {}), ("webp", {"lossless": True})]
)
def test_lossless_pictures(suffix: str, how: dict[str, bool], tmp_path: Path) -> None:
    path = tmp_path / f"picture.{suffix}"
    Image.fromarray(RGB).save(path, **how)
    np.testing.assert_array_equal(open_slide(path).read(WHOLE), RGB)


def test_a_jpeg_is_what_pillow_decodes_whatever_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "picture.dat"
    Image.fromarray(RGB).save(path, format="JPEG")
    np.testing.assert_array_equal(open_slide(path).read(WHOLE), np.asarray(Image.open(path)))


@pytest.mark.parametrize(
    ("suffix", "compression"),
    [("png", "deflate"), ("jpg", "JPEG"), ("webp", "WebP"), ("bmp", "none")],
)
def test_compression_and_colour_profile(suffix: str, compression: str, tmp_path: Path) -> None:
    path, profile = tmp_path / f"picture.{suffix}", wide_profile("Camera 3")
    Image.fromarray(RGB).save(path, icc_profile=profile)
    slide = open_slide(path)
    assert slide.compression == compression
    if suffix == "bmp":  # which holds none
        assert slide.profile is None
    else:
        assert slide.profile is not None
        assert (slide.profile.name, slide.profile.data) == ("Camera 3", profile)


@pytest.mark.parametrize("dpi", [72, 96, 300, 25400])
def test_the_resolution_in_print_is_no_pixel_size(dpi: int, tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(RGB).save(path, dpi=(dpi, dpi))
    slide = open_slide(path)
    assert slide.um_per_px is None
    with pytest.raises(MissingScaleError, match="its DPI is that of print"):
        slide.at(0.5)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_lies_as_viewers_show_it(orientation: int, tmp_path: Path) -> None:
    path = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(RGB).save(path, exif=exif)
    turns = {
        1: RGB,
        2: RGB[:, ::-1],
        3: RGB[::-1, ::-1],
        4: RGB[::-1],
        5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, -1),
        7: RGB[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(RGB, 1),
    }
    expected = turns[orientation]
    slide = open_slide(path)
    assert slide.shape == expected.shape[:2]
    read = slide.read(Region(y=0, x=0, height=slide.shape[0], width=slide.shape[1]))
    np.testing.assert_array_equal(read, expected)


def test_alpha_is_blended_over_white(tmp_path: Path) -> None:
    alpha = np.full((120, 200, 1), 255, np.uint8)
    alpha[:40], alpha[40:80] = 0, 102
    path = tmp_path / "alpha.png"
    Image.fromarray(np.concatenate([RGB, alpha], 2)).save(path)
    pixels = open_slide(path).read(WHOLE)
    assert (pixels[:40] == 255).all()
    assert np.abs(pixels[40:80] - (RGB[40:80] * 0.4 + 255 * 0.6)).max() <= 1
    np.testing.assert_array_equal(pixels[80:], RGB[80:])


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("L", "grey"), ("LA", "grey"), ("1", "black and white"), ("P", "palette"), ("CMYK", "CMYK")],
)
def test_other_modes_are_refused(mode: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / ("picture.jpg" if mode == "CMYK" else "picture.png")
    Image.fromarray(RGB).convert(mode).save(path)
    with pytest.raises(CannotOpenError, match=rf"holds {reason} pixels.*Convert it to 8-bit RGB"):
        open_slide(path)


def test_16_bits_are_refused_not_halved(tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    imsave(grey, (RGB[..., 0].astype(np.uint16) * 257), check_contrast=False)
    with pytest.raises(CannotOpenError, match="uint16"):
        open_slide(grey)
    colour = tmp_path / "colour.png"
    colour.write_bytes(drawn_png(60, 40, depth=16))
    with pytest.raises(CannotOpenError, match="uint16"):
        open_slide(colour)


def test_a_picture_too_large_for_memory_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(drawn_png(60000, 40000, depth=8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CannotOpenError, match=r"40000 x 60000 px.*tiled pyramidal TIFF"):
            open_slide(path)


def test_a_picture_above_the_limit_of_pillow_is_opened_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(drawn_png(10000, 9500, depth=8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_slide(path).shape == (9500, 10000)


def test_a_header_cut_off_is_refused(tmp_path: Path) -> None:
    path = png(tmp_path, RGB)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CannotOpenError, match="its PNG header cannot be read"):
        open_slide(path)


def test_a_real_photograph(shared_data: Path) -> None:
    slide = open_slide(shared_data / "liver/severe-macrovesicular.jpg")
    assert (slide.reader, slide.shape) == ("picture", (3551, 3945))
    assert slide.um_per_px is None
    assert [level.shrink for level in slide.levels] == [1, 2, 4]


def drawn_png(width: int, height: int, depth: int) -> bytes:
    """An RGB PNG whose pixels are not there: what a header alone can promise."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")
