"""Masks to files and back: OME-Zarr, PNG and outlines."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import napari_steatosis as st
from arrays import glass, slide_of
from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.core.geometry import Frame
from napari_steatosis.core.mask import Mask
from napari_steatosis.io._masks import open_mask_picture

SLIDE = slide_of(glass(600, 800))
OF = {"fingerprint": "array", "um_per_px": [0.5, 0.5], "origin_um": [0.0, 0.0]}
MADE = {"method": "find_tissue", "slide": OF}


def ring() -> Mask:
    values = np.zeros((75, 100), bool)
    values[10:40, 10:60] = True
    values[20:30, 20:30] = False
    values[22:26, 22:26] = True  # an island in the hole
    values[50:52, 70:72] = True
    values[52:54, 72:74] = True  # it touches the other at a corner
    return Mask(values, Frame((4.0, 4.0), (1.75, 1.75)), MADE)


def test_outlines_have_holes_islands_and_the_pixels_of_the_slide(tmp_path):
    (file,) = st.write(ring(), tmp_path / "mask.geojson")
    features = json.loads(file.read_text())["features"]
    assert len(features) == 4
    rings = sorted(len(one["geometry"]["coordinates"]) for one in features)
    assert rings == [1, 1, 1, 2]
    names = {one["properties"]["classification"]["name"] for one in features}
    assert names == {"Tissue"}
    (piece,) = [one for one in features if len(one["geometry"]["coordinates"]) == 2]
    outer = np.array(piece["geometry"]["coordinates"][0])
    assert outer.min(0).tolist() == [80.0, 80.0]
    assert outer.max(0).tolist() == [480.0, 320.0]  # x, y; a pixel of the mask is 8 px


def test_a_mask_without_its_slide_has_no_outlines_in_pixels(tmp_path):
    lost = Mask(ring().values, ring().frame)
    with pytest.raises(BadValueError, match="does not say which slide"):
        st.write(lost, tmp_path / "mask.geojson")
    assert not list(tmp_path.iterdir())


def test_a_mask_joins_an_image_as_labels(tmp_path):
    st.write(SLIDE, tmp_path / "slide.ome.zarr")
    st.write(ring(), tmp_path / "slide.ome.zarr")
    (labels,) = st.open_labels(tmp_path / "slide.ome.zarr")
    assert labels.name == "tissue"
    assert labels.frame == ring().frame
    assert np.array_equal(np.asarray(labels.levels[0][:]), ring().values)
    assert labels.properties[1]["made_by"] == MADE


def test_a_picture_is_black_and_white_and_says_where_it_lies(tmp_path):
    (file,) = st.write(ring(), tmp_path / "mask.png")
    with Image.open(file) as image:
        assert image.mode == "L"
        assert np.array_equal(np.asarray(image) == 255, ring().values)
    labels = open_mask_picture(file, SLIDE)
    assert labels.frame == ring().frame


def test_a_picture_of_another_program_is_spread_over_the_slide(tmp_path):
    Image.fromarray(np.eye(60, 80, dtype=np.uint8)).save(tmp_path / "other.png")
    labels = open_mask_picture(tmp_path / "other.png", SLIDE)
    assert labels.frame == SLIDE.frame().coarser(10.0)
    assert int(np.asarray(labels.levels[0]).sum()) == 60  # 1 is yes as 255 is


@pytest.mark.parametrize(
    ("pixels", "error", "said"),
    [
        (np.zeros((60, 60), np.uint8), BadValueError, "60 x 60 px, and array has 600 x 800"),
        (np.zeros((60, 80, 3), np.uint8), CannotOpenError, "pixels are RGB"),
    ],
)
def test_a_picture_that_cannot_be_the_mask_is_refused(pixels, error, said, tmp_path):
    Image.fromarray(pixels).save(tmp_path / "other.png")
    with pytest.raises(error, match=said):
        open_mask_picture(tmp_path / "other.png", SLIDE)


def test_what_is_no_picture_is_refused(tmp_path):
    (tmp_path / "no.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(CannotOpenError, match="cannot be read as a PNG"):
        open_mask_picture(tmp_path / "no.png", SLIDE)
    with pytest.raises(CannotOpenError, match="no such file"):
        open_mask_picture(tmp_path / "gone.png", SLIDE)
