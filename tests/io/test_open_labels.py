from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr.format import FormatV04, FormatV05
from ome_zarr.writer import write_image, write_labels

from made_slides import ome_zarr, stained
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.label_image import LabelImage
from napari_steatosis.io import open_labels

CELLS = (np.arange(40 * 60).reshape(40, 60) // 97).astype(np.int32)
ABOUT = {
    "colors": [{"label-value": 3, "rgba": [255, 0, 9, 128]}, {"label-value": 4}],
    "properties": [{"label-value": 3, "class": "fat", "area": 12.5}],
}
FORMATS = pytest.mark.parametrize("version", ["0.4", "0.5"])


def attributes(group: zarr.Group, version: str, values: dict[str, Any]) -> None:
    group.attrs.update({"ome": {"version": version, **values}} if version == "0.5" else values)


def label_image(
    folder: Path,
    pixels: Any = CELLS,
    *,
    axes: str = "yx",
    version: str = "0.5",
    unit: str | None = "micrometer",
    name: str = "cells",
    **about: Any,
) -> Path:
    """Labels of two levels, 0.5 um/px, whose first pixel lies at 10, 20 um."""
    zarr_format = 3 if version == "0.5" else 2
    group = zarr.open_group(folder / "labels" / name, mode="w", zarr_format=zarr_format)
    datasets = []
    for level in range(2):
        plane = pixels[:: 2**level, :: 2**level]
        sides = dict(zip("yx", plane.shape, strict=True))
        stored = plane if axes.index("y") < axes.index("x") else plane.T
        stored = stored.reshape([sides.get(axis, 1) for axis in axes])
        chunks = tuple(min(side, 16) for side in stored.shape)
        kind = {"shape": stored.shape, "chunks": chunks, "dtype": stored.dtype}
        group.create_array(str(level), **kind)[...] = stored
        steps = [
            {"type": "scale", "scale": [0.5 * 2**level if a in "yx" else 1 for a in axes]},
            {"type": "translation", "translation": [{"y": 10, "x": 20}.get(a, 0) for a in axes]},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": steps})
    named: list[dict[str, str]] = [{"name": axis, "type": "space"} for axis in axes]
    for axis in named:
        axis |= {"unit": unit} if unit else {}
    multiscales = [{"axes": named, "datasets": datasets}]
    attributes(group, version, {"multiscales": multiscales, "image-label": about})
    return folder


def listed(folder: Path, names: Any, version: str = "0.5") -> Path:
    """Put the names on the list of the folder's labels."""
    kind = 3 if version == "0.5" else 2
    group = zarr.open_group(folder / "labels", mode="a", zarr_format=kind)
    attributes(group, version, {"labels": names})
    return folder


def one(path: Path) -> LabelImage:
    (found,) = open_labels(path)
    return found


@FORMATS
def test_labels_have_a_place_colours_and_properties(version: str, tmp_path: Path) -> None:
    image = ome_zarr(tmp_path, stained(40, 60), version=version)
    label_image(image, version=version, **ABOUT)
    cells = one(listed(image, ["cells"], version))
    assert (cells.name, cells.shape) == ("cells", (40, 60))
    assert cells.frame == Frame((0.5, 0.5), (10, 20))
    assert cells.colours == {3: (255, 0, 9, 128)}
    assert cells.properties == {3: {"class": "fat", "area": 12.5}}
    np.testing.assert_array_equal(cells.levels[0][:], CELLS)
    np.testing.assert_array_equal(cells.levels[1][:], CELLS[::2, ::2])


@pytest.mark.parametrize("fmt", [FormatV04(), FormatV05()], ids=["0.4", "0.5"])
@pytest.mark.filterwarnings("ignore:Scale value not provided")
def test_labels_written_by_ome_zarr_py(fmt: Any, tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "s.zarr", mode="w", zarr_format=fmt.zarr_format)
    units = {"y": "nanometer", "x": "nanometer"}
    sizes = {"scale": {"y": 250.0, "x": 500.0}, "axes_units": units, "scale_factors": (2, 4)}
    write_image(stained(230, 150).transpose(2, 0, 1), group, axes="cyx", fmt=fmt, **sizes)
    pixels = np.arange(230 * 150, dtype=np.uint16).reshape(230, 150) // 700
    about = {"label_metadata": dict(ABOUT), "scaler": None}
    write_labels(pixels, group, "fat", axes="yx", fmt=fmt, **about, **sizes)
    fat = one(tmp_path / "s.zarr")
    assert (fat.name, len(fat.levels)) == ("fat", 3)
    assert fat.frame == Frame((0.25, 0.5), (0, 0))
    assert fat.colours == {3: (255, 0, 9, 128)}
    np.testing.assert_array_equal(fat.levels[0][:], pixels)


@FORMATS
@pytest.mark.parametrize("axes", ["xy", "zyx", "tczyx", "yxc", "xzy"])
def test_axes_of_any_order_read_as_rows_and_columns(
    axes: str, version: str, tmp_path: Path
) -> None:
    cells = one(label_image(tmp_path, axes=axes, version=version))
    assert (cells.shape, cells.frame) == ((40, 60), Frame((0.5, 0.5), (10, 20)))
    fine: Any = cells.levels[0]
    assert (fine.ndim, fine.size, fine.dtype) == (2, 2400, np.int32)
    for key in (
        np.s_[:],
        np.s_[...],
        np.s_[3:30, 7:9],
        np.s_[5],
        np.s_[5, 6],
        np.s_[-1, ...],
        np.s_[..., 6],
        np.s_[:, 6],
        np.s_[::3, 1:40:2],
        (slice(2, 4), np.int64(7)),
    ):
        np.testing.assert_array_equal(fine[key], CELLS[key], err_msg=str(key))
    np.testing.assert_array_equal(np.asarray(fine), CELLS)
    for wrong in ([1, 2], (np.array([1, 2]), 3), np.s_[0, 0, 0], np.s_[..., ...], None):
        with pytest.raises(IndexError, match="integers and slices"):
            fine[wrong]


@pytest.mark.parametrize("dtype", ["bool", "u1", "i1", "u2", ">i4", "u4", "i8", "u8"])
def test_whole_numbers_of_every_width(dtype: str, tmp_path: Path) -> None:
    cells = one(label_image(tmp_path, CELLS.astype(dtype)))
    got = np.asarray(cells.levels[0])
    assert got.dtype.kind in "iu"
    np.testing.assert_array_equal(got, CELLS.astype(dtype))


def test_what_is_not_stored_is_background(tmp_path: Path) -> None:
    path = label_image(tmp_path)
    (path / "labels/cells/0/c/0/1").unlink()
    fine = np.asarray(one(path).levels[0])
    assert not fine[:16, 16:32].any()
    np.testing.assert_array_equal(fine[16:], CELLS[16:])


def test_listed_labels_come_first_and_forgotten_ones_are_found(tmp_path: Path) -> None:
    for name in ("a", "b", "nested/c", ".begun"):
        label_image(tmp_path, name=name)
    (tmp_path / "labels" / "notes").mkdir()
    listed(tmp_path, ["nested/c", "b"])
    assert [label.name for label in open_labels(tmp_path)] == ["nested/c", "b", "a"]
    assert [label.name for label in open_labels(tmp_path / "labels")] == ["nested/c", "b", "a"]
    assert one(tmp_path / "labels" / "b").name == "b"


def test_labels_of_the_first_image_of_a_bioformats2raw_folder(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "two.zarr", mode="w", zarr_format=3)
    root.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    shutil.move(ome_zarr(tmp_path, stained(40, 60)), tmp_path / "two.zarr" / "0")
    assert open_labels(tmp_path / "two.zarr") == ()
    label_image(tmp_path / "two.zarr" / "0")
    assert one(tmp_path / "two.zarr").name == "cells"


def test_without_a_unit_labels_need_the_pixels_of_their_image(tmp_path: Path) -> None:
    image = ome_zarr(tmp_path, stained(40, 60))
    label_image(image, unit=None)
    assert one(image).frame is None
    label_image(image, CELLS[:20, :30], unit=None)
    for path in (image, image / "labels" / "cells"):
        with pytest.raises(CannotOpenError, match=r"20 x 30 px .* its image has 40 x 60 px"):
            open_labels(path)


def test_an_image_without_labels_has_none(tmp_path: Path) -> None:
    assert open_labels(ome_zarr(tmp_path, stained(40, 60))) == ()


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["cells", "gone", "lost"], "labels gone, lost are listed but not there"),
        (["../../other"], "'../../other', which lies outside"),
        (["/tmp"], "'/tmp', which lies outside"),
        (["linked"], "'linked', which lies outside"),
        ([["cells"]], "where a path is expected"),
        ({"cells": 1}, "the list of its labels is"),
    ],
)
def test_lists_that_lead_nowhere_or_outside(names: Any, reason: str, tmp_path: Path) -> None:
    label_image(tmp_path / "other", name="outside")
    path = label_image(tmp_path / "slide.zarr")
    if names == ["linked"]:
        (path / "labels" / "linked").symlink_to(tmp_path / "other" / "labels" / "outside")
    with pytest.raises(CannotOpenError, match=reason) as caught:
        open_labels(listed(path, names))
    assert str(path) in str(caught.value)


def test_a_forgotten_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    label_image(tmp_path / "other", name="outside")
    path = label_image(tmp_path / "slide.zarr")
    (path / "labels" / "linked").symlink_to(tmp_path / "other" / "labels" / "outside")
    with pytest.raises(CannotOpenError, match="'linked', which lies outside"):
        open_labels(path)


def test_probabilities_and_volumes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotOpenError, match=r"'cells': it holds float32 pixels.*threshold"):
        open_labels(label_image(tmp_path, CELLS.astype(np.float32)))
    path = label_image(tmp_path, axes="zyx")
    zarr.open_group(path / "labels/cells", mode="a").create_array(
        "0", shape=(7, 40, 60), dtype="i4", overwrite=True
    )
    with pytest.raises(CannotOpenError, match="several planes \\(7 along z\\)"):
        open_labels(path)


@pytest.mark.parametrize("kind", ["nothing", "file", "empty"])
def test_other_paths_are_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / kind
    if kind == "file":
        path.write_text("no labels")
    elif kind == "empty":
        path.mkdir()
    reasons = {"nothing": "no such file", "file": "not a folder", "empty": "neither an OME-Zarr"}
    with pytest.raises(CannotOpenError, match=reasons[kind]):
        open_labels(path)


BROKEN: dict[str, Any] = {
    "colours in a dict": {"image-label": {"colors": {"3": [1, 2, 3, 4]}}},
    "colour of three": {"image-label": {"colors": [{"label-value": 3, "rgba": [1, 2, 3]}]}},
    "colour too bright": {"image-label": {"colors": [{"label-value": 3, "rgba": [1, 2, 3, 999]}]}},
    "half a label": {"image-label": {"properties": [{"label-value": 3.5}]}},
    "no label value": {"image-label": {"properties": [{"class": "fat"}]}},
    "no labels at all": {"image-label": [1, 2]},
    "multiscales in a dict": {"multiscales": {"datasets": []}},
    "no levels": {"multiscales": [{"axes": ["y", "x"], "datasets": []}]},
    "path outside": {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "../.."}]}]},
    "lost level": {"multiscales": [{"axes": ["y", "x"], "datasets": [{"path": "9"}]}]},
    "too many axes": {"multiscales": [{"axes": ["z", "y", "x"], "datasets": [{"path": "0"}]}]},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_damaged_metadata_is_one_kind_of_error(kind: str, tmp_path: Path) -> None:
    path = label_image(tmp_path)
    file = path / "labels/cells/zarr.json"
    values = json.loads(file.read_text())
    values["attributes"]["ome"] |= BROKEN[kind]
    file.write_text(json.dumps(values))
    with pytest.raises(CannotOpenError, match="label image 'cells'"):
        open_labels(path)


def test_metadata_nested_without_end_is_an_error(tmp_path: Path) -> None:
    path = label_image(tmp_path)
    (path / "labels/cells/zarr.json").write_text("[" * 100_000)
    with pytest.raises(CannotOpenError, match=r"zarr\.json is damaged"):
        open_labels(path)
