from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numcodecs import Blosc

from made_slides import ome_zarr, stained
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide
from ome_attributes import stored_again

RGB = stained(150, 230)
INSIDE = Region(y=37, x=61, height=99, width=151)
WHOLE = Region(y=0, x=0, height=150, width=230)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "yxc", "xyc", "xcy", "tczyx", "yzxtc"])
def test_axes_are_taken_from_the_metadata(axes: str, version: str, tmp_path: Path) -> None:
    slide = open_slide(ome_zarr(tmp_path, RGB, axes=axes, version=version))
    assert slide.um_per_px == (0.5, 0.5)
    assert [level.downsample for level in slide.levels] == [1, 2]
    np.testing.assert_array_equal(slide.read(INSIDE), RGB[INSIDE.slices])


def test_channels_shown_as_red_green_blue_are_rgb(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB, omero=["FF0000", "00FF00", "0000FF"])
    assert open_slide(path).shape == (150, 230)


def test_channels_shown_in_other_colours_are_fluorescence(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB, omero=["0000FF", "00FF00", "FF0000"])
    with pytest.raises(CannotOpenError, match=r"shown as 0000FF, .* \(fluorescence\)"):
        open_slide(path)


@pytest.mark.parametrize("listed", [True, False])
def test_the_first_image_of_a_bioformats2raw_folder(listed: bool, tmp_path: Path) -> None:
    image = ome_zarr(tmp_path, RGB)
    folder = tmp_path / "converted.zarr"
    root = zarr.open_group(str(folder), mode="w", zarr_format=3)
    root.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    if listed:
        root.create_group("OME").attrs["ome"] = {"version": "0.5", "series": ["first", "second"]}
    shutil.move(image, folder / ("first" if listed else "0"))
    np.testing.assert_array_equal(open_slide(folder).read(INSIDE), RGB[INSIDE.slices])


def test_labels_beside_the_image_change_nothing(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    before = open_slide(path)
    group = zarr.open_group(str(path), mode="a")
    labels = group.create_group("labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": ["fat"]}
    labels.create_group("fat").create_array("0", shape=(150, 230), dtype="u1")[:] = 1
    after = open_slide(path)
    assert (after.reader, after.fingerprint) == ("ome-zarr", before.fingerprint)
    np.testing.assert_array_equal(after.read(WHOLE), RGB)


SHARDED = {"chunks": (3, 32, 32), "shards": (3, 128, 128)}


@pytest.mark.parametrize(
    ("version", "options", "name"),
    [
        ("0.5", {"chunks": (3, 64, 64)}, "zstd"),
        ("0.5", {"chunks": (3, 64, 64), "compressors": None}, "none"),
        ("0.5", SHARDED, "zstd, sharded"),
        ("0.5", {**SHARDED, "compressors": None}, "none, sharded"),
        ("0.4", {"chunks": (3, 64, 64), "compressors": Blosc("lz4")}, "blosc lz4"),
        ("0.4", {"chunks": (3, 64, 64), "compressors": None}, "none"),
    ],
)
def test_the_compression_is_named(version: str, options: Any, name: str, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB, version=version)
    stored_again(path, **options)
    assert open_slide(path).compression == name


@pytest.mark.parametrize("version", ["v4", "v5"])
def test_the_real_image_of_three_channels(version: str, shared_data: Path) -> None:
    folder = shared_data / "slides/omezarr/fiji-java-testdata/3d_testing/xyc"
    path = folder / f"3d_dataset_{version}.ome.zarr"
    slide = open_slide(path)
    stored = zarr.open_array(str(path / "0"), mode="r")[:]
    whole = Region(y=0, x=0, height=64, width=64)
    np.testing.assert_array_equal(slide.read(whole), np.moveaxis(stored, 0, -1))
    assert slide.properties["ome-zarr.axes"] == "cyx"


@pytest.mark.parametrize("version", ["v4", "v5"])
def test_real_volumes_and_measurements_are_refused(version: str, shared_data: Path) -> None:
    folder = shared_data / "slides/omezarr"
    reasons = {
        f"fiji-java-testdata/pyramid_testing/pyramid_{version}.zarr": r"500 along z",
        f"fiji-java-testdata/5d_testing/5d_dataset_{version}.ome.zarr": r"4 along t, 16 along z",
        f"viv-ome-zarr/blobs_image_v0{version[1]}.ome.zarr": r"float64 pixels in 3 channels",
    }
    for name, reason in reasons.items():
        with pytest.raises(CannotOpenError, match=reason):
            open_slide(folder / name)


@pytest.mark.parametrize(
    ("dtype", "channels", "reason"),
    [
        ("u1", 1, "uint8 pixels in 1 channel,"),
        ("u1", 4, "uint8 pixels in 4 channels"),
        ("u2", 3, "uint16 pixels in 3 channels"),
        ("f4", 3, "float32 pixels in 3 channels"),
    ],
)
def test_other_pixels_are_refused(dtype: str, channels: int, reason: str, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    for name, shape in (("s0", (channels, 64, 64)), ("s1", (channels, 32, 32))):
        shutil.rmtree(path / name)
        zarr.open_group(str(path), mode="a").create_array(name, shape=shape, dtype=dtype)
    with pytest.raises(CannotOpenError, match=rf"{reason}.*Convert it to 8-bit RGB"):
        open_slide(path)
