from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.plane import Plane
from napari_steatosis.core.resample import box_mean
from napari_steatosis.core.slide import Slide, virtual_levels


@dataclass(frozen=True)
class Held:
    """Levels in memory."""

    levels: tuple[Any, ...]

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        return np.asarray(self.levels[level][region.slices])

    def associated(self, name: str) -> NDArray[np.uint8]:
        raise KeyError(name)


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(y / 23 + i) + np.cos(x / 31 - i) for i in range(3)]
    return (127 + 60 * np.stack(waves, -1)).astype(np.uint8)


def slide(um_per_px: tuple[float, float] = (0.25, 0.25), height: int = 320) -> Slide:
    full = smooth(height, 480)
    levels = (full, box_mean(full, 4))
    sizes = [
        (pixels.shape[0], pixels.shape[1], f) for pixels, f in zip(levels, (1.0, 4.0), strict=True)
    ]
    return Slide(
        "held", "held", Held(levels), tuple(virtual_levels(sizes, 60)), "", um_per_px=um_per_px
    )


@pytest.mark.parametrize(
    ("wanted", "level", "factor", "own"),
    [
        (0.25, 0, 1.0, 0.25),
        (0.26, 0, 1.0, 0.25),
        (0.5, 0, 2.0, 0.5),
        (0.52, 0, 2.0, 0.5),
        (1.0, 1, 1.0, 1.0),
        (0.95, 1, 1.0, 1.0),
        (2.0, 2, 1.0, 2.0),
        (0.1, 0, 0.4, 0.1),
        (0.35, 0, 1.4, 0.35),
    ],
)
def test_the_coarsest_level_that_is_fine_enough(
    wanted: float, level: int, factor: float, own: float
) -> None:
    plane = slide().at(wanted)
    assert plane.level == level
    assert plane.factor == pytest.approx((factor, factor))
    assert plane.frame.um_per_px == pytest.approx((own, own))


@settings(deadline=None, max_examples=40)
@given(st.floats(0.1, 3.0), st.sampled_from([(0.25, 0.25), (0.2, 0.3), (0.499, 0.499)]))
def test_the_plane_covers_the_slide_and_keeps_its_corner(
    wanted: float, um_per_px: tuple[float, float]
) -> None:
    made = slide(um_per_px)
    plane = made.at(wanted)
    if wanted >= max(um_per_px):
        assert plane.frame.mean_um_per_px == pytest.approx(wanted, rel=0.11)
    for sides, length in ((0, plane.height), (1, plane.width)):
        covered, extent = (
            length * plane.frame.um_per_px[sides],
            made.shape[sides] * um_per_px[sides],
        )
        assert extent - 1e-3 <= covered + plane.frame.um_per_px[sides] * 1e-3
        assert covered - extent < plane.frame.um_per_px[sides] * (1 + 1e-6)
    corner = plane.frame.to_um([-0.5, -0.5])
    np.testing.assert_allclose(corner, -np.asarray(um_per_px) / 2, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([0.17, 0.25, 0.37, 0.5, 0.75, 1.0, 1.3]),
    st.integers(-20, 80),
    st.integers(-20, 80),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_a_pixel_is_the_same_in_every_crop(
    um_per_px: float, y: int, x: int, height: int, width: int
) -> None:
    plane = slide().at(um_per_px)
    wide = plane.read(Region(y=-20, x=-20, height=140, width=140))
    part = plane.read(Region(y=y, x=x, height=height, width=width))
    expected = wide[y + 20 : y + 20 + height, x + 20 : x + 20 + width]
    np.testing.assert_array_equal(part, expected)


@pytest.mark.parametrize("um_per_px", [0.17, 0.37, 0.66, 1.3])
def test_resampled_pixels_lie_where_the_frame_says(um_per_px: float) -> None:
    made = slide()
    plane = made.at(um_per_px)
    region = Region(y=20, x=20, height=30, width=30)
    rows, columns = np.mgrid[20:50, 20:50]
    points = made.frame().to_px(plane.frame.to_um(np.stack([rows, columns], -1)))
    y, x = points[..., 0], points[..., 1]
    waves = [np.sin(y / 23 + i) + np.cos(x / 31 - i) for i in range(3)]
    expected = 127 + 60 * np.stack(waves, -1)
    difference = plane.read(region) - expected
    assert np.abs(difference).max() < 3
    assert abs(difference.mean() + 0.5) < 0.6  # the drawn values were cut, not rounded


def test_a_resolution_must_be_positive() -> None:
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(BadValueError, match="must be positive"):
            Plane.of(slide(), wrong)


def test_the_bounds_are_the_whole_plane() -> None:
    plane = slide().at(0.5)
    assert plane.bounds == Region(y=0, x=0, height=160, width=240)
    np.testing.assert_array_equal(plane.read(plane.bounds), box_mean(smooth(320, 480), 2))
