"""Class maps and labels as OME-Zarr, alone and in an image."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
from ome_zarr_models.v04.image_label import ImageLabel

from arrays import slide_of
from class_maps import crowd, drawn, on_slide, prediction_of
from made_slides import ome_zarr, stained
from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.label_image import LabelImage
from napari_steatosis.io import open_labels, open_results, open_slide
from napari_steatosis.io.write import write
from napari_steatosis.quantify import measure


@pytest.fixture(scope="module")
def prediction():
    return on_slide(drawn(1300, 2100, crowd(1300, 2100, 800)))


def test_a_group_of_labels_is_valid_and_holds_the_class_map(prediction, tmp_path):
    (made,) = write(prediction, tmp_path / "slide.zarr")
    assert made == tmp_path / "slide.zarr" / "labels" / "fat"
    assert zarr.open_group(made.parent, mode="r").attrs["labels"] == ["fat"]
    group = zarr.open_group(made, mode="r")
    model = ImageLabel.from_zarr(group)
    datasets = model.attributes.multiscales[0].datasets
    assert len(datasets) == 4
    fine = prediction.levels[0]
    for level, dataset in enumerate(datasets):
        step = 2**level
        assert np.array_equal(group[dataset.path][:], fine[::step, ::step])
        scale, translation = dataset.coordinateTransformations
        assert scale.scale == [0.5 * step, 0.5 * step]
        assert translation.translation[0] == pytest.approx(0.125 + 0.5 * (step - 1) / 2)
    assert group["0"].metadata.dimension_separator == "/"
    names = [dict(one)["class"] for one in model.attributes.image_label.properties]
    assert names == ["not analysed", "tissue", "fat"]
    assert "source" not in group.attrs["image-label"]


def test_what_was_written_can_be_opened_and_measured_again(prediction, tmp_path):
    prediction = replace(prediction, failed=("a tile",))
    write(prediction, tmp_path / "slide.ome.zarr")
    opened = open_results(tmp_path / "slide.ome.zarr", slide=prediction.slide)
    assert opened.frame == prediction.frame
    assert opened.failed == ("a tile",)
    one, other = measure(prediction), measure(opened)
    assert one.measurements == other.measurements


def test_labels_join_an_image_with_as_many_levels(tmp_path):
    (path,) = write(slide_of(stained(1100, 900)), tmp_path / "slide.ome.zarr")
    prediction = prediction_of(drawn(1100, 900, crowd(1100, 900, 200)))
    (made,) = write(prediction, path)
    image, label = zarr.open_group(path, mode="r"), zarr.open_group(made, mode="r")
    model = ImageLabel.from_zarr(label)
    levels = image.attrs["multiscales"][0]["datasets"]
    assert len(model.attributes.multiscales[0].datasets) == len(levels)
    assert label.attrs["image-label"]["source"] == {"image": "../../"}
    assert open_slide(path).shape == (1100, 900)
    write(replace(prediction, name="other"), path)
    assert zarr.open_group(made.parent, mode="r").attrs["labels"] == ["fat", "other"]


def test_a_label_image_is_replaced_only_on_demand(prediction, tmp_path):
    path = tmp_path / "slide.zarr"
    write(prediction, path)
    with pytest.raises(CannotOpenError, match="overwrite=True"):
        write(prediction, path)
    empty = replace(prediction, levels=[np.ones_like(prediction.levels[0])])
    write(empty, path, overwrite=True)
    assert open_results(path).levels[0][:].max() == 1
    assert [one.name for one in (path / "labels").iterdir() if one.is_dir()] == ["fat"]
    assert zarr.open_group(path / "labels", mode="r").attrs["labels"] == ["fat"]


VERSIONS = pytest.mark.parametrize("version", ["0.4", "0.5"])
NUCLEI = np.arange(900 * 1300, dtype=np.int32).reshape(900, 1300) // 700 * 3


def nuclei(values=NUCLEI, frame=None, **known):
    return LabelImage("nuclei", [values], frame, **known)


def valid(path, version, kind="image_label", model="ImageLabel"):
    module = import_module(f"ome_zarr_models.v{version.replace('.', '')}.{kind}")
    return getattr(module, model).from_zarr(zarr.open_group(path, mode="r"))


@VERSIONS
def test_a_class_map_comes_back_from_either_version(prediction, version, tmp_path):
    (made,) = write(prediction, tmp_path / "slide.zarr", version=version)
    valid(made, version)
    opened = open_results(tmp_path / "slide.zarr")
    assert np.array_equal(opened.levels[0][:], prediction.levels[0])
    assert (opened.frame, opened.classes) == (prediction.frame, prediction.classes)
    assert len(opened.levels) == 4
    (labels,) = open_labels(tmp_path / "slide.zarr")
    assert labels.frame == prediction.frame
    assert labels.properties[2] == {"class": "fat"}
    assert labels.colours[0] == (0, 0, 0, 0)


@VERSIONS
def test_labels_come_back_with_place_colours_and_properties(version, tmp_path):
    value = nuclei(
        frame=Frame((0.25, 0.5), (-7.0, 1e3)),
        colours={3: (1, 2, 3, 255), 9: (255, 0, 0, 128)},
        properties={np.int64(3): {"class": "hepatocyte", "area_um2": np.float32(1.5)}, 9: {"n": 2}},
    )
    (made,) = write(value, tmp_path / "slide.zarr", version=version)
    assert made == tmp_path / "slide.zarr" / "labels" / "nuclei"
    valid(made, version)
    valid(made.parent, version, "labels", "Labels")
    (opened,) = open_labels(tmp_path / "slide.zarr")
    assert (opened.name, opened.frame, opened.colours) == ("nuclei", value.frame, value.colours)
    assert opened.properties == {3: {"class": "hepatocyte", "area_um2": 1.5}, 9: {"n": 2}}
    for n, level in enumerate(opened.levels):
        assert level.dtype == np.int32
        assert np.array_equal(level[:], NUCLEI[:: 2**n, :: 2**n])
    assert opened.levels[-1].shape == (225, 325)
    array = zarr.open_array(made / "0", mode="r")
    assert (array.shards is None) == (version == "0.4")


@VERSIONS
def test_labels_of_one_version_have_no_key_of_the_other(version, tmp_path):
    (made,) = write(nuclei(), tmp_path / "slide.zarr", version=version)
    names = {one.name for one in tmp_path.rglob("*") if one.name.startswith((".z", "zarr"))}
    if version == "0.4":
        assert names == {".zgroup", ".zattrs", ".zarray"}
        assert json.loads((made.parent / ".zattrs").read_text()) == {"labels": ["nuclei"]}
        assert set(json.loads((made / ".zattrs").read_text())) == {"multiscales", "image-label"}
        return
    assert names == {"zarr.json"}
    listed = json.loads((made.parent / "zarr.json").read_text())["attributes"]
    assert listed == {"ome": {"version": "0.5", "labels": ["nuclei"]}}
    stated = json.loads((made / "zarr.json").read_text())["attributes"]
    assert set(stated) == {"ome"}
    assert set(stated["ome"]) == {"version", "multiscales", "image-label"}
    assert "version" not in {*stated["ome"]["multiscales"][0], *stated["ome"]["image-label"]}


@VERSIONS
def test_ome_zarr_py_finds_the_labels_of_an_image(version, tmp_path):
    (path,) = write(
        slide_of(stained(900, 1300), 0.25), tmp_path / "slide.ome.zarr", version=version
    )
    value = nuclei(
        frame=Frame((0.25, 0.25)), colours={3: (255, 0, 0, 255)}, properties={6: {"n": 1}}
    )
    (made,) = write(value, path, version=version)
    valid(made, version)
    valid(path, version, "image", "Image")
    image, _, label = Reader(parse_url(path))()
    assert len(image.data) == len(label.data) == 3
    assert np.array_equal(label.data[0].compute(), NUCLEI)
    assert label.metadata["color"][3] == [1, 0, 0, 1]
    assert label.metadata["properties"][6] == {"n": 1}
    (opened,) = open_labels(path)
    assert opened.colours == {3: (255, 0, 0, 255)}
    assert opened.properties[6] == {"n": 1}


@pytest.mark.parametrize(
    ("values", "stored"),
    [
        (np.array([[0, 255]], np.int64), "uint8"),
        (np.array([[0, 256]], np.uint64), "uint16"),
        (np.array([[-1, 127]], np.int64), "int8"),
        (np.array([[-1, 128]], np.int64), "int16"),
        (np.array([[0, 2**63 + 1]], np.uint64), "uint64"),
        (np.array([[-(2**40), 2**40]], np.int64), "int64"),
        (np.array([[0, 1]], ">u4"), "uint32"),
        (np.array([[False, True]]), "uint8"),
        (np.array([[0, 1]], np.int16), "int16"),
    ],
)
@VERSIONS
def test_the_type_of_labels_holds_every_value(values, stored, version, tmp_path):
    write(nuclei(values), tmp_path / "slide.zarr", version=version)
    (opened,) = open_labels(tmp_path / "slide.zarr")
    assert opened.levels[0].dtype == stored
    assert np.array_equal(opened.levels[0][:], values)
    assert (opened.frame, opened.colours, opened.properties) == (None, {}, {})


def test_labels_without_a_pixel_size_take_that_of_the_image_they_cover(tmp_path):
    slide = replace(slide_of(stained(900, 1300), 0.25), origin_um=(5.0, 6.0))
    (path,) = write(slide, tmp_path / "slide.ome.zarr")
    write(nuclei(), path)
    assert open_labels(path)[0].frame == Frame((0.25, 0.25), (5.0, 6.0))
    with pytest.raises(BadValueError, match="where they lie on it is unknown"):
        write(replace(nuclei(NUCLEI[::2]), name="half"), path)
    (path,) = write(slide_of(stained(900, 1300), None), tmp_path / "unknown.ome.zarr")
    write(nuclei(), path)
    assert open_labels(path)[0].frame is None


def test_labels_join_images_of_others_and_their_first_series(tmp_path):
    path = ome_zarr(tmp_path, stained(900, 1300), version="0.4")
    count = len(zarr.open_group(path, mode="r").attrs["multiscales"][0]["datasets"])
    (made,) = write(nuclei(frame=Frame((0.5, 0.5))), path)
    assert len(list(zarr.open_group(made, mode="r").arrays())) == count
    root = zarr.open_group(tmp_path / "raw.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    path.rename(tmp_path / "raw.zarr" / "0")
    (made,) = write(nuclei(frame=Frame((0.5, 0.5))), tmp_path / "raw.zarr", overwrite=True)
    assert made == tmp_path / "raw.zarr/0/labels/nuclei"
    assert len(open_labels(tmp_path / "raw.zarr")) == 1


@pytest.mark.parametrize(("image", "labels"), [("0.4", "0.5"), ("0.5", "0.4")])
def test_labels_of_another_version_than_the_image_are_refused(image, labels, tmp_path):
    (path,) = write(slide_of(stained(40, 50)), tmp_path / "slide.ome.zarr", version=image)
    before = sorted(path.rglob("*"))
    with pytest.raises(BadValueError, match=f"is OME-Zarr {image}, .* not {labels}"):
        write(nuclei(frame=Frame((0.5, 0.5))), path, version=labels)
    assert sorted(path.rglob("*")) == before


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (nuclei(np.ones((4, 4)) / 2), "whole numbers, but 'nuclei' holds float64"),
        (nuclei(np.ones((2, 4, 4), int)), "one plane"),
        (nuclei(np.ones((0, 4), int)), "one plane"),
        (replace(nuclei(), name="../up"), "becomes a folder"),
        (replace(nuclei(), name=""), "becomes a folder"),
        (nuclei(colours={1: (0, 0, 256, 0)}), "each from 0 to 255"),
        (nuclei(properties={1: {"area": float("nan")}}), "finite numbers"),
        (nuclei(properties={1: {"outline": np.zeros((3, 2))}}), "cannot be stored"),
    ],
)
def test_labels_that_cannot_be_stored_are_refused(labels, said, tmp_path):
    with pytest.raises(BadValueError, match=said):
        write(labels, tmp_path / "slide.zarr")
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == []


def test_what_cannot_hold_the_labels_is_refused(prediction, tmp_path):
    newer = tmp_path / "newer.zarr"
    zarr.open_group(newer, mode="w", zarr_format=3)
    with pytest.raises(BadValueError, match=r"is OME-Zarr 0\.5"):
        write(prediction, newer)
    (tmp_path / "file.zarr").touch()
    with pytest.raises(CannotOpenError, match="is a file"):
        write(prediction, tmp_path / "file.zarr")
    (tmp_path / "other.zarr").mkdir()
    (tmp_path / "other.zarr" / "letter.txt").touch()
    with pytest.raises(BadValueError, match=r"other contents \(letter\.txt\)"):
        write(prediction, tmp_path / "other.zarr")
    damaged = zarr.open_group(tmp_path / "damaged.zarr", mode="w", zarr_format=2)
    damaged.attrs["multiscales"] = [{"axes": "?"}]
    with pytest.raises(CannotOpenError, match=r"damaged\.zarr cannot take labels"):
        write(prediction, tmp_path / "damaged.zarr")
