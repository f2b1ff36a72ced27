"""A tissue mask from a file: as it was found, edited elsewhere, or of another slide."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from PIL import Image

import napari_steatosis as st
from discs import disc_slide
from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.mask import Mask
from napari_steatosis.pipelines.tissue import read_tissue


@pytest.fixture(scope="module")
def slide():
    return disc_slide()


@pytest.fixture(scope="module")
def mask(slide):
    return st.find_tissue(slide)


@pytest.mark.parametrize("name", ["mask.ome.zarr", "mask.png"])
def test_what_was_stored_is_read_back_as_it_was(name, slide, mask, tmp_path):
    st.write(mask, tmp_path / name)
    again = read_tissue(tmp_path / name, slide)
    assert np.array_equal(again.values, mask.values)
    assert again.frame == mask.frame
    assert again.provenance == mask.provenance


def test_outlines_give_the_same_area(slide, mask, tmp_path):
    st.write(mask, tmp_path / "mask.geojson.gz")
    again = read_tissue(tmp_path / "mask.geojson.gz", slide)
    assert again.area_mm2 == pytest.approx(mask.area_mm2, rel=0.01)


def test_an_edit_elsewhere_is_used_and_recorded(slide, mask, tmp_path):
    st.write(mask, tmp_path / "mask.ome.zarr")
    stored = zarr.open_array(str(tmp_path / "mask.ome.zarr/labels/tissue/0"))
    stored[:20] = 0
    again = read_tissue(tmp_path / "mask.ome.zarr", slide)
    assert not again.values[:20].any()
    assert np.array_equal(again.values[20:], mask.values[20:])
    assert again.provenance["of"] == mask.provenance


def test_a_folder_holds_one_per_slide(slide, mask, tmp_path):
    st.write(mask, tmp_path / "discs.png")
    assert read_tissue(tmp_path, slide).content == mask.content
    (tmp_path / "empty").mkdir()
    with pytest.raises(CannotOpenError, match=r"no tissue mask of discs.svs.*discs.ome.zarr"):
        read_tissue(tmp_path / "empty", slide)


def test_several_labels_are_asked_about(slide, tmp_path):
    frame = Frame((4.0, 4.0), (9.0, 9.0))
    for name in ("one", "two"):
        labels = st.LabelImage(name, [np.ones((9, 9), np.uint8)], frame)
        st.write(labels, tmp_path / "mask.ome.zarr")
    with pytest.raises(BadValueError, match="there are: one, two"):
        read_tissue(tmp_path / "mask.ome.zarr", slide)
    assert read_tissue(tmp_path / "mask.ome.zarr" / "labels" / "two", slide).values.all()


def test_given_tissue_is_the_denominator_and_found_tissue_changes_nothing(slide, mask):
    found = st.analyse(slide)
    given = st.analyse(slide, tissue=mask)
    assert given.provenance["digest"] == found.provenance["digest"]
    half = mask.values.copy()
    half[len(half) // 2 :] = False
    edited = Mask(half, mask.frame, {"method": "edited", "of": dict(mask.provenance)})
    report = st.analyse(slide, tissue=edited)
    assert report["tissue_area"].value == pytest.approx(edited.area_mm2, rel=0.02)
    assert "(here: tissue, as edited by hand)" in report["fat_area_fraction"].definition


def test_the_definition_names_what_parenchyma_leaves_out(slide, mask):
    tract = Mask(np.ones((20, 20), bool), Frame((8.0, 8.0), (200.0, 200.0)), {"method": "polygons"})
    left = st.parenchyma(mask, portal=tract, exclude=tract)
    report = st.analyse(slide, tissue=left)
    said = report["fat_area_fraction"].definition
    assert "(here: tissue less portal tracts and excluded regions)" in said
    within = report.provenance["within"]["made_by"]
    assert within["less"]["portal"]["removed_mm2"] > 0


def test_a_mask_of_another_slide_ends_the_run_before_it_begins(mask):
    with pytest.raises(BadValueError, match="another slide"):
        st.analyse(disc_slide(900, 700), tissue=mask)


def test_an_empty_picture_says_so(slide, tmp_path):
    Image.fromarray(np.zeros((90, 70), np.uint8)).save(tmp_path / "none.png")
    with pytest.raises(BadValueError, match="same shape"):
        read_tissue(tmp_path / "none.png", slide)
