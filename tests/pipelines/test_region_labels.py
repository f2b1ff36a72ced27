from __future__ import annotations

import numpy as np
import pytest

import napari_steatosis as st
from napari_steatosis.pipelines.region_labels import region_labels


def labels_of(*given, **options):
    steps = region_labels(*given, **options)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def model():
    return st.load_model("steatosis-he", device="cpu")


@pytest.fixture(scope="module")
def liver():
    return st.drawn_liver(1200, 1100, seed=3, um_per_px=0.25, fat_percent=15)


@pytest.mark.parametrize("um_per_px", [0.25, 0.5, 1.0])
def test_it_is_what_segment_finds_there_at_any_resolution(liver, model, um_per_px):
    """The model looks at its own resolution, whatever the labels are painted at."""
    whole = np.asarray(st.segment(liver, model).levels[0])
    scale = 0.5 / um_per_px
    region = st.Region(
        y=round(100 * scale),
        x=round(60 * scale),
        height=round(200 * scale),
        width=round(240 * scale),
    )
    found = labels_of(liver.at(um_per_px), region, model)
    assert found.shape == (region.height, region.width)
    fat = np.mean(found == 2)
    assert fat == pytest.approx(np.mean(whole[100:300, 60:300] == 2), abs=0.004)
    if um_per_px == 0.5:
        assert np.mean(found != whole[100:300, 60:300]) < 0.001


def test_a_stop_leaves_what_is_missing_empty(liver, model):
    region = st.Region(y=0, x=0, height=550, width=500)
    found = labels_of(liver.at(0.5), region, model, should_stop=lambda: True)
    assert found.shape == (550, 500)
    assert (found == 0).any()
