from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from icc import wide_profile
from made_slides import aperio, ome_tiff, stained
from napari_steatosis.core.errors import CannotOpenError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide
from napari_steatosis.io._openslide_header import bounds_of, cut_out
from napari_steatosis.io.openslide import over_background
from overlapping_tiles import SHAPE
from vendor_slides import philips, svs

CMU = "slides/aperio/CMU-1-Small-Region.svs"
DICOM = "slides/dicom/CMU-1-Small-Region"


def test_unscanned_parts_take_the_background_and_partly_covered_ones_their_colour() -> None:
    rgba = np.array([[[9, 8, 7, 0], [9, 8, 7, 255], [9, 8, 7, 128]]], np.uint8)
    rgb = over_background(Image.fromarray(rgba), (250, 251, 252))
    assert rgb.tolist() == [[[250, 251, 252], [9, 8, 7], [9, 8, 7]]]


def test_pixels_are_those_of_openslide(shared_data: Path) -> None:
    slide = open_slide(shared_data / CMU)
    with openslide.OpenSlide(shared_data / CMU) as reference:
        expected = np.asarray(reference.read_region((333, 777), 0, (400, 300)))[..., :3]
        macro = np.asarray(reference.associated_images["macro"])[..., :3]
    region = Region(y=777, x=333, height=300, width=400)
    np.testing.assert_array_equal(slide.read(region), expected)
    np.testing.assert_array_equal(slide.source.associated("macro"), macro)
    assert set(slide.associated) == {"label", "macro", "thumbnail"}
    assert slide.tile_px == (240, 240)


def test_two_libraries_decode_the_same_pixels(shared_data: Path) -> None:
    region = Region(y=1000, x=900, height=512, width=512)
    pixels = [open_slide(shared_data / CMU, reader=r).read(region) for r in ("openslide", "tiff")]
    np.testing.assert_array_equal(*pixels)


def test_the_dicom_copy_shows_what_the_svs_shows(shared_data: Path) -> None:
    svs, dicom = open_slide(shared_data / CMU), open_slide(shared_data / DICOM)
    assert dicom.levels == svs.levels
    assert dicom.um_per_px == svs.um_per_px
    assert dicom.tile_px == svs.tile_px
    assert set(dicom.associated) == set(svs.associated)
    region = Region(y=0, x=0, height=svs.shape[0], width=svs.shape[1])
    a, b = (slide.read(region).astype(np.float32) for slide in (svs, dicom))
    assert np.abs(a - b).mean() < 4  # 2.9: the copy was compressed again
    shifted = np.abs(a[:, 1:] - b[:, :-1]).mean()
    assert np.abs(a - b).mean() < shifted / 2  # but not moved


def test_a_dicom_slide_is_the_same_by_its_folder_and_by_any_instance(shared_data: Path) -> None:
    folder = open_slide(shared_data / DICOM)
    instances = sorted((shared_data / DICOM).iterdir())
    region = Region(y=1000, x=900, height=64, width=64)
    assert len(instances) == 4
    for path in instances:
        slide = open_slide(path)
        assert slide.levels == folder.levels
        assert slide.um_per_px == folder.um_per_px
        assert slide.fingerprint == folder.fingerprint
        np.testing.assert_array_equal(slide.read(region), folder.read(region))


def test_a_folder_of_one_dicom_slide_opens_beside_files_of_other_kinds(
    shared_data: Path, tmp_path: Path
) -> None:
    shutil.copy(shared_data / "slides/dicom/highdicom/sm_image.dcm", tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "short").write_text("x")
    assert open_slide(tmp_path).shape == (50, 50)


def test_ndpi_levels_and_scale(shared_data: Path) -> None:
    slide = open_slide(shared_data / "slides/ndpi/fluorescence-TRITC.ndpi")
    assert [level.downsample for level in slide.levels] == [1, 2, 4, 8, 16, 32, 64]
    assert slide.tile_px == (256, 1024)
    near_black = slide.read(Region(y=0, x=0, height=64, width=64))
    assert near_black.mean() < 10


def test_an_objective_is_mentioned_but_never_used_as_a_scale(tmp_path: Path) -> None:
    path = tmp_path / "no-mpp.svs"
    text = "Aperio Image Library v1\n64x64 (64x64) |AppMag = 20"
    tifffile.imwrite(
        path, stained(64, 64), tile=(64, 64), description=text, photometric="rgb", metadata=None
    )
    slide = open_slide(path)
    assert slide.reader == "openslide"
    assert slide.um_per_px is None
    assert "20x objective suggests about 0.5 um" in slide.scale_source


@pytest.mark.parametrize("resolution", [{"per_cm": 20000}, {"per_inch": 50800}])
def test_a_plausible_resolution_tag_is_the_scale_where_nothing_else_is_stated(
    resolution: dict[str, float], tmp_path: Path
) -> None:
    slide = open_slide(svs(tmp_path, stained(64, 64), mpp=None, **resolution))
    assert slide.um_per_px == pytest.approx((0.5, 0.5))
    assert slide.scale_source == "TIFF resolution tag"
    tagged = open_slide(svs(tmp_path, stained(64, 64), mpp="0.25", **resolution))
    assert tagged.um_per_px == (0.25, 0.25)
    assert tagged.scale_source == "OpenSlide, vendor aperio"


@pytest.mark.parametrize(
    ("resolution", "um"),
    [
        ({"per_inch": 72}, "352.8"),
        ({"per_inch": 96}, "264.6"),
        ({"per_inch": 300}, "84.67"),
        ({"per_cm": 28.346}, "352.8"),
        ({"per_cm": 1e9}, "1e-05"),
    ],
)
def test_a_resolution_tag_of_screens_and_printers_is_no_scale(
    resolution: dict[str, float], um: str, tmp_path: Path
) -> None:
    slide = open_slide(svs(tmp_path, stained(64, 64), mpp=None, **resolution))
    assert slide.um_per_px is None
    assert f"{um} um per pixel (TIFF resolution tag), which is implausible" in slide.scale_source


@pytest.mark.parametrize("mpp", ["0", "-0.5", "499", "1e-9"])
def test_an_implausible_mpp_leaves_the_scale_unknown(mpp: str, tmp_path: Path) -> None:
    slide = open_slide(svs(tmp_path, stained(64, 64), mpp=mpp))
    assert slide.um_per_px is None
    assert "implausible" in slide.scale_source


def test_a_unit_behind_the_mpp_does_no_harm(tmp_path: Path) -> None:
    slide = open_slide(svs(tmp_path, stained(64, 64), mpp="0.25 um"))
    assert "openslide.mpp-x" not in slide.properties
    assert slide.um_per_px == (0.25, 0.25)
    assert slide.scale_source == "aperio.MPP, vendor aperio"


def test_philips_states_the_scale_of_a_level_where_it_does_not_for_the_image(
    tmp_path: Path,
) -> None:
    slide = open_slide(philips(tmp_path, stained(*SHAPE), scale_of_image=False))
    assert "openslide.mpp-x" not in slide.properties
    assert slide.um_per_px == pytest.approx((0.5, 0.5))
    assert "DICOM_PIXEL_SPACING" in slide.scale_source


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ((10, 20, 30, 40), (10, 20, 30, 40)),
        ((10, 20, 300, 400), (10, 20, 90, 180)),
        ((0, 0, 100, 200), (0, 0, 100, 200)),
        ((-5, 0, 50, 50), (0, 0, 100, 200)),
        ((100, 0, 50, 50), (0, 0, 100, 200)),
        ((10, 20, 0, 40), (0, 0, 100, 200)),
        ((10, 20, 30, -1), (0, 0, 100, 200)),
        (("ten", 20, 30, 40), (0, 0, 100, 200)),
    ],
)
def test_bounds_that_cannot_be_right_are_not_used(
    stated: tuple[object, ...], expected: tuple[int, int, int, int]
) -> None:
    names = [f"openslide.bounds-{side}" for side in ("y", "x", "height", "width")]
    properties = dict(zip(names, map(str, stated), strict=True))
    y, x, height, width = expected
    assert bounds_of(properties, 100, 200) == Region(y=y, x=x, height=height, width=width)
    del properties["openslide.bounds-width"]
    assert bounds_of(properties, 100, 200) == Region(y=0, x=0, height=100, width=200)


def test_levels_too_coarse_for_the_scanned_part_are_left_out() -> None:
    levels = [(4096, 4096, 1.0), (1024, 1024, 4.0), (64, 64, 64.0)]
    part = Region(y=4000, x=10, height=40, width=40)
    assert cut_out(levels, part) == [(40, 40, 1.0), (10, 10, 4.0)]
    assert cut_out(levels, Region(y=0, x=0, height=4096, width=4096)) == levels


def test_the_colour_profile_is_the_one_in_the_file(shared_data: Path, tmp_path: Path) -> None:
    slide = open_slide(svs(tmp_path, stained(64, 64), icc=wide_profile("Wide RGB")))
    assert slide.profile is not None
    assert (slide.profile.name, slide.profile.data) == ("Wide RGB", wide_profile("Wide RGB"))
    tcga = open_slide(shared_data / "slides/aperio/TCGA-CR-7395-01A-01-TS1.svs")
    assert tcga.profile is not None
    assert "sRGB" in tcga.profile.name
    assert open_slide(shared_data / CMU).profile is None


def test_a_damaged_colour_profile_is_left_out(tmp_path: Path) -> None:
    slide = open_slide(svs(tmp_path, stained(64, 64), icc=b"nonsense" * 20))
    assert slide.profile is None
    region = Region(y=0, x=0, height=64, width=64)
    np.testing.assert_array_equal(slide.read(region), stained(64, 64))


@pytest.mark.parametrize(
    ("name", "compression"),
    [
        (CMU, "JPEG"),
        ("slides/aperio/TCGA-CR-7395-01A-01-TS1.svs", "JPEG 2000"),
        ("slides/ndpi/fluorescence-TRITC.ndpi", "JPEG"),
        ("slides/dicom/CMU-1-Small-Region", "JPEG"),
        ("slides/dicom/highdicom/sm_image.dcm", "none"),
    ],
)
def test_the_compression_of_the_pixels(name: str, compression: str, shared_data: Path) -> None:
    assert open_slide(shared_data / name).compression == compression


def test_levels_of_a_fractional_downsample_are_the_same_in_every_crop(shared_data: Path) -> None:
    slide = open_slide(shared_data / "slides/aperio/TCGA-CR-7395-01A-01-TS1.svs")
    level = slide.levels[1]
    assert level.downsample == 2.0
    wide = slide.read(Region(y=200, x=900, height=400, width=500), 1)
    for y, x, height, width in [(200, 900, 10, 10), (255, 1023, 3, 2), (401, 1111, 199, 289)]:
        part = slide.read(Region(y=y, x=x, height=height, width=width), 1)
        np.testing.assert_array_equal(
            part, wide[y - 200 : y - 200 + height, x - 900 : x - 900 + width]
        )


def test_plain_tiled_tiff_is_left_to_the_tiff_reader(tmp_path: Path) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, stained(200, 200), tile=(64, 64), photometric="rgb")
    assert openslide.OpenSlide.detect_format(path) == "generic-tiff"
    assert open_slide(path).reader == "tiff"
    with pytest.raises(CannotOpenError, match="plain tiled TIFF"):
        open_slide(path, reader="openslide")
    with pytest.raises(CannotOpenError, match="openslide: "):
        open_slide(ome_tiff(tmp_path, stained(200, 200)), reader="openslide")


def spoiled(path: Path, page: int, tile: int) -> Path:
    with tifffile.TiffFile(path) as file:
        offset = file.pages[page].dataoffsets[tile]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"spoiled!" * 8)
    return path


def test_after_a_failed_read_the_good_parts_can_still_be_read(tmp_path: Path) -> None:
    rgb = stained(64, 256)
    slide = open_slide(spoiled(aperio(tmp_path, rgb), 0, 2))
    good = Region(y=0, x=0, height=64, width=64)
    with pytest.raises(UnreadableRegionError, match=r"slide\.svs: level 0, rows 0-64, columns 128"):
        slide.read(Region(y=0, x=128, height=64, width=64))
    np.testing.assert_array_equal(slide.read(good), rgb[:64, :64])


def test_a_damaged_label_does_not_spoil_the_pixels(tmp_path: Path) -> None:
    rgb = stained(64, 256)
    slide = open_slide(spoiled(svs(tmp_path, rgb), 3, 0))
    with pytest.raises(UnreadableRegionError, match="label"):
        slide.read_associated("label")
    np.testing.assert_array_equal(slide.read(Region(y=0, x=0, height=64, width=256)), rgb)


def test_threads_that_read_good_parts_beside_a_damaged_one_do_not_fail(tmp_path: Path) -> None:
    rgb = stained(256, 512)
    slide = open_slide(spoiled(aperio(tmp_path, rgb), 0, 10))
    bad = Region(y=64, x=128, height=64, width=64)
    good = [
        tile
        for y in range(0, 256, 64)
        for x in range(0, 512, 64)
        if (tile := Region(y=y, x=x, height=64, width=64)) != bad
    ]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            failing = [pool.submit(slide.read, bad) for _ in range(4)]
            pixels = list(pool.map(slide.read, good))
            assert all(isinstance(job.exception(), UnreadableRegionError) for job in failing)
            for tile, read in zip(good, pixels, strict=True):
                np.testing.assert_array_equal(read, rgb[tile.slices])
