"""The report of a run says what is wrong with the slide."""

from __future__ import annotations

from dataclasses import replace

import pytest

import napari_steatosis as st
from arrays import slide_of
from brightness_model import BrightnessModel
from damaged_liver import blurred, drawn
from napari_steatosis.pipelines.quality import quality_flags
from sections import TRICHROME

HE = BrightnessModel().spec


@pytest.fixture(scope="module")
def liver():
    return drawn(640, 640, seed=3)


def test_a_report_flags_what_is_out_of_focus_and_says_nothing_twice(liver):
    model = BrightnessModel()
    flags = st.analyse(slide_of(blurred(liver, 6)), model=model).flags
    assert sum("Out of focus" in flag for flag in flags) == 1
    assert sum("Little tissue" in flag for flag in flags) == 1
    assert not any("focus" in flag for flag in st.analyse(slide_of(liver), model=model).flags)


def test_only_what_was_analysed_is_judged(liver):
    soft = liver.copy()
    soft[:, 320:] = blurred(liver, 6)[:, 320:]
    slide = slide_of(soft)
    left = [[(0, 0), (0, 140), (320, 140), (320, 0)]]
    part = st.find_tissue(slide) & st.mask_of_polygons(left, um_per_px=2.0)
    assert any("focus" in flag for flag in quality_flags(slide, st.find_tissue(slide), HE))
    assert not any("focus" in flag for flag in quality_flags(slide, part, HE))


def test_a_model_for_another_stain_is_not_told_that_it_is_another():
    slide = slide_of(TRICHROME)
    tissue = st.find_tissue(slide)
    assert any("Masson trichrome" in flag for flag in quality_flags(slide, tissue, HE))
    other = replace(HE, modality="brightfield-masson")
    assert not any("Masson" in flag for flag in quality_flags(slide, tissue, other))
