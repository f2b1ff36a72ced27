from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from made_slides import ome_zarr, stained
from napari_steatosis.core.errors import CannotOpenError, UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide

RGB = stained(150, 230)
INSIDE = Region(y=37, x=61, height=99, width=151)
WHOLE = Region(y=0, x=0, height=150, width=230)


def changed(path: Path, change: Any) -> Path:
    """Edit the OME attributes of a 0.5 group."""
    file = path / "zarr.json"
    values = json.loads(file.read_text())
    change(values["attributes"]["ome"])
    file.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["cyx", "yxc", "tczyx"])
def test_axes_are_taken_from_the_metadata(axes: str, version: str, tmp_path: Path) -> None:
    slide = open_slide(ome_zarr(tmp_path, RGB, axes=axes, version=version))
    assert slide.um_per_px == (0.5, 0.5)
    assert [level.downsample for level in slide.levels] == [1, 2]
    np.testing.assert_array_equal(slide.read(INSIDE), RGB[INSIDE.slices])


@pytest.mark.parametrize(
    ("unit", "um_per_px"),
    [
        ("micrometer", 0.5),
        ("nanometer", None),
        ("millimeter", None),
        (None, None),
        ("furlong", None),
    ],
)
def test_a_scale_needs_a_unit_of_length(
    unit: str | None, um_per_px: float | None, tmp_path: Path
) -> None:
    slide = open_slide(ome_zarr(tmp_path, RGB, unit=unit))
    assert slide.um_per_px == (um_per_px and (um_per_px, um_per_px))
    if unit in ("nanometer", "millimeter"):
        assert "implausible" in slide.scale_source
    elif um_per_px is None:
        assert repr(unit) in slide.scale_source or "no unit" in slide.scale_source


def test_scales_of_the_dataset_and_of_the_image_multiply(tmp_path: Path) -> None:
    def halve(ome: dict[str, Any]) -> None:
        step = {"type": "scale", "scale": [1.0, 0.5, 0.25]}
        ome["multiscales"][0]["coordinateTransformations"] = [step]

    slide = open_slide(changed(ome_zarr(tmp_path, RGB), halve))
    assert slide.um_per_px == (0.25, 0.125)


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


@pytest.mark.parametrize("level", [0, 1])
def test_a_missing_chunk_is_an_error_not_a_black_square(level: int, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    chunk = path / f"s{level}" / "c" / "0" / "1" / "1"
    chunk.unlink()
    slide = open_slide(path)
    with pytest.raises(UnreadableRegionError, match=rf"chunk c/0/1/1 of level {level} is missing"):
        slide.read(Region(y=70, x=70, height=5, width=5), level)
    slide.read(Region(y=0, x=0, height=64, width=64), level)


def test_a_chunk_left_out_by_its_writer_is_white_where_white_is_the_fill_value(
    tmp_path: Path,
) -> None:
    path = ome_zarr(tmp_path, RGB)
    shutil.rmtree(path / "s0")
    group = zarr.open_group(str(path), mode="a")
    array = group.create_array(
        "s0", shape=(3, 150, 230), chunks=(3, 64, 64), dtype="u1", fill_value=255
    )
    white = RGB.copy()
    white[64:128, 64:128] = 255
    array[:] = white.transpose(2, 0, 1)
    assert not (path / "s0/c/0/1/1").exists()
    np.testing.assert_array_equal(open_slide(path).read(WHOLE), white)


def test_sharded_arrays_are_read(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    shutil.rmtree(path / "s0")
    group = zarr.open_group(str(path), mode="a")
    array = group.create_array(
        "s0", shape=(3, 150, 230), chunks=(3, 32, 32), shards=(3, 128, 128), dtype="u1"
    )
    array[:] = RGB.transpose(2, 0, 1)
    slide = open_slide(path)
    np.testing.assert_array_equal(slide.read(INSIDE), RGB[INSIDE.slices])
    (path / "s0/c/0/0/1").unlink()
    with pytest.raises(UnreadableRegionError, match="chunk c/0/0/1 of level 0 is missing"):
        slide.read(INSIDE)


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


REFUSED = {
    "label": (lambda ome: ome.update({"image-label": {}}), "a label image"),
    "plate": (lambda ome: ome.update({"plate": {}}), "a plate or well"),
    "no image": (lambda ome: ome.pop("multiscales"), "without the 'multiscales'"),
    "no axes": (lambda ome: ome["multiscales"][0].pop("axes"), "without the 'multiscales'"),
    "wrong axes": (
        lambda ome: ome["multiscales"][0].update(axes=[{"name": n} for n in "abc"]),
        "the axes a, b, c; y and x are needed",
    ),
    "lost level": (
        lambda ome: ome["multiscales"][0]["datasets"][1].update(path="gone"),
        "cannot be read",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_groups_that_are_no_image_are_refused(kind: str, tmp_path: Path) -> None:
    change, reason = REFUSED[kind]
    with pytest.raises(CannotOpenError, match=reason):
        open_slide(changed(ome_zarr(tmp_path, RGB), change))


def test_an_array_and_damaged_metadata_are_refused(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    with pytest.raises(CannotOpenError, match="open the OME-Zarr folder above it"):
        open_slide(path / "s0")
    (path / "zarr.json").write_text("{")
    with pytest.raises(CannotOpenError, match=r"its zarr\.json is damaged"):
        open_slide(path)
