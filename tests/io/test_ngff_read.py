from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from ome_zarr.format import FormatV04, FormatV05
from ome_zarr.writer import write_image

from made_slides import ome_zarr, stained
from napari_steatosis.core.errors import CannotOpenError
from napari_steatosis.core.geometry import Region
from napari_steatosis.io import open_slide
from ome_attributes import changed

RGB = stained(150, 230)
INSIDE = Region(y=37, x=61, height=99, width=151)
WHOLE = Region(y=0, x=0, height=150, width=230)


def moved(path: Path, *places: tuple[float, float] | None) -> Path:
    """State where the first pixel of each level lies, y and x."""

    def change(ome: dict[str, Any]) -> None:
        for item, place in zip(ome["multiscales"][0]["datasets"], places, strict=True):
            if place is not None:
                step = {"type": "translation", "translation": [0, *place]}
                item["coordinateTransformations"].append(step)

    return changed(path, change)


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


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_the_slide_lies_where_level_0_is_placed(version: str, tmp_path: Path) -> None:
    def nanometres(ome: dict[str, Any]) -> None:
        image = ome["multiscales"][0]
        for axis in image["axes"][1:]:
            axis["unit"] = "nanometer"
        image["datasets"].pop()
        image["datasets"][0]["coordinateTransformations"] = [
            {"type": "scale", "scale": [1, 100, 200]},
            {"type": "translation", "translation": [0, 3000, -50]},
        ]
        image["coordinateTransformations"] = [
            {"type": "scale", "scale": [1, 4, 2]},
            {"type": "translation", "translation": [0, 1000, 0]},
        ]

    slide = open_slide(changed(ome_zarr(tmp_path, RGB, version=version), nanometres))
    assert slide.um_per_px == (0.4, 0.4)
    assert slide.origin_um == (13.0, -0.1)
    assert slide.frame().origin_um == slide.origin_um


def test_a_place_without_a_unit_is_no_place(tmp_path: Path) -> None:
    slide = open_slide(moved(ome_zarr(tmp_path, RGB, unit=None), (5, 7), None))
    assert (slide.um_per_px, slide.origin_um) == (None, (0, 0))


@pytest.mark.parametrize("second", [None, (5, 7), (5.25, 7.25), (5.5, 6.75)])
def test_a_level_is_used_that_is_at_most_half_its_pixel_off(second: Any, tmp_path: Path) -> None:
    slide = open_slide(moved(ome_zarr(tmp_path, RGB), (5, 7), second))
    assert slide.source.datasets == ("s0", "s1")
    assert slide.origin_um == (5, 7)
    assert "ome-zarr.left-out" not in slide.properties


@pytest.mark.parametrize("second", [(0.0, 0.0), (5.25, 8.0), (5.25, 7.76)])
def test_a_level_with_another_place_is_left_out(second: Any, tmp_path: Path) -> None:
    slide = open_slide(moved(ome_zarr(tmp_path, RGB), (5, 7), second))
    assert slide.source.datasets == ("s0",)
    assert slide.properties["ome-zarr.left-out"].startswith("s1: it states a place that is")


def test_a_level_whose_scale_contradicts_its_shape_is_replaced(tmp_path: Path) -> None:
    rgb = stained(1500, 1100)

    def state_3(ome: dict[str, Any]) -> None:
        step = {"type": "scale", "scale": [1, 1.5, 1.5]}
        ome["multiscales"][0]["datasets"][1]["coordinateTransformations"] = [step]

    slide = open_slide(changed(ome_zarr(tmp_path, rgb), state_3))
    assert "s1: it states pixels 3 times as large" in slide.properties["ome-zarr.left-out"]
    assert [(level.stored, level.shrink) for level in slide.levels] == [(0, 1), (0, 2)]
    mean = rgb[:2, :2].astype(float).mean((0, 1))
    assert np.abs(slide.read(Region(y=0, x=0, height=1, width=1), 1)[0, 0] - mean).max() <= 0.5


def test_levels_in_the_wrong_order_are_sorted(tmp_path: Path) -> None:
    path = changed(ome_zarr(tmp_path, RGB), lambda ome: ome["multiscales"][0]["datasets"].reverse())
    slide = open_slide(path)
    assert (slide.shape, slide.source.datasets) == ((150, 230), ("s0", "s1"))


def in_06(ome: dict[str, Any]) -> None:
    image = ome["multiscales"][0]
    axes = image.pop("axes")
    ome["version"] = "0.6"
    image["coordinateSystems"] = [
        {"name": "stage", "axes": axes},
        {"name": "intrinsic", "axes": axes},
    ]
    for item in image["datasets"]:
        ends = {"input": {"path": item["path"]}, "output": {"name": "intrinsic"}}
        place = {"type": "translation", "translation": [0, 5, 7]}
        steps = [*item["coordinateTransformations"], place]
        one = {"type": "sequence", "transformations": steps, **ends}
        item["coordinateTransformations"] = [one]
    stage = {"input": {"name": "intrinsic"}, "output": {"name": "stage"}}
    image["coordinateTransformations"] = [{"type": "affine", "affine": [[1]], **stage}]


def test_coordinate_systems_of_0_6(tmp_path: Path) -> None:
    slide = open_slide(changed(ome_zarr(tmp_path, RGB), in_06))
    assert (slide.um_per_px, slide.origin_um) == ((0.5, 0.5), (5, 7))
    assert slide.source.datasets == ("s0", "s1")
    np.testing.assert_array_equal(slide.read(INSIDE), RGB[INSIDE.slices])


def test_axes_in_plain_strings_of_0_3(tmp_path: Path) -> None:
    def in_03(ome: dict[str, Any]) -> None:
        image = ome["multiscales"][0]
        image["axes"] = ["c", "y", "x"]
        for item in image["datasets"]:
            del item["coordinateTransformations"]

    slide = open_slide(changed(ome_zarr(tmp_path, RGB, version="0.4"), in_03))
    assert (slide.um_per_px, slide.scale_source) == (None, "the file states no pixel size")
    assert [level.downsample for level in slide.levels] == [1, 2]


@pytest.mark.filterwarnings("ignore:Scale value not provided")
@pytest.mark.parametrize("fmt", [FormatV04(), FormatV05()], ids=["0.4", "0.5"])
def test_a_slide_written_by_ome_zarr_py(fmt: Any, tmp_path: Path) -> None:
    rgb = stained(700, 900)
    group = zarr.open_group(tmp_path / "s.zarr", mode="w", zarr_format=fmt.zarr_format)
    units = {"y": "nanometer", "x": "micrometer"}
    options = {"chunks": (3, 100, 100)}
    if fmt.zarr_format == 3:
        options["shards"] = (3, 200, 200)
    sizes = {"scale": {"y": 250.0, "x": 0.5}, "axes_units": units, "storage_options": options}
    write_image(
        rgb.transpose(2, 0, 1), group, axes="cyx", fmt=fmt, scale_factors=(2, 4, 8), **sizes
    )
    slide = open_slide(tmp_path / "s.zarr")
    assert (slide.um_per_px, slide.origin_um) == ((0.25, 0.5), (0, 0))
    # It squeezes 700 px into 87, so a pixel is 8.04 of level 0, and it says so.
    assert [level.downsample for level in slide.levels] == [
        1,
        2,
        4,
        pytest.approx(8.041, abs=1e-3),
    ]
    assert "ome-zarr.left-out" not in slide.properties
    assert slide.compression.endswith("sharded") == (fmt.zarr_format == 3)
    np.testing.assert_array_equal(slide.read(INSIDE), rgb[INSIDE.slices])


def steps_of(ome: dict[str, Any]) -> list[Any]:
    steps: list[Any] = ome["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    return steps


REFUSED: dict[str, tuple[Any, str]] = {
    "label": (lambda ome: ome.update({"image-label": {}}), "a label image"),
    "plate": (lambda ome: ome.update({"plate": {}}), "a plate or well"),
    "no image": (lambda ome: ome.pop("multiscales"), "without the 'multiscales'"),
    "no axes": (lambda ome: ome["multiscales"][0].pop("axes"), "without the 'multiscales'"),
    "wrong axes": (
        lambda ome: ome["multiscales"][0].update(axes=[{"name": n} for n in "abc"]),
        "the axes a, b, c; y and x are needed",
    ),
    "two letters twice": (
        lambda ome: ome["multiscales"][0].update(axes=["y", "x", "x"]),
        "the axes y, x, x; y and x are needed",
    ),
    "fewer axes": (
        lambda ome: ome["multiscales"][0].update(axes=["y", "x"]),
        "a scale of 3 numbers for 2 axes",
    ),
    "a turn": (
        lambda ome: steps_of(ome).append({"type": "rotation", "rotation": []}),
        "a transformation of type 'rotation'",
    ),
    "scale in a file": (
        lambda ome: steps_of(ome).append({"type": "scale", "path": "sizes"}),
        "only scale and translation in numbers",
    ),
    "no number": (lambda ome: steps_of(ome)[0].update(scale=[1, float("nan"), 1]), "the scale nan"),
    "mirrored": (lambda ome: steps_of(ome)[0].update(scale=[1, -0.5, 0.5]), "the scale -0.5"),
    "steps in a dict": (lambda ome: steps_of(ome).__setitem__(0, [1]), "cannot be read"),
    "level outside": (
        lambda ome: ome["multiscales"][0]["datasets"][1].update(path="../slide.ome.zarr/../s0"),
        "lies outside the OME-Zarr",
    ),
    "level elsewhere": (
        lambda ome: ome["multiscales"][0]["datasets"][1].update(path="/tmp"),
        "lies outside the OME-Zarr",
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
    (path / "zarr.json").write_text("[" * 100_000)
    with pytest.raises(CannotOpenError, match=r"its zarr\.json is damaged"):
        open_slide(path)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    shutil.move(path / "s1", tmp_path / "elsewhere")
    (path / "s1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotOpenError, match="'s1', which lies outside"):
        open_slide(path)


def in_chunks(sides: list[int]) -> dict[str, Any]:
    return {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": sides}}}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"shape": [3, 2**31, 2**31]}, "an array of 3 x 2147483648 x 2147483648 px"),
        ({"shape": [3, 0, 0]}, "an array of 3 x 0 x 0 px"),
        ({"shape": [3, -150, 230]}, "cannot be read"),
        ({"shape": [3, 150]}, "2 dimensions with the axes 'cyx'|cannot be read"),
        (in_chunks([3, 2**31, 9]), "GiB"),
        (in_chunks([3, 0, 9]), "3 x 0 x 9"),
        ({"codecs": {}}, "cannot be read"),
    ],
)
def test_arrays_that_cannot_be_are_refused(change: Any, reason: str, tmp_path: Path) -> None:
    path = ome_zarr(tmp_path, RGB)
    file = path / "s0" / "zarr.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(CannotOpenError, match=reason):
        open_slide(path)


@pytest.mark.parametrize(
    "sizes", [[3, True, 64], [3, 64.0, 64], [3, -1, 64], "64", None, [0, 0, 0]]
)
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_chunk_sizes_that_newer_zarr_would_guess_are_refused(
    sizes: Any, version: str, tmp_path: Path
) -> None:
    path = ome_zarr(tmp_path, RGB, version=version)
    file = path / "s0" / ("zarr.json" if version == "0.5" else ".zarray")
    stored = json.loads(file.read_text())
    if version == "0.5":
        stored["chunk_grid"]["configuration"]["chunk_shape"] = sizes
    else:
        stored["chunks"] = sizes
    file.write_text(json.dumps(stored))
    with pytest.raises(CannotOpenError, match="states chunks of"):
        open_slide(path)
