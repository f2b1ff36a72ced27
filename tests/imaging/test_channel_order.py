"""Swapped channels of H&E are found; nothing else raises the alarm, and nothing an error."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import napari_steatosis as st
from arrays import glass, slide_of
from discs import disc_slide
from napari_steatosis.core.errors import UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging import looks_swapped
from sections import (
    AEC,
    BLOOD,
    DAB,
    EOSIN,
    H_AND_E,
    HAEMATOXYLIN,
    IMMUNO,
    SIRIUS,
    TRICHROME,
    CountedSource,
    pyramid_of,
    section,
    swapped,
)

ALARM = "red and blue look swapped"


def test_drawn_he_is_as_expected_and_its_swapped_copy_is_found() -> None:
    right, wrong = looks_swapped(slide_of(H_AND_E, None)), looks_swapped(slide_of(swapped(H_AND_E)))
    assert (right.verdict, wrong.verdict) == ("as expected", ALARM)
    assert wrong.score == pytest.approx(-right.score, abs=1e-5)
    assert right.tissue_px == wrong.tissue_px > 10_000
    assert "swap red and blue" in wrong.reason


@pytest.mark.parametrize("seed", range(4))
def test_drawn_liver(seed: int) -> None:
    liver = st.drawn_liver(512, 512, seed=seed)
    pixels = liver.read(Region(y=0, x=0, height=512, width=512))
    assert looks_swapped(liver).verdict == "as expected"
    assert looks_swapped(slide_of(swapped(pixels))).verdict == ALARM


OTHERS = {
    "trichrome": TRICHROME,
    "Sirius red": SIRIUS,
    "much DAB": IMMUNO,
    "few dark DAB cells on pale blue": section(
        0.15 * HAEMATOXYLIN, 0.5 * HAEMATOXYLIN, third=2 * DAB, share=0.05
    ),
    "AEC": section(0.15 * HAEMATOXYLIN, 0.6 * HAEMATOXYLIN, third=AEC, share=0.2),
    "bleeding": section(0.6 * EOSIN, third=1.5 * BLOOD, share=0.3),
    "no nuclei": section(0.6 * EOSIN),
    "haematoxylin alone": section(0.15 * HAEMATOXYLIN, 1.2 * HAEMATOXYLIN),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_stains_raise_no_alarm(name: str) -> None:
    assert looks_swapped(slide_of(OTHERS[name])).verdict == "undecided"


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (200, 90, 150), (150, 90, 200)])
def test_one_colour_is_undecided(colour: tuple[int, int, int]) -> None:
    pixels = np.full((64, 64, 3), colour, np.uint8)
    assert looks_swapped(slide_of(pixels)).verdict == "undecided"


def test_bare_glass_and_noise_are_undecided() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 70, 3), np.uint8)
    assert looks_swapped(slide_of(noise)).verdict == "undecided"
    bare = looks_swapped(slide_of(glass(500, 400)))
    assert bare.verdict == "undecided"
    assert np.isnan(bare.score)


def test_black_padding_and_ink_change_nothing() -> None:
    padded = np.zeros((700, 900, 3), np.uint8)
    padded[100:484, 100:484] = swapped(H_AND_E)
    padded[500:520, :] = (30, 30, 60)  # a line of black ink
    assert looks_swapped(slide_of(padded)).verdict == ALARM


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 3000), (129, 65), (1, 1)])
def test_small_and_narrow_pictures(height: int, width: int) -> None:
    pixels = np.resize(H_AND_E[64:], (height, width, 3))
    assert looks_swapped(slide_of(pixels)).verdict != ALARM


def test_a_large_pyramid_is_judged_at_full_resolution_from_few_pixels() -> None:
    plate = np.full((6000, 9000, 3), 243, np.uint8)
    tissue = np.tile(H_AND_E[64:], (5, 5, 1))
    plate[3000 : 3000 + tissue.shape[0], 5000 : 5000 + tissue.shape[1]] = swapped(tissue)
    slide = pyramid_of(plate, 4)
    assert looks_swapped(slide).verdict == ALARM
    assert isinstance(slide.source, CountedSource)
    assert 300_000 < slide.source.read_px < 1_500_000


def test_a_damaged_file_is_an_error_and_not_a_verdict() -> None:
    damaged = disc_slide(damaged=Region(y=0, x=0, height=1300, width=1100))
    with pytest.raises(UnreadableRegionError, match="cannot be read"):
        looks_swapped(damaged)


def tiles(data: Path, split: str) -> list[Path]:
    folder = data / "steatosis-tiles"
    with (folder / "manifest.csv").open() as file:
        return [folder / row["path"] for row in csv.DictReader(file) if row["split"] == split]


def test_real_tiles_of_other_patients_than_the_thresholds_were_set_on(shared_data: Path) -> None:
    places = tiles(shared_data, "val")
    right = [looks_swapped(st.open_slide(place)).verdict for place in places]
    wrong = [looks_swapped(st.open_slide(place, swap_red_blue=True)).verdict for place in places]
    assert right.count(ALARM) == wrong.count("as expected") == 0
    assert wrong.count(ALARM) >= 0.95 * len(places)
    assert right.count("as expected") >= 0.95 * len(places)


@pytest.mark.parametrize(
    "pattern", ["liver/trichrome/*.png", "liver/liverquant/*PSR.jpg", "slides/ndpi/*.ndpi"]
)
def test_real_images_of_other_stains(shared_data: Path, pattern: str) -> None:
    for place in shared_data.glob(pattern):
        assert looks_swapped(st.open_slide(place)).verdict == "undecided", place


def test_no_real_he_raises_a_false_alarm(shared_data: Path) -> None:
    places = [
        *shared_data.glob("liver/**/*HE.jpg"),
        *shared_data.glob("slides/aperio/*-*.svs"),
        *shared_data.glob("slides/tiff/he-*"),
        *shared_data.glob("stain/**/*.png"),
    ]
    verdicts = {
        place.name: looks_swapped(st.open_slide(place)).verdict
        for place in places
        if "small.svs" not in place.name
    }
    assert len(verdicts) > 20
    assert ALARM not in verdicts.values(), verdicts
