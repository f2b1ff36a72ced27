"""A prediction within regions: the same pixels as masked by hand, read at every level."""

from __future__ import annotations

import numpy as np
import pytest

import napari_steatosis as st
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.mask import Mask
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.quantify import prediction_within

FRAME = Frame((0.5, 0.5), (10.0, -4.0))


@pytest.fixture
def whole():
    classes = np.random.default_rng(0).integers(0, 3, (203, 301)).astype(np.uint8)
    levels = [classes, classes[::2, ::2], classes[::4, ::4]]
    return Prediction("fat", levels, ("tissue", "fat"), FRAME, {"digest": "a", "content": "b"})


def drawn(y: float, x: float, side: float):
    corners = [(y, x), (y, x + side), (y + side, x + side), (y + side, x)]
    return st.mask_of_polygons([corners], um_per_px=0.5)


def expected(whole, level: int, region: Mask, exclude: Mask) -> np.ndarray:
    frame, values = whole.frame.coarser(2**level), np.array(whole.levels[level])
    plane = Region(y=0, x=0, height=values.shape[0], width=values.shape[1])
    return np.where(region.on(plane, frame) & ~exclude.on(plane, frame), values, 0)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_pixels_are_masked_and_keep_their_place(whole, level):
    region, exclude = drawn(33.3, 20.2, 51.0), drawn(50.0, 41.0, 9.0)
    part = prediction_within(whole, region=region, exclude=exclude)
    values = np.asarray(part.levels[level][:])
    corner = whole.frame.to_px(part.frame.origin_um) / 2**level
    y, x = np.rint(corner).astype(int)
    wanted = expected(whole, level, region, exclude)
    inside = wanted[y : y + values.shape[0], x : x + values.shape[1]]
    np.testing.assert_array_equal(values, inside)
    assert np.count_nonzero(inside) == np.count_nonzero(wanted) > 0
    rows, columns = slice(3, -2, 3), slice(1, None, 2)
    np.testing.assert_array_equal(part.levels[level][rows, columns], inside[rows, columns])


def test_what_is_left_out_alone_leaves_the_rest(whole):
    exclude = drawn(50.0, 41.0, 9.0)
    part = prediction_within(whole, exclude=exclude)
    assert part.shape == whole.shape
    everywhere = Mask(np.ones((1, 1), bool), Frame((1e6, 1e6)))
    np.testing.assert_array_equal(part.levels[0][:], expected(whole, 0, everywhere, exclude))
    assert prediction_within(whole) is whole


def test_the_result_says_what_it_is_of(whole):
    part = prediction_within(whole, region=drawn(33.3, 20.2, 51.0), exclude=drawn(50, 41, 9))
    assert part.provenance["digest"] != whole.provenance["digest"]
    assert "content" not in part.provenance
    definition = st.measure(part)["fat_area_fraction"].definition
    assert "inside the given regions less excluded regions" in definition
    other = prediction_within(whole, region=drawn(33.3, 20.2, 52.0))
    assert other.provenance["digest"] != part.provenance["digest"]


def test_a_region_beside_the_prediction_is_refused(whole):
    with pytest.raises(BadValueError, match="beside what was analysed"):
        prediction_within(whole, region=drawn(1000, 1000, 20))
