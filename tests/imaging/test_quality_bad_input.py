"""Whatever a picture shows, its quality is a clear finding: no crash and no NaN."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import napari_steatosis as st
from arrays import glass, slide_of
from discs import disc_slide
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.quality import SlideQuality
from napari_steatosis.core.slide import Slide, virtual_levels
from sections import EOSIN, H_AND_E, HAEMATOXYLIN, SIRIUS, TRICHROME, section, swapped

NOISE = np.random.default_rng(0)


def ultrasound() -> NDArray[np.uint8]:
    """A grey fan of speckle on black."""
    rows, columns = np.ogrid[:600, :800]
    away, angle = np.hypot(rows, columns - 400), np.arctan2(columns - 400, rows + 1)
    speckle = NOISE.rayleigh(60, (600, 800)) * (away < 590) * (np.abs(angle) < 0.7)
    return np.repeat(np.clip(speckle, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def fluorescence() -> NDArray[np.uint8]:
    light = NOISE.exponential(0.04, (600, 600))
    light[NOISE.random((600, 600)) > 0.9] += 0.4
    return np.clip(light[..., None] * np.array([0, 60, 255]), 0, 255).astype(np.uint8)


def grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(rgb.mean(axis=2).astype(np.uint8)[..., None], 3, axis=2)


BAD = {
    "white": (np.full((700, 600, 3), 255, np.uint8), {"tissue": "white all over"}),
    "black": (np.zeros((700, 600, 3), np.uint8), {"tissue": "black all over", "white": "dark"}),
    "blank glass": (glass(700, 600), {"tissue": "No stained tissue", "stain": "glass"}),
    "even grey": (np.full((500, 500, 3), 128, np.uint8), {"tissue": "No stained tissue"}),
    "grey": (grey(H_AND_E), {"stain": "grey"}),
    "ultrasound": (ultrasound(), {"stain": "grey", "tissue": "No stained tissue"}),
    "fluorescence": (fluorescence(), {"white": "dark", "stain": "fluorescence"}),
    "eosin alone": (section(0.6 * EOSIN), {"stain": "not clearly look like H&E"}),
    "haematoxylin alone": (
        section(0.3 * HAEMATOXYLIN, 0.9 * HAEMATOXYLIN),
        {"stain": "not clearly look like H&E"},
    ),
    "trichrome": (TRICHROME, {"stain": "like Masson trichrome"}),
    "Sirius red": (SIRIUS, {"stain": "like Sirius red"}),
    "swapped": (swapped(H_AND_E), {"channels": "swapped"}),
    "noise": (NOISE.integers(0, 256, (400, 400, 3), np.uint8), {"stain": "H&E"}),
    "one pixel": (np.full((1, 1, 3), 200, np.uint8), {"tissue": "No stained tissue"}),
    "one row": (np.resize(H_AND_E[200], (1, 900, 3)), {}),
    "small": (H_AND_E[100:120, 100:130].copy(), {}),
}


def judged(slide: Slide) -> SlideQuality:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        found = st.quality(slide)
    assert all(one.text and one.text.endswith(".") for one in found.aspects)
    assert all(one.value is None or math.isfinite(one.value) for one in found.aspects)
    json.dumps(found.to_json(), allow_nan=False)
    return found


@pytest.mark.parametrize("um_per_px", [0.25, 0.5, 4.0, None])
@pytest.mark.parametrize("name", BAD)
def test_a_clear_finding(name: str, um_per_px: float | None) -> None:
    pixels, expected = BAD[name]
    found = judged(slide_of(pixels, um_per_px))
    for aspect, words in expected.items():
        assert found[aspect].verdict == "flagged", found[aspect]
        assert words in found[aspect].text
    if name not in ("small", "one row"):
        assert found.flags


@pytest.mark.parametrize("name", BAD)
def test_tissue_and_its_focus_are_a_finding_too(name: str) -> None:
    slide = slide_of(BAD[name][0])
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        mask = st.find_tissue(slide)
        heat = st.focus_map(slide, mask)
    assert math.isfinite(mask.area_mm2)
    assert mask.area_mm2 > 0 or mask.provenance["reason"]
    judged_somewhere = bool(np.isfinite(heat.values).any())
    assert judged_somewhere != bool(heat.provenance.get("reason"))
    json.dumps([dict(mask.provenance), dict(heat.provenance)], allow_nan=False)


def test_good_he_of_the_same_kind_is_not_accused() -> None:
    found = judged(slide_of(H_AND_E))
    assert {"stain", "channels", "white", "ink"} <= {
        one.name for one in found.aspects if one.verdict == "good"
    }


def test_a_damaged_file_is_a_finding() -> None:
    found = judged(disc_slide(damaged=Region(y=0, x=0, height=1300, width=1100)))
    assert found["reading"].verdict == "flagged"
    assert found["stain"].verdict == "not judged"


def test_a_huge_slide_is_sampled() -> None:
    """100 000 x 100 000 px: what is read does not grow with the slide."""
    slide = st.drawn_liver(100_000, 100_000, seed=2)
    read = 0

    class Counted:
        def read(self, level: int, region: Region) -> NDArray[np.uint8]:
            nonlocal read
            read += region.height * region.width
            return slide.source.read(level, region)

        def associated(self, name: str) -> NDArray[np.uint8]:
            raise KeyError(name)

    found = judged(replace(slide, source=Counted()))
    assert read < 40e6
    assert found["focus"].verdict == "good"
    assert found["tissue"].value is not None
    assert found["tissue"].value > 10


def test_a_huge_slide_without_coarse_levels_is_sampled_too() -> None:
    read = 0

    class Repeated:
        def read(self, level: int, region: Region) -> NDArray[np.uint8]:
            nonlocal read
            read += region.height * region.width
            rows = np.arange(region.y, region.y_end) % 300 + 64
            columns = np.arange(region.x, region.x_end) % 384
            return H_AND_E[rows[:, None], columns[None, :]]

        def associated(self, name: str) -> NDArray[np.uint8]:
            raise KeyError(name)

    levels = tuple(virtual_levels([(60_000, 40_000, 1.0)]))
    found = judged(Slide("repeated", "array", Repeated(), levels, "repeated", (0.25, 0.25)))
    assert read < 90e6
    assert found["tissue"].value == pytest.approx(60_000 * 40_000 * 0.0625e-6, rel=0.02)


def test_real_pictures_that_are_not_he(shared_data: Path) -> None:
    dark = [judged(st.open_slide(path)) for path in shared_data.glob("slides/ndpi/*.ndpi")]
    other = [judged(st.open_slide(p)) for p in shared_data.glob("liver/trichrome/*.png")]
    assert dark
    assert other
    assert all(found["white"].verdict == "flagged" for found in dark)
    assert all(found["stain"].verdict == "flagged" for found in other)
