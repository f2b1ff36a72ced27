from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from made_slides import MAKERS, aperio, ome_zarr, png, stained
from napari_steatosis.core.errors import (
    CannotOpenError,
    MissingScaleError,
    UnknownNameError,
    UnreadableRegionError,
)
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import READERS, explain_open, open_slide


def test_a_missing_path_is_named() -> None:
    with pytest.raises(CannotOpenError, match=r"no/where\.svs: there is no such file or folder"):
        open_slide("no/where.svs")
    assert str(explain_open("no/where.svs")) == "no/where.svs: there is no such file or folder."


def test_a_refusal_names_the_file_each_reader_and_a_remedy(tmp_path: Path) -> None:
    text = tmp_path / "notes.svs"
    text.write_text("not a slide")
    with pytest.raises(CannotOpenError) as caught:
        open_slide(text)
    first, *reasons, remedy = str(caught.value).splitlines()
    assert str(text) in first
    assert [line.split(":")[0].strip() for line in reasons] == list(READERS)
    assert "copy it again" in remedy
    explained = explain_open(text)
    assert str(explained) == str(caught.value)
    assert [row["reader"] for row in explained.to_json()["refused"]] == list(READERS)


def test_an_empty_zarr_folder_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(CannotOpenError, match="an empty folder"):
        open_slide(tmp_path / "empty.zarr")


def test_a_folder_of_anything_is_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("hello")
    with pytest.raises(CannotOpenError, match=r"without zarr\.json or \.zattrs"):
        open_slide(tmp_path)


def test_a_reader_can_be_asked_for(tmp_path: Path) -> None:
    path = aperio(tmp_path, stained(64, 64))
    assert open_slide(path).reader == "openslide"
    assert open_slide(path, reader="tiff").reader == "tiff"
    with pytest.raises(CannotOpenError, match="picture: not a PNG") as caught:
        open_slide(path, reader="picture")
    assert "tiff:" not in str(caught.value)
    with pytest.raises(UnknownNameError, match="Did you mean 'openslide'"):
        open_slide(path, reader="openslid")


def test_a_given_pixel_size_replaces_the_stated_one(tmp_path: Path) -> None:
    path = aperio(tmp_path, stained(64, 64))
    stated, given = open_slide(path), open_slide(path, um_per_px=(0.3, 0.4))
    assert stated.um_per_px == (0.5, 0.5)
    assert given.um_per_px == (0.3, 0.4)
    assert given.scale_source.startswith("given, in place of 0.5 x 0.5 um")
    assert open_slide(path, um_per_px=0.3).um_per_px == (0.3, 0.3)


def test_explain_says_which_reader_and_the_pixel_size(tmp_path: Path) -> None:
    explained = explain_open(ome_zarr(tmp_path, stained(40, 60)))
    said = str(explained)
    assert "opens with the reader 'ome-zarr'" in said
    assert "40 x 60 px" in said
    assert "0.5 x 0.5 um (OME-Zarr scale)" in said
    assert "openslide: a folder without DICOM instances" in said
    values = json.loads(json.dumps(explained.to_json()))
    assert (values["height_px"], values["width_px"]) == (40, 60)
    assert values["um_per_px"] == [0.5, 0.5]
    assert values["reader"] == "ome-zarr"
    assert "unknown: a PNG picture" in str(explain_open(png(tmp_path, stained(40, 60))))
    assert "in place of 0.5" in str(explain_open(explained.path, um_per_px=0.25))
    both = explain_open(aperio(tmp_path, stained(64, 64)))
    assert both.others == ("tiff",)
    assert "tiff: opens it, too" in str(both)


def test_opening_imports_no_reader_before_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys, napari_steatosis.io\n"
        "print({'numpy', 'zarr', 'openslide', 'tifffile', 'PIL'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


OPENED = {
    "aperio/CMU-1-Small-Region.svs": ("openslide", (2967, 2220), (0.499, 0.499), 1),
    "aperio/TCGA-CR-7395-01A-01-TS1.svs": ("openslide", (3567, 4443), None, 2),
    "aperio/openslide-small.svs": ("openslide", (16, 16), (0.499, 0.499), 1),
    "dicom/CMU-1-Small-Region": ("openslide", (2967, 2220), (0.499, 0.499), 1),
    "dicom/boxes": ("openslide", (16, 16), (0.499, 0.499), 1),
    "dicom/highdicom/sm_image.dcm": ("openslide", (50, 50), (0.499, 0.499), 1),
    "ndpi/fluorescence-TRITC.ndpi": ("openslide", (4864, 3968), (0.22818, 0.22818), 7),
    "tiff/boxes.tiff": ("tiff", (250, 300), None, 4),
    "tiff/he-core.tif": ("tiff", (1484, 1380), (0.50008, 0.50008), 1),
    "tiff/he-section-pyramid.tiff": ("tiff", (5154, 5477), None, 5),
    "ometiff/cells.ome.tif": ("tiff", (131, 93), (0.25, 0.25), 1),
    "omezarr/fiji-java-testdata/3d_testing/xyc/3d_dataset_v4.ome.zarr": (
        "ome-zarr",
        (64, 64),
        None,
        2,
    ),
    "omezarr/fiji-java-testdata/3d_testing/xyc/3d_dataset_v5.ome.zarr": (
        "ome-zarr",
        (64, 64),
        None,
        2,
    ),
}


@pytest.mark.parametrize("name", OPENED)
def test_real_slides_open(shared_data: Path, name: str) -> None:
    reader, shape, um_per_px, stored = OPENED[name]
    slide = open_slide(shared_data / "slides" / name)
    assert (slide.reader, slide.shape) == (reader, shape)
    assert slide.um_per_px == (um_per_px and pytest.approx(um_per_px, rel=1e-3))
    assert sum(level.shrink == 1 for level in slide.levels) == stored
    for number, level in enumerate(slide.levels):
        corner = Region(
            y=max(0, level.height - 200), x=max(0, level.width - 200), height=200, width=200
        )
        assert slide.read(corner, number).shape == (200, 200, 3)
    for image in slide.associated:
        assert slide.source.associated(image).shape[2] == 3


GREY, PLANES = "uint8 pixels in 1 channel", "uint8 pixels in several planes"
REFUSED = {
    "aperio/broken.svs": "tiff: not a TIFF file",
    "dicom/highdicom": "3 DICOM slides; open one of them by its file: sm_image.dcm",
    "dicom/highdicom/sm_image_jpegls.dcm": r"Unsupported transfer syntax 1\.2\.840\.10008\.1\.2\.4",
    "dicom/pathml_small_dicom.dcm": "Couldn't get image flavor",
    "tiff/unopenable.tiff": "compression 52479 is not known",
    "ometiff/cells-2c.ome.tif": r"uint8 pixels .*2 along C",
    "ometiff/viv-multi-channel.ome.tif": r"int8 pixels .*3 along C",
    "omezarr/viv-ome-zarr/blobs_image_v04.ome.zarr": "float64 pixels in 3 channels",
    "omezarr/viv-ome-zarr/blobs_image_v05.ome.zarr": "float64 pixels in 3 channels",
    "omezarr/fiji-java-testdata/2d_testing/2d_dataset_v4.ome.zarr": GREY,
    "omezarr/fiji-java-testdata/2d_testing/2d_dataset_v5.ome.zarr": GREY,
    "omezarr/fiji-java-testdata/bioformats2raw_testing/bf2raw_dataset_v5.ome.zarr": GREY,
    "omezarr/fiji-java-testdata/single_resolution_testing/"
    "single_resolution_dataset_v5.ome.zarr": GREY,
    "omezarr/fiji-java-testdata/3d_testing/xyz/3d_dataset_v4.ome.zarr": PLANES,
    "omezarr/fiji-java-testdata/3d_testing/xyt/3d_dataset_v5.ome.zarr": PLANES,
    "omezarr/fiji-java-testdata/4d_testing/xyct/4d_dataset_v4.ome.zarr": PLANES,
    "omezarr/fiji-java-testdata/4d_testing/xyzc/4d_dataset_v5.ome.zarr": PLANES,
    "omezarr/fiji-java-testdata/5d_testing/5d_dataset_v5.ome.zarr": PLANES,
    "omezarr/fiji-java-testdata/pyramid_testing/pyramid_v4.zarr": PLANES,
    "omezarr/fiji-java-testdata/pyramid_testing/pyramid_v5.zarr": PLANES,
}


@pytest.mark.parametrize("name", REFUSED)
def test_real_files_that_are_no_stained_slide_are_refused(shared_data: Path, name: str) -> None:
    with pytest.raises(CannotOpenError, match=REFUSED[name]):
        open_slide(shared_data / "slides" / name)


def test_a_slide_whose_tiles_are_spoiled_says_so_every_time(shared_data: Path) -> None:
    slide = open_slide(shared_data / "slides/aperio/unreadable.svs")
    for _ in range(2):
        with pytest.raises(UnreadableRegionError, match=r"unreadable\.svs.*Bogus marker"):
            slide.read(Region(y=0, x=0, height=16, width=16))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("aperio/TCGA-CR-7395-01A-01-TS1.svs", "the file states no pixel size"),
        ("tiff/boxes.tiff", r"states 352\.8 um per pixel \(TIFF resolution tag\), .* implausible"),
        ("tiff/he-section-pyramid.tiff", "the file states no pixel size"),
        ("omezarr/fiji-java-testdata/3d_testing/xyc/3d_dataset_v5.ome.zarr", "with no unit"),
    ],
)
def test_an_unknown_pixel_size_is_asked_for(shared_data: Path, name: str, reason: str) -> None:
    slide = open_slide(shared_data / "slides" / name)
    with pytest.raises(MissingScaleError, match=rf"{reason}.*um_per_px=0\.25"):
        slide.frame()


GOOD = [name for name in OPENED if not name.startswith(("omezarr", "dicom"))]


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("name", GOOD)
def test_truncated_copies_never_give_other_pixels(
    shared_data: Path, tmp_path: Path, name: str, share: float
) -> None:
    origin = shared_data / "slides" / name
    copy = tmp_path / origin.name
    shutil.copyfile(origin, copy)
    os.truncate(copy, int(copy.stat().st_size * share))
    whole = Region(y=0, x=0, height=OPENED[name][1][0], width=OPENED[name][1][1])
    try:
        pixels, said = open_slide(copy).read(whole), ""
    except (CannotOpenError, UnreadableRegionError) as error:
        pixels, said = None, str(error)
    if pixels is None:
        assert str(copy) in said
    else:
        np.testing.assert_array_equal(pixels, open_slide(origin).read(whole))


@pytest.mark.parametrize("reader", list(MAKERS))
def test_a_slide_that_vanished_is_an_unreadable_region(reader: str, tmp_path: Path) -> None:
    path = MAKERS[reader](tmp_path, stained(64, 64))
    slide = open_slide(path)
    (shutil.rmtree if path.is_dir() else os.remove)(path)
    with pytest.raises(UnreadableRegionError, match="no longer there"):
        slide.read(Region(y=0, x=0, height=8, width=8))
