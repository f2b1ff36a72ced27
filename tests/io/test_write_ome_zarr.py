from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import zarr
from ome_zarr_models.v04.image_label import ImageLabel

from class_maps import crowd, drawn, on_slide, prediction_of
from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.imaging import drawn_liver
from napari_steatosis.io import open_results, open_slide
from napari_steatosis.io.write import write
from napari_steatosis.io.write_slide import write_slide
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
    path = write_slide(drawn_liver(1100, 900, seed=2, glass=False), tmp_path / "slide.ome.zarr")
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


def test_what_cannot_hold_the_labels_is_refused(prediction, tmp_path):
    newer = tmp_path / "newer.zarr"
    zarr.open_group(newer, mode="w", zarr_format=3)
    with pytest.raises(BadValueError, match="zarr 3"):
        write(prediction, newer)
    (tmp_path / "file.zarr").touch()
    with pytest.raises(CannotOpenError, match="is a file"):
        write(prediction, tmp_path / "file.zarr")
