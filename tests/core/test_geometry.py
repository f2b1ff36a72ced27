from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Frame, Region

corners, sides = st.integers(-50, 50), st.integers(1, 40)
regions = st.builds(Region, y=corners, x=corners, height=sides, width=sides)
um = st.floats(0.05, 20)


def cells(region: Region) -> set[tuple[int, int]]:
    return {(y, x) for y in range(region.y, region.y_end) for x in range(region.x, region.x_end)}


@settings(deadline=None)
@given(regions, regions)
def test_the_intersection_holds_the_common_pixels(a: Region, b: Region) -> None:
    common = a.intersect(b)
    assert (cells(common) if common else set()) == cells(a) & cells(b)
    assert a.intersect(b) == b.intersect(a)


@settings(deadline=None)
@given(regions, st.integers(0, 9))
def test_growing_adds_on_every_side_and_within_cuts_it_off_again(region: Region, px: int) -> None:
    grown = region.grow(px)
    assert (grown.height, grown.width) == (region.height + 2 * px, region.width + 2 * px)
    index = np.arange(grown.height * grown.width).reshape(grown.height, grown.width)
    cut = index[region.within(grown)]
    expected = index[px : px + region.height, px : px + region.width]
    np.testing.assert_array_equal(cut, expected)


@pytest.mark.parametrize(("height", "width"), [(0, 5), (5, 0), (-1, 5)])
def test_an_empty_region_is_refused(height: int, width: int) -> None:
    with pytest.raises(BadValueError, match=f"{height} x {width}"):
        Region(y=0, x=0, height=height, width=width)


def test_a_region_shrunk_to_nothing_is_refused() -> None:
    with pytest.raises(BadValueError):
        Region(y=0, x=0, height=4, width=9).grow(-2)


frames = st.builds(Frame, st.tuples(um, um), st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)))


@settings(deadline=None)
@given(frames, st.lists(st.tuples(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5)), min_size=1))
def test_px_to_um_and_back(frame: Frame, points: list[tuple[float, float]]) -> None:
    np.testing.assert_allclose(frame.to_px(frame.to_um(points)), points, atol=1e-4)


@settings(deadline=None)
@given(frames, st.integers(1, 16))
def test_a_coarse_pixel_lies_at_the_middle_of_the_fine_ones_it_covers(
    frame: Frame, factor: int
) -> None:
    fine = np.stack(np.meshgrid(np.arange(factor), np.arange(factor)), -1).reshape(-1, 2)
    middle = frame.to_um(fine).mean(0)
    np.testing.assert_allclose(frame.coarser(factor).to_um([0, 0]), middle, atol=1e-6)


@settings(deadline=None)
@given(frames, st.floats(1, 9), st.floats(1, 9))
def test_making_it_coarser_in_two_steps_is_one_step(frame: Frame, a: float, b: float) -> None:
    twice, once = frame.coarser(a).coarser(b), frame.coarser(a * b)
    np.testing.assert_allclose(twice.um_per_px, once.um_per_px)
    np.testing.assert_allclose(twice.origin_um, once.origin_um, atol=1e-6)


def test_areas_and_mean_of_oblong_pixels() -> None:
    frame = Frame((0.25, 1.0))
    assert frame.um2_per_px == 0.25
    assert frame.mean_um_per_px == 0.5
    assert frame.coarser((4.0, 1.0)).um_per_px == (1.0, 1.0)
