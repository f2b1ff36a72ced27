"""The same drawn tissue at other pixel sizes and levels gives the same numbers.

What must agree: fractions to 1 point, counts and diameters to 5 %, of droplets of at least 3 um^2
in pixels up to 0.5 um, and of at least 20 um^2 (5 um across) in pixels of 1 um: 3 um^2 are three of
them.
"""

from __future__ import annotations

import numpy as np
import pytest

import napari_steatosis as st
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.core.report import Report

SIDE_UM = 640
FRACTIONS = ("fat_area_fraction", "macro_area_fraction", "micro_area_fraction")
SIZES = (
    "droplet_count",
    "droplet_density",
    "droplet_diameter_mean",
    "droplet_diameter_median",
    "droplet_diameter_p90",
    "droplet_diameter_area_weighted",
    "droplet_area_mean",
    "droplet_distance_median",
)
LIVERS = [(3, 15.0), (5, 30.0)]
"""Seed and percent of fat."""


def liver(seed: int, fat_percent: float, um_per_px: float) -> st.Slide:
    side = round(SIDE_UM / um_per_px)
    values = {"seed": seed, "fat_percent": fat_percent, "glass": False}
    return st.drawn_liver(side, side, um_per_px=um_per_px, **values)


def true_map(slide: st.Slide, every: int = 1) -> Prediction:
    """Return the drawn truth as a class map, or its level with every so many pixels."""
    truth = slide.source.truth(slide.source.bounds)
    frame = slide.frame().coarser(every)
    return Prediction("fat", [truth[::every, ::every]], ("tissue", "fat"), frame)


def differing(one: Report, other: Report, *, points: float = 1.0, share: float = 0.05) -> list[str]:
    """Return what differs by more, with both values."""
    far = [name for name in FRACTIONS if abs(one[name].value - other[name].value) > points] + [
        name for name in SIZES if abs(one[name].value / other[name].value - 1) > share
    ]
    return [f"{name}: {one[name]} and {other[name]}" for name in far]


def least_um2(um_per_px: float) -> float:
    return 3.0 if um_per_px <= 0.5 else 20.0


@pytest.fixture(scope="module", params=LIVERS, ids=str)
def fine(request):
    """A drawn liver at 0.25 um/px, and what is measured on it from either size on."""
    slide = liver(*request.param, 0.25)
    truth = true_map(slide)
    return request.param, slide, {a: st.measure(truth, smallest_um2=a) for a in (3.0, 20.0)}


def test_what_is_measured_is_what_was_drawn(fine):
    _, slide, reports = fine
    every = slide.source.true_diameters_um()
    for least, report in reports.items():
        diameters = every[np.pi / 4 * every**2 >= least]
        count, median = len(diameters), np.median(diameters)
        assert report["droplet_count"].value == pytest.approx(count, rel=0.05)
        assert report["droplet_diameter_median"].value == pytest.approx(median, rel=0.05)
        fat = slide.source.true_fat_percent()
        assert report["fat_area_fraction"].value == pytest.approx(fat)


@pytest.mark.parametrize("um_per_px", [0.5, 1.0])
def test_another_pixel_size_gives_the_same(fine, um_per_px):
    drawn, _, reports = fine
    least = least_um2(um_per_px)
    other = st.measure(true_map(liver(*drawn, um_per_px)), smallest_um2=least)
    assert differing(other, reports[least]) == []


@pytest.mark.parametrize("every", [2, 4])
def test_another_level_gives_the_same(fine, every):
    """Levels of stored class maps take every second pixel of the one before."""
    _, slide, reports = fine
    least = least_um2(0.25 * every)
    other = st.measure(true_map(slide, every), smallest_um2=least)
    assert differing(other, reports[least]) == []


@pytest.fixture(scope="module")
def by_model() -> dict[float, Report]:
    """What the shipped model finds on one liver at three pixel sizes."""
    pytest.importorskip("torch")
    model = st.load_model("steatosis-he", device="cpu", precision="fp32")
    return {
        um: st.measure(st.segment(liver(3, 15.0, um), model), smallest_um2=20.0)
        for um in (0.25, 0.5, 1.0)
    }


def test_the_model_finds_the_same_in_finer_pixels(by_model):
    assert differing(by_model[0.25], by_model[0.5]) == []


def test_pixels_coarser_than_its_own_cost_the_model_more(by_model):
    """It sees an enlarged image, and finds 0.8 points of fat and 9 % of droplets more."""
    assert differing(by_model[1.0], by_model[0.5], points=1.2, share=0.12) == []
