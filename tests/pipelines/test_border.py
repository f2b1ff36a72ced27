"""What is done where the context of a pixel sticks out of the slide."""

from __future__ import annotations

import numpy as np
import pytest

from brightness_model import BrightnessModel
from discs import disc_slide
from napari_steatosis.core.errors import BadValueError, NoTissueError, StoreMismatchError
from napari_steatosis.pipelines.segment import segment
from napari_steatosis.quantify import measure


def level0(prediction):
    return np.asarray(prediction.levels[0][:])


@pytest.mark.parametrize("tile_px", [64, 512])
def test_excluded_pixels_are_not_analysed_and_leave_the_denominator(tile_px):
    slide, model = disc_slide(), BrightnessModel()
    halo = model.spec.halo_px
    mirrored = segment(slide, model, tile_px=tile_px)
    excluded = segment(slide, model, tile_px=tile_px, border="exclude")
    edge = np.ones(mirrored.shape, bool)
    edge[halo:-halo, halo:-halo] = False
    assert (level0(excluded)[edge] == 0).all()
    assert np.array_equal(level0(excluded)[~edge], level0(mirrored)[~edge])
    areas = [measure(one)["tissue_area"].value for one in (excluded, mirrored)]
    assert areas[0] / areas[1] == pytest.approx((~edge).mean(), rel=1e-3)


def test_a_run_with_another_border_is_not_resumed(tmp_path):
    segment(disc_slide(), BrightnessModel(), store=tmp_path / "a.zarr")
    with pytest.raises(StoreMismatchError, match="border: stored 'reflect', now 'exclude'"):
        segment(disc_slide(), BrightnessModel(), store=tmp_path / "a.zarr", border="exclude")


def test_borders_that_leave_nothing_or_do_not_exist():
    slide, model = disc_slide(), BrightnessModel()
    with pytest.raises(BadValueError, match=r"'reflect' or 'exclude', got 'zero'"):
        segment(slide, model, border="zero")
    small = disc_slide(24, 24)
    with pytest.raises(NoTissueError):
        segment(small, model, border="exclude")
