from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_steatosis.core.errors import (
    BadValueError,
    MissingScaleError,
    UnknownNameError,
    UnreadableRegionError,
)
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.resample import box_mean
from napari_steatosis.core.slide import (
    Level,
    PixelSource,
    Slide,
    checked_scale,
    mirrored,
    virtual_levels,
)
from napari_steatosis.imaging import drawn_liver


@dataclass(frozen=True)
class Computed:
    """Pixels from their coordinates, so that any region of any size can be checked."""

    fault: str = ""

    def read(self, level: int, region: Region) -> NDArray[Any]:
        if self.fault == "memory":
            raise MemoryError
        if self.fault == "decoder":
            raise RuntimeError("zstd")
        if self.fault == "shape":
            return np.zeros((region.height, region.width), np.uint8)
        if self.fault == "dtype":
            return np.zeros((region.height, region.width, 3), np.float32)
        assert region.y >= 0
        assert region.x >= 0
        return values(region, level)

    def associated(self, name: str) -> NDArray[np.uint8]:
        raise KeyError(name)


def values(region: Region, level: int = 0) -> NDArray[np.uint8]:
    y = np.arange(region.y, region.y_end)[:, None, None]
    x = np.arange(region.x, region.x_end)[None, :, None]
    return ((y * 31 + x * 17 + y * x + np.arange(3) * 50 + level * 7) % 251).astype(np.uint8)


def slide(height: int = 300, width: int = 400, fault: str = "", **given: Any) -> Slide:
    levels = tuple(virtual_levels([(height, width, 1.0)], longest_px=100))
    return Slide("made.up", "computed", Computed(fault), levels, "0" * 64, **given)


def whole(height: int, width: int) -> Region:
    return Region(y=0, x=0, height=height, width=width)


@settings(deadline=None)
@given(st.integers(-900, 900), st.integers(-900, 900), st.integers(1, 60), st.integers(1, 60))
def test_any_region_is_the_mirrored_slide(y: int, x: int, height: int, width: int) -> None:
    region = Region(y=y, x=x, height=height, width=width)
    rows = np.arange(y, y + height)
    columns = np.arange(x, x + width)
    pixels = values(whole(30, 40))
    expected = pixels[mirrored(rows, 30)][:, mirrored(columns, 40)]
    np.testing.assert_array_equal(slide(30, 40).read(region), expected)


@settings(deadline=None)
@given(st.integers(1, 12), st.integers(0, 40))
def test_mirroring_is_the_reflection_of_numpy(length: int, beyond: int) -> None:
    index = np.arange(-beyond, length + beyond)
    mode = "reflect" if length > 1 else "edge"
    expected = np.pad(np.arange(length), beyond, mode=mode)
    np.testing.assert_array_equal(mirrored(index, length), expected)


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 3))
def test_a_region_of_a_virtual_level_is_the_box_mean_of_level_0(
    data: st.DataObject, level: int
) -> None:
    made = slide(301, 403)
    size = made.levels[level]
    expected = box_mean(values(whole(301, 403)), size.shrink)
    assert expected.shape[:2] == (size.height, size.width)
    y = data.draw(st.integers(0, size.height - 1))
    x = data.draw(st.integers(0, size.width - 1))
    height = data.draw(st.integers(1, size.height - y))
    width = data.draw(st.integers(1, size.width - x))
    region = Region(y=y, x=x, height=height, width=width)
    np.testing.assert_array_equal(made.read(region, level), expected[region.slices])


def test_a_tall_virtual_level_is_read_in_bands_without_a_seam() -> None:
    levels = tuple(virtual_levels([(9000, 40, 1.0)], longest_px=3000))
    tall = Slide("made.up", "computed", Computed(), levels, "")
    assert [level.shrink for level in levels] == [1, 2, 4]
    expected = box_mean(values(whole(9000, 40)), 4)
    np.testing.assert_array_equal(tall.read(whole(2250, 10), 2), expected)


def test_every_failure_of_a_decoder_is_one_kind_of_error() -> None:
    with pytest.raises(
        UnreadableRegionError, match=r"made\.up: level 0, rows 5-9, columns 6-9.*RuntimeError: zstd"
    ) as caught:
        slide(fault="decoder").read(Region(y=5, x=6, height=4, width=3))
    assert isinstance(caught.value.__cause__, RuntimeError)
    for level in (0, 1):
        with pytest.raises(UnreadableRegionError):
            slide(fault="decoder").read(Region(y=-3, x=0, height=9, width=9), level)


@pytest.mark.parametrize("fault", ["shape", "dtype"])
def test_a_reader_that_returns_something_else_is_caught(fault: str) -> None:
    with pytest.raises(UnreadableRegionError, match=r"reader 'computed' returned .* asked for"):
        slide(fault=fault).read(whole(8, 8))


def test_a_full_memory_is_not_called_a_damaged_file() -> None:
    with pytest.raises(MemoryError):
        slide(fault="memory").read(whole(8, 8))


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_virtual_levels_halve_down_to_an_overview(height: int, width: int) -> None:
    levels = virtual_levels([(height, width, 1.0)])
    assert levels[0] == Level(height, width, 1.0, 0)
    assert max(levels[-1].height, levels[-1].width) <= 1000
    for fine, coarse in pairwise(levels):
        assert max(fine.height, fine.width) > 1000
        assert (coarse.stored, coarse.shrink) == (0, 2 * fine.shrink)
        assert coarse.height * coarse.shrink >= height > (coarse.height - 1) * coarse.shrink


def test_virtual_levels_begin_at_the_coarsest_stored_one() -> None:
    levels = virtual_levels([(8000, 8000, 1.0), (2000, 2000, 4.0)])
    assert [(i.height, i.downsample, i.stored, i.shrink) for i in levels] == [
        (8000, 1.0, 0, 1),
        (2000, 4.0, 1, 1),
        (1000, 8.0, 1, 2),
    ]


def test_an_unknown_pixel_size_is_an_error_that_says_how_to_give_one() -> None:
    unknown = slide(scale_source="nobody measured it")
    for ask in (unknown.frame, lambda: unknown.at(0.5)):
        with pytest.raises(MissingScaleError, match=r"nobody measured it.*um_per_px=0\.25.*--mpp"):
            ask()
    stated = unknown.with_scale(0.5)
    assert stated.frame().um_per_px == (0.5, 0.5)
    assert stated.scale_source == "given"
    assert unknown.um_per_px is None


@pytest.mark.parametrize("wrong", [0.0, -0.5, float("nan"), float("inf"), (0.5, 0.0)])
def test_an_impossible_pixel_size_is_refused(wrong: Any) -> None:
    with pytest.raises(BadValueError, match="implausible"):
        slide().with_scale(wrong)


@pytest.mark.parametrize("size", [0.0, 0.049, 20.1, 352.8, float("nan"), float("inf"), -0.5])
def test_an_implausible_pixel_size_is_questioned(size: float) -> None:
    kept, reason = checked_scale((0.5, size), "a tag")
    assert kept is None
    assert "0.5 x" in reason
    assert "(a tag)" in reason


@pytest.mark.parametrize("size", [0.05, 0.25, 20.0])
def test_a_plausible_pixel_size_is_kept(size: float) -> None:
    assert checked_scale((size, size), "a tag") == ((size, size), "a tag")
    assert checked_scale(None, "why not") == (None, "why not")


def test_frames_of_levels_keep_the_corner_of_the_slide_in_place() -> None:
    made = slide(um_per_px=(0.5, 0.25))
    for number, level in enumerate(made.levels):
        frame = made.frame(number)
        corner = frame.to_um([-0.5, -0.5])
        np.testing.assert_allclose(corner, [-0.25, -0.125])
        assert frame.um_per_px == (0.5 * level.downsample, 0.25 * level.downsample)


def test_it_pickles_and_its_source_is_a_pixel_source() -> None:
    made = pickle.loads(pickle.dumps(slide()))
    assert isinstance(made.source, PixelSource)
    np.testing.assert_array_equal(made.read(whole(9, 9)), values(whole(9, 9)))


def test_associated_images_are_read_or_named() -> None:
    slide = drawn_liver(64, 64, seed=1)
    with pytest.raises(UnknownNameError, match="'label'; it has: none"):
        slide.read_associated("label")
    claimed = replace(slide, associated=("label",))
    with pytest.raises(UnreadableRegionError, match="'label' cannot be read"):
        claimed.read_associated("label")


def test_a_level_without_pixels_is_refused() -> None:
    with pytest.raises(BadValueError, match="232 x 0 px"):
        virtual_levels([(232, 456, 1.0), (232, 0, 2.0)])
