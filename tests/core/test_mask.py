from __future__ import annotations

import hashlib
import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.mask import Mask

maps = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
FINE = Frame((2.0, 2.0))


def whole(mask: Mask, factor: int = 1) -> Region:
    height, width = mask.values.shape
    return Region(y=0, x=0, height=height * factor, width=width * factor)


@settings(deadline=None)
@given(maps, st.integers(1, 5))
def test_on_a_finer_plane_each_pixel_is_repeated(values: np.ndarray, factor: int) -> None:
    mask = Mask(values, FINE.coarser(factor))
    expected = values.repeat(factor, 0).repeat(factor, 1)
    np.testing.assert_array_equal(mask.on(whole(mask, factor), FINE), expected)


@settings(deadline=None)
@given(maps, st.integers(-12, 12), st.integers(-12, 12))
def test_outside_the_map_the_answer_is_no(values: np.ndarray, y: int, x: int) -> None:
    mask, region = Mask(values, FINE), Region(y=y, x=x, height=5, width=6)
    around = np.pad(values, 20)
    expected = around[y + 20 : y + 25, x + 20 : x + 26]
    np.testing.assert_array_equal(mask.on(region, FINE), expected)


@settings(deadline=None)
@given(maps, st.data())
def test_parts_make_the_whole(values: np.ndarray, data: st.DataObject) -> None:
    mask, frame = Mask(values, FINE), Frame((0.7, 0.9), (0.3, -1.1))
    wide = mask.on(Region(y=-5, x=-5, height=40, width=40), frame)
    y, x = data.draw(st.integers(-5, 30)), data.draw(st.integers(-5, 30))
    part = mask.on(Region(y=y, x=x, height=5, width=5), frame)
    np.testing.assert_array_equal(part, wide[y + 5 : y + 10, x + 5 : x + 10])


def test_and_answers_at_the_finer_resolution() -> None:
    coarse = Mask(np.array([[True, False]]), FINE.coarser(2), {"made": "coarse"})
    fine = Mask(np.array([[1, 0, 1, 1], [1, 1, 1, 1]], bool), FINE, {"made": "fine"})
    for one, other in ((coarse, fine), (fine, coarse)):
        both = one & other
        assert both.frame == FINE
        assert both.values.tolist() == [[True, False, False, False], [True, True, False, False]]
        assert both.provenance == {"and": [fine.provenance, coarse.provenance]}


def test_without_takes_away_what_the_other_covers_and_no_more() -> None:
    mask = Mask(np.ones((2, 4), bool), FINE)
    vein = Mask(np.array([[True]]), FINE.coarser(2))
    rest = mask.without(vein)
    assert rest.values.tolist() == [[False, False, True, True]] * 2
    assert rest.provenance == {"of": {}, "without": {}}


def test_the_area_counts_the_yes_pixels() -> None:
    values = np.zeros((1000, 1000), bool)
    values[:500] = True
    assert Mask(values, Frame((1.0, 2.0))).area_mm2 == 1.0


@settings(deadline=None)
@given(maps)
def test_what_is_kept_as_bits_is_what_was_given(values: np.ndarray) -> None:
    mask = pickle.loads(pickle.dumps(Mask(values, FINE, {"made": "here"})))
    np.testing.assert_array_equal(mask.values, values)
    assert (mask.shape, mask.provenance) == (values.shape, {"made": "here"})
    assert mask.content == hashlib.sha256(np.packbits(values).tobytes()).hexdigest()


@settings(deadline=None)
@given(maps, st.data())
def test_touching_is_to_hold_a_yes(values: np.ndarray, data: st.DataObject) -> None:
    mask, frame = Mask(values, FINE), Frame((0.7, 0.9), (0.3, -1.1))
    y, x = data.draw(st.integers(-9, 30)), data.draw(st.integers(-9, 30))
    region = Region(y=y, x=x, height=4, width=3)
    assert mask.touches(region, frame) == mask.on(region, frame).any()
