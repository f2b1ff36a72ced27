"""The stain is named where it can be told, and "unknown" where it cannot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from numpy.typing import NDArray

import napari_steatosis as st
from arrays import glass, slide_of
from discs import disc_slide
from napari_steatosis.core.errors import UnreadableRegionError
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging import guess_stain
from sections import (
    AEC,
    DAB,
    EOSIN,
    H_AND_E,
    HAEMATOXYLIN,
    IMMUNO,
    METHYL_BLUE,
    PAS,
    PICRIC,
    PONCEAU,
    SIRIUS,
    SIRIUS_RED,
    TRICHROME,
    section,
    swapped,
)

NUCLEI = 0.6 * HAEMATOXYLIN
DRAWN = {
    "strong H&E": (H_AND_E, "H&E"),
    "pale H&E": (section(0.3 * EOSIN, 0.7 * HAEMATOXYLIN, seed=1), "H&E"),
    "fibrosis": (TRICHROME, "Masson trichrome"),
    "cirrhosis": (
        section(0.8 * PONCEAU, 0.8 * HAEMATOXYLIN, third=0.7 * METHYL_BLUE, share=0.5),
        "Masson trichrome",
    ),
    "collagen": (SIRIUS, "Sirius red"),
    "little collagen": (
        section(0.5 * PICRIC, third=1.2 * SIRIUS_RED, share=0.03, seed=2),
        "Sirius red",
    ),
    "some DAB": (IMMUNO, "haematoxylin-DAB"),
    "much DAB": (
        section(0.15 * HAEMATOXYLIN, NUCLEI, third=DAB, share=0.3),
        "haematoxylin-DAB",
    ),
    "no DAB": (section(0.15 * HAEMATOXYLIN, NUCLEI), "unknown"),
    "AEC": (section(0.15 * HAEMATOXYLIN, NUCLEI, third=AEC, share=0.2), "unknown"),
    "PAS": (section(0.5 * PAS, 0.9 * HAEMATOXYLIN), "unknown"),
    "eosin alone": (section(0.6 * EOSIN), "unknown"),
    "silver": (section(np.array([0.15, 0.17, 0.2]), third=np.full(3, 1.6)), "unknown"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_stains_drawn_from_published_vectors(name: str) -> None:
    pixels, expected = DRAWN[name]
    guess = guess_stain(slide_of(pixels, None))
    assert guess.name == expected
    assert bool(guess.confidence) == (expected != "unknown")
    assert guess.reason.endswith(".")


@pytest.mark.parametrize("name", DRAWN)
def test_swapped_channels_are_not_named_as_another_stain(name: str) -> None:
    assert guess_stain(slide_of(swapped(DRAWN[name][0]))).name == "unknown"


def test_swapped_he_is_said_to_look_swapped() -> None:
    assert "swapped" in guess_stain(slide_of(swapped(H_AND_E))).reason


@pytest.mark.parametrize("seed", range(4))
def test_drawn_liver_is_he(seed: int) -> None:
    guess = guess_stain(st.drawn_liver(512, 512, seed=seed))
    assert (guess.name, guess.confidence) == ("H&E", "good")


def spots(shape: tuple[int, int], colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    rng = np.random.default_rng(0)
    light = rng.exponential(0.04, shape)
    light[rng.random(shape) > 0.9] += 0.4
    return np.clip(light[..., None] * np.array(colour), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("colour", [(0, 60, 255), (255, 120, 0), (200, 200, 200)])
def test_light_on_a_dark_ground(colour: tuple[int, int, int]) -> None:
    assert guess_stain(slide_of(spots((400, 300), colour))).name == "fluorescence or dark field"


def test_he_beside_black_padding_is_not_taken_for_fluorescence() -> None:
    padded = np.zeros((700, 900, 3), np.uint8)
    padded[100:420, 100:484] = H_AND_E[64:]
    assert guess_stain(slide_of(padded)).name == "H&E"


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 255, 255), "no tissue"),
        ((0, 0, 0), "no tissue"),
        ((200, 90, 150), "unknown"),
        ((120, 120, 120), "unknown"),
    ],
)
def test_one_colour(colour: tuple[int, int, int], expected: str) -> None:
    assert guess_stain(slide_of(np.full((64, 64, 3), colour, np.uint8))).name == expected


def test_a_little_tissue_in_a_small_picture_is_not_called_none() -> None:
    pixels = glass(104, 104)
    pixels[40:60, 40:72] = H_AND_E[100:120, 100:132]
    assert guess_stain(slide_of(pixels)).name == "unknown"


def test_bare_glass_is_no_tissue_and_noise_is_unknown() -> None:
    assert guess_stain(slide_of(glass(500, 400))).name == "no tissue"
    noise = np.random.default_rng(1).integers(0, 256, (300, 70, 3), np.uint8)
    assert guess_stain(slide_of(noise)).name == "unknown"


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 3000), (129, 65), (1, 1)])
def test_small_and_narrow_pictures(height: int, width: int) -> None:
    pixels = np.resize(H_AND_E[64:], (height, width, 3))
    assert guess_stain(slide_of(pixels)).name in {"H&E", "unknown"}


def test_a_damaged_file_is_an_error() -> None:
    with pytest.raises(UnreadableRegionError, match="cannot be read"):
        guess_stain(disc_slide(damaged=Region(y=0, x=0, height=1300, width=1100)))


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("steatosis-tiles/val/image/*.png", "H&E"),
        ("liver/liverquant/*HE.jpg", "H&E"),
        ("liver/severe-macrovesicular.jpg", "H&E"),
        ("slides/aperio/CMU-1-Small-Region.svs", "H&E"),
        ("liver/trichrome/*.png", "Masson trichrome"),
        ("liver/liverquant/*PSR.jpg", "Sirius red"),
        ("slides/ndpi/*.ndpi", "fluorescence or dark field"),
    ],
)
def test_real_images(shared_data: Path, pattern: str, expected: str) -> None:
    names = [guess_stain(st.open_slide(place)).name for place in shared_data.glob(pattern)]
    assert set(names) <= {expected, "unknown"}
    assert names.count(expected) >= 0.95 * len(names) > 0


def test_swapped_real_he_is_not_named_as_another_stain(shared_data: Path) -> None:
    for place in [*shared_data.glob("stain/**/*.png"), *shared_data.glob("slides/tiff/he-*")]:
        assert guess_stain(st.open_slide(place, swap_red_blue=True)).name == "unknown", place


def test_real_immunohistochemistry() -> None:
    place = Path(skimage.__file__).parent / "data" / "ihc.png"
    if not place.exists():
        pytest.skip("this scikit-image does not ship ihc.png")
    assert guess_stain(st.open_slide(place)).name == "haematoxylin-DAB"
