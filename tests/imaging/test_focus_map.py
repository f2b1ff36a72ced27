"""The map of the focus shows which part was blurred, and nothing where there is no tissue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import napari_steatosis as st
from arrays import glass, slide_of
from damaged_liver import blurred, drawn
from napari_steatosis.core.errors import BadValueError, MissingScaleError
from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.core.heat_map import HeatMap
from napari_steatosis.core.mask import Mask
from napari_steatosis.imaging.focus_map import focus_steps

SIDE = 1536
ALL = Mask(np.ones((8, 8), bool), Frame((96.0, 96.0), (47.75, 47.75)))


@pytest.fixture(scope="module")
def half_blurred() -> np.ndarray:
    left = np.broadcast_to(np.arange(SIDE)[None, :] < SIDE // 2, (SIDE, SIDE))
    return blurred(drawn(SIDE, SIDE, seed=3), 5, left)


def test_the_blurred_half_is_bright_and_the_other_is_not(half_blurred: np.ndarray) -> None:
    found = st.focus_map(slide_of(half_blurred))
    assert found.values.shape == (6, 6)
    assert found.frame.um_per_px == (128.0, 128.0)
    assert found.frame.to_um((0, 0)) == pytest.approx((63.75, 63.75))
    seen = ~np.isnan(found.values)
    assert seen.mean() > 0.9
    assert (found.values[:, :3][seen[:, :3]] >= 0.5).mean() > 0.9
    assert (found.values[:, 3:][seen[:, 3:]] < 0.5).all()


def test_the_same_places_are_out_of_focus_at_a_finer_pixel(half_blurred: np.ndarray) -> None:
    part = half_blurred[:768, 384:1152]
    fine = slide_of(part.repeat(2, axis=0).repeat(2, axis=1), 0.25)
    usual, twice = st.focus_map(slide_of(part), ALL), st.focus_map(fine, ALL)
    assert twice.values == pytest.approx(usual.values, abs=1e-6, nan_ok=True)


def test_what_is_no_tissue_is_not_looked_at(half_blurred: np.ndarray) -> None:
    values = np.zeros((8, 8), bool)
    values[:, 4:] = True
    found = st.focus_map(slide_of(half_blurred), Mask(values, ALL.frame), cell_um=64.0)
    assert np.isnan(found.values[:, :6]).all()
    assert not np.isnan(found.values[:, 6:]).all()
    empty = st.focus_map(slide_of(glass(600, 600)))
    assert np.isnan(empty.values).all()
    assert empty.provenance["looked_at"] == 0


def test_it_says_how_far_it_is_and_what_it_could_not_read(half_blurred: np.ndarray) -> None:
    slide = slide_of(half_blurred)

    class Damaged:
        def read(self, level: int, region: Region) -> np.ndarray:
            if region.y_end > 1300:
                raise OSError("damaged")
            return slide.source.read(level, region)

        def associated(self, name: str) -> np.ndarray:
            raise KeyError(name)

    found: list[HeatMap] = []

    def steps() -> Iterator[float]:
        found.append((yield from focus_steps(replace(slide, source=Damaged()), ALL)))

    shares = list(steps())
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert found[0].provenance["unread"] == 6
    assert np.isnan(found[0].values[-1]).all()


def test_what_cannot_be_judged_is_named() -> None:
    with pytest.raises(MissingScaleError):
        st.focus_map(slide_of(glass(300, 300), None))
    with pytest.raises(BadValueError, match="too coarse to judge the focus"):
        st.focus_map(slide_of(glass(300, 300), 2.0))
    with pytest.raises(BadValueError, match="at least 64 on this slide, got 10"):
        st.focus_map(slide_of(glass(300, 300)), cell_um=10)
