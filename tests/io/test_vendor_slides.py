"""Files as the scanners write them: where their pixels land, what they say of themselves."""

from __future__ import annotations

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from made_slides import stained
from napari_steatosis.core.errors import CannotOpenError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.slide import Slide
from napari_steatosis.io import open_slide
from napari_steatosis.io._handles import HANDLES
from overlapping_tiles import BLUE, GREEN, RED, SHAPE, STEP, TILE
from vendor_slides import MAKERS, bif, mirax, scn

RGB = NDArray[np.uint8]

ASSOCIATED = {
    "aperio": {"label": GREEN, "macro": RED, "thumbnail": BLUE},
    "leica": {"macro": RED},
    "ventana": {"macro": RED, "thumbnail": BLUE},
    "trestle": {"macro": RED},
    "philips": {"label": GREEN, "macro": RED},
    "hamamatsu": {"macro": RED},
    "mirax": {"label": GREEN, "macro": RED, "thumbnail": BLUE},
}


def squares() -> RGB:
    """A slow gradient with a dark square in each corner and one inside, which JPEG keeps."""
    rows, columns = np.indices(SHAPE)
    rgb = np.stack([130 + rows // 2, 240 - columns // 4, 120 + columns // 4], axis=2)
    for y, x in [(0, 0), (0, -20), (-20, 0), (-20, -20), (96, 200)]:
        rgb[y : y + 20 or None, x : x + 20 or None] = 30, 20, 60
    return rgb.astype(np.uint8)


def whole(slide: Slide, level: int = 0) -> RGB:
    size = slide.levels[level]
    return slide.read(Region(y=0, x=0, height=size.height, width=size.width), level)


@pytest.fixture(params=list(MAKERS))
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def slide(vendor: str, tmp_path: Path) -> Slide:
    return open_slide(MAKERS[vendor](tmp_path, squares()))


def test_it_says_what_it_is(vendor: str, slide: Slide) -> None:
    assert slide.reader == "openslide"
    assert slide.properties["openslide.vendor"] == vendor
    assert slide.um_per_px == pytest.approx((0.5, 0.5))
    assert slide.scale_source == f"OpenSlide, vendor {vendor}"
    assert slide.compression == {"hamamatsu": "JPEG", "mirax": "PNG"}.get(vendor, "deflate")


def test_the_scanned_part_is_the_slide(vendor: str, slide: Slide) -> None:
    assert slide.shape == SHAPE
    for number, level in enumerate(slide.levels[:2]):
        assert (level.height, level.width) == (SHAPE[0] / 2**number, SHAPE[1] / 2**number)
        difference = np.abs(
            whole(slide, number) - squares()[:: 2**number, :: 2**number].astype(int)
        )
        assert difference.mean() < (1 if vendor == "hamamatsu" else 1e-9)


def test_its_other_images_are_there(vendor: str, slide: Slide) -> None:
    assert set(slide.associated) == set(ASSOCIATED[vendor])
    for name, colour in ASSOCIATED[vendor].items():
        pixels = slide.source.associated(name)
        assert pixels.dtype == np.uint8
        assert np.abs(pixels.astype(int) - colour).max() <= 2


def test_parts_make_the_whole(slide: Slide) -> None:
    for number in range(len(slide.levels)):
        expected = whole(slide, number)
        height, width = expected.shape[:2]
        for y, x in product(range(0, height, 37), range(0, width, 53)):
            part = Region(y=y, x=x, height=min(37, height - y), width=min(53, width - x))
            np.testing.assert_array_equal(slide.read(part, number), expected[part.slices])


def test_outside_it_is_mirrored_about_the_scanned_part(slide: Slide) -> None:
    wide = slide.read(Region(y=-9, x=-7, height=SHAPE[0] + 14, width=SHAPE[1] + 11))
    expected = np.pad(whole(slide), ((9, 5), (7, 4), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(wide, expected)


def test_threads_and_a_pickled_copy_read_the_same(slide: Slide) -> None:
    copy, expected = pickle.loads(pickle.dumps(slide)), whole(slide)
    corners = np.random.default_rng(3).integers(0, (SHAPE[0] - 60, SHAPE[1] - 60), (40, 2))
    regions = [Region(y=y, x=x, height=60, width=60) for y, x in corners.tolist()]
    with ThreadPoolExecutor(8) as pool:
        for region, pixels in zip(regions, pool.map(copy.read, regions), strict=True):
            np.testing.assert_array_equal(pixels, expected[region.slices])


def test_a_copy_elsewhere_has_the_same_fingerprint(slide: Slide, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    path = Path(slide.path)
    shutil.copytree(path.parent, copied, ignore=shutil.ignore_patterns("copied"))
    assert open_slide(copied / path.name).fingerprint == slide.fingerprint


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_cut_off_file_is_an_error_never_other_pixels(
    vendor: str, share: float, tmp_path: Path
) -> None:
    path = MAKERS[vendor](tmp_path, stained(*SHAPE))
    entire = open_slide(path)
    expected = [whole(entire, number) for number in range(len(entire.levels))]
    damaged = tmp_path / "slide/Data0000.dat" if vendor == "mirax" else path
    os.truncate(damaged, int(damaged.stat().st_size * share))
    HANDLES.close()
    try:
        slide = open_slide(path, reader="openslide")
        read = [whole(slide, number) for number in range(len(slide.levels))]
    except (CannotOpenError, UnreadableRegionError):
        return
    for pixels, right in zip(read, expected, strict=True):
        np.testing.assert_array_equal(pixels, right)


@pytest.mark.parametrize("at", [(67, 100), (66, 101), (1, 1), (131, 3)])
def test_a_mirax_part_that_begins_between_pixels_of_a_level_stays_in_place(
    at: tuple[int, int], tmp_path: Path
) -> None:
    slide = open_slide(mirax(tmp_path, squares(), at=at))
    assert slide.shape == SHAPE
    np.testing.assert_array_equal(whole(slide), squares())
    np.testing.assert_array_equal(whole(slide, 1), squares()[::2, ::2])


@pytest.mark.parametrize("jitter_px", [1, 3])
def test_photos_between_pixels_of_a_level_are_the_same_in_every_crop(
    jitter_px: int, tmp_path: Path
) -> None:
    slide = open_slide(mirax(tmp_path, stained(*SHAPE), jitter_px=jitter_px, at=(67, 101)))
    np.testing.assert_array_equal(whole(slide), stained(*SHAPE))
    test_parts_make_the_whole(slide)


def test_photos_between_pixels_of_a_level_stay_in_place(tmp_path: Path) -> None:
    slide = open_slide(mirax(tmp_path, squares(), jitter_px=1, at=(67, 101)))
    expected, level = squares()[::2, ::2].astype(int), whole(slide, 1)
    away = np.abs(level - expected).mean()
    assert away < 2
    for axis, step in product((0, 1), (-1, 1)):  # half a pixel where interpolated, not more
        assert np.abs(np.roll(level, step, axis) - expected).mean() > 2 * away


def test_photos_that_were_not_taken_have_the_background_of_the_file(tmp_path: Path) -> None:
    slide = open_slide(mirax(tmp_path, squares(), missing=((1, 2), (1, 3))))
    hole = slice(STEP + TILE // 4, STEP + TILE // 2), slice(2 * STEP + 16, 4 * STEP - 16)
    assert np.unique(whole(slide)[hole].reshape(-1, 3), axis=0).tolist() == [[0xF0, 0xF1, 0xF2]]
    np.testing.assert_array_equal(whole(slide)[:STEP], squares()[:STEP])


def test_two_leica_regions_are_one_slide_with_glass_between(tmp_path: Path) -> None:
    slide = open_slide(scn(tmp_path, squares(), offsets=((60, 91), (301, 700))))
    assert slide.shape == (301 - 60 + SHAPE[0], 700 - 91 + SHAPE[1])
    pixels = whole(slide)
    np.testing.assert_array_equal(pixels[: SHAPE[0], : SHAPE[1]], squares())
    np.testing.assert_array_equal(pixels[-SHAPE[0] :, -SHAPE[1] :], squares())
    assert (pixels[: SHAPE[0], SHAPE[1] :] == 255).all()
    test_parts_make_the_whole(slide)


def test_levels_of_an_odd_leica_slide_are_read_pixel_by_pixel(tmp_path: Path) -> None:
    """Its extent is not a multiple of 2 px, so OpenSlide's downsample is not whole."""
    rgb = stained(200, 1100)
    slide = open_slide(scn(tmp_path, rgb, offsets=((60, 290),), extent=(701, 1401)))
    np.testing.assert_array_equal(whole(slide, 1), rgb[::2, ::2])
    test_parts_make_the_whole(slide)


def test_what_ventana_did_not_scan_is_white(tmp_path: Path) -> None:
    slide = open_slide(bif(tmp_path, squares(), x=128))
    assert slide.shape == (SHAPE[0], SHAPE[1] + 128)
    assert (whole(slide)[:, :128] == 255).all()
    np.testing.assert_array_equal(whole(slide)[:, 128:], squares())


@pytest.mark.parametrize("lost", ["Slidedat.ini", "Index.dat", "Data0000.dat"])
def test_a_mirax_slide_with_a_file_lost_is_an_error(lost: str, tmp_path: Path) -> None:
    path = mirax(tmp_path, squares())
    (tmp_path / "slide" / lost).unlink()
    with pytest.raises((CannotOpenError, UnreadableRegionError), match=r"slide\.mrxs"):
        whole(open_slide(path))


def test_a_mirax_file_without_its_folder_says_what_is_missing(tmp_path: Path) -> None:
    path = mirax(tmp_path, squares())
    shutil.rmtree(tmp_path / "slide")
    with pytest.raises(CannotOpenError, match="a folder beside it, 'slide', which is missing"):
        open_slide(path)


def test_the_folder_of_a_mirax_slide_says_which_file_to_open(tmp_path: Path) -> None:
    mirax(tmp_path, squares())
    with pytest.raises(CannotOpenError, match=r"open the file slide\.mrxs beside it"):
        open_slide(tmp_path / "slide")
