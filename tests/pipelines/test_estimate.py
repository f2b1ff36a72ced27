"""The plan says how much and how long before it begins."""

from __future__ import annotations

import time

import pytest

import napari_steatosis as st
from brightness_model import BrightnessModel
from discs import disc_slide
from napari_steatosis.pipelines._plan import plan_segmentation
from napari_steatosis.pipelines.estimate import estimate, network_px
from napari_steatosis.pipelines.segment import segment

pytest.importorskip("torch")


def test_it_counts_what_is_computed():
    slide = st.drawn_liver(2048, 2048, seed=1)
    plan = plan_segmentation(slide, st.load_model("steatosis-he", device="cpu"))
    said = estimate(plan)
    assert said.tiles == len(plan.tiles) == 16
    assert said.mpx == pytest.approx(2048**2 / 1e6)
    assert said.tissue_mm2 is None
    assert said.compute.startswith("cpu, ")
    assert 2048**2 < network_px(plan) < 2 * 2048**2
    assert str(said).startswith("16 tiles, 4.2 Mpx: about")
    tissue = st.find_tissue(slide)
    within = estimate(plan_segmentation(slide, plan.model, within=tissue))
    assert f"{tissue.area_mm2:.2f} mm² of tissue" in str(within)
    assert estimate(plan, plan.tiles[:4]).tiles == 4


def test_the_time_is_of_the_right_size():
    slide, model = disc_slide(), BrightnessModel()
    plan = plan_segmentation(slide, model)
    said = estimate(plan)
    began = time.perf_counter()
    segment(slide, model)
    took = time.perf_counter() - began
    assert took / 10 < said.seconds < took * 10
