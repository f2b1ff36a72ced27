"""Damage that was drawn is found, and what is no damage is not."""

from __future__ import annotations

import io
import json
import math
import warnings
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

import napari_steatosis as st
from arrays import glass, slide_of
from damaged_liver import band, blurred, bubble, drawn, exposed, folded, inked
from napari_steatosis.core.errors import MissingScaleError, UnknownNameError
from napari_steatosis.core.mask import Mask
from napari_steatosis.core.quality import SlideQuality

SIDE = 1536
RGB = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _no_number_is_made_up() -> Iterator[None]:
    """A mean of nothing or a division by 0 is an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield


@pytest.fixture(scope="module")
def liver() -> RGB:
    return drawn(SIDE, SIDE, seed=3)


@pytest.fixture(scope="module")
def piece() -> RGB:
    """A piece of liver with glass around it."""
    return drawn(1536, 1536, seed=5, glass=True)


def judged(pixels: RGB, um_per_px: float | None = 0.5) -> SlideQuality:
    found = st.quality(slide_of(pixels, um_per_px))
    assert all(one.text.endswith(".") for one in found.aspects)
    assert all(one.value is None or math.isfinite(one.value) for one in found.aspects)
    assert json.loads(json.dumps(found.to_json(), allow_nan=False)) == found.to_json()
    return found


def flagged(found: SlideQuality) -> set[str]:
    return {one.name for one in found.aspects if one.verdict == "flagged"}


def test_a_good_slide_has_no_flags(piece: RGB) -> None:
    found = judged(np.pad(piece, ((0, 500), (0, 500), (0, 0)), mode="edge"))
    assert flagged(found) <= {"tissue"}  # 1 mm across
    assert found["focus"].value == pytest.approx(0, abs=3)


@pytest.mark.parametrize("seed", range(6))
def test_drawn_livers_of_any_style_are_sharp_and_flat(seed: int) -> None:
    found = judged(drawn(768, 768, seed=seed, fat=(0, 20, 45)[seed % 3]))
    assert flagged(found) == {"tissue"}


def test_the_blurred_part_is_known(liver: RGB) -> None:
    left = np.arange(SIDE)[None, :] < SIDE // 2
    share = judged(blurred(liver, 5, np.broadcast_to(left, liver.shape[:2])))["focus"]
    assert share.verdict == "flagged"
    assert share.value == pytest.approx(50, abs=10)


def test_glass_and_lumina_are_not_out_of_focus(piece: RGB) -> None:
    much = np.full((3072, 3072, 3), 242, np.uint8)
    much[:1536, :1536] = piece
    assert judged(much)["focus"].value == pytest.approx(0, abs=3)


@pytest.mark.parametrize(("sigma_px", "out"), [(0.5, False), (5, True), (10, True)])
def test_blur_all_over(liver: RGB, sigma_px: float, out: bool) -> None:
    found = judged(blurred(liver[:768, :768], sigma_px))
    assert (found["focus"].verdict == "flagged") is out
    assert (found["detail"].verdict == "flagged") is out


def test_focus_does_not_depend_on_the_pixel_size(liver: RGB) -> None:
    part = blurred(liver[:512, :512], 5)
    fine = zoom(part, (2, 2, 1), order=1)
    found = judged(fine, 0.25)["focus"]
    assert found.verdict == "flagged"
    assert judged(zoom(liver[:512, :512], (2, 2, 1), order=1), 0.25)["focus"].verdict == "good"


def test_enlarged_pictures_are_told(liver: RGB) -> None:
    small = liver[:400, :400]
    assert "enlarged" in judged(zoom(small, (4, 4, 1), order=1), 0.125)["detail"].text
    assert "repeating" in judged(small.repeat(2, axis=0).repeat(2, axis=1), 0.25)["detail"].text


@pytest.mark.parametrize("width_um", [30, 60])
def test_folds_are_found(liver: RGB, width_um: float) -> None:
    places = band(liver.shape, width_px=2 * width_um)
    found = judged(folded(liver, places))["folds"]
    assert found.verdict == "flagged"
    assert found.value == pytest.approx(100 * places.mean(), rel=0.5)


INKS = {
    "green": (40, 140, 70),
    "blue": (50, 70, 170),
    "black": (25, 25, 30),
    "red": (210, 20, 25),
}


@pytest.mark.parametrize("colour", INKS)
def test_pen_marks_are_found_and_measured(piece: RGB, colour: str) -> None:
    places = band(piece.shape, width_px=120, at=0.1)
    found = judged(inked(piece, INKS[colour], places))["ink"]
    assert found.verdict == "flagged"
    assert colour in found.text
    # Blue ink over pink tissue is violet, as tissue may be.
    assert found.value == pytest.approx(
        places.sum() * 0.25e-6, rel=0.65 if colour == "blue" else 0.35
    )


def test_ink_without_a_pixel_size_is_a_share(piece: RGB) -> None:
    places = band(piece.shape, width_px=120, at=0.1)
    found = judged(inked(piece, INKS["green"], places), None)["ink"]
    assert (found.verdict, found.unit) == ("flagged", "% of the picture")
    assert found.value == pytest.approx(100 * places.mean(), rel=0.35)


def test_light(liver: RGB) -> None:
    part = liver[:768, :768]
    assert "Over-exposed" in judged(exposed(part, 2.0))["light"].text
    assert judged(exposed(part, 0.6))["white"].verdict == "flagged"
    assert judged(part)["light"].verdict == "good"


def test_the_rim_of_a_bubble_on_glass() -> None:
    bare = np.full((3600, 3600, 3), 242, np.uint8)
    bare[:600, :600] = drawn(600, 600, seed=3)
    assert judged(bare)["glass"].verdict == "good"
    found = judged(bubble(bare, 2200, 2200, 1200))["glass"]
    assert found.verdict == "flagged"
    assert "1.7 mm" in found.text  # across the square around it


def mounted(rgb: RGB, y: float, x: float, radius: float, dark: float = 0.6) -> RGB:
    """An air bubble over tissue: what lies inside is blurred, its rim dark."""
    rows, columns = np.ogrid[: rgb.shape[0], : rgb.shape[1]]
    angle = np.arctan2(rows - y, columns - x)
    away = np.hypot(rows - y, columns - x) - radius * (1 + 0.015 * np.sin(2 * angle + 1))
    soft = blurred(rgb, 6, away < 0).astype(np.float32)
    shade = 1 - dark * np.exp(-((away / 14) ** 2))
    return np.clip(np.rint(soft * shade[..., None]), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("y", "x", "radius", "dark"),
    [(768, 768, 500, 0.6), (768, 768, 300, 0.35), (600, 200, 400, 0.6), (900, 900, 640, 0.8)],
    ids=["whole", "small and pale", "cut by the edge", "large"],
)
def test_a_bubble_over_tissue(liver: RGB, y: float, x: float, radius: float, dark: float) -> None:
    assert judged(liver)["bubbles"].value == 0
    found = judged(mounted(liver, y, x, radius, dark))["bubbles"]
    rows, columns = np.ogrid[:SIDE, :SIDE]
    inside = np.hypot(rows - y, columns - x) < radius
    assert found.verdict == "flagged"
    assert found.value == pytest.approx(100 * inside.mean(), rel=0.15)


def test_bubbles_in_fat_liver_and_across_its_edge(piece: RGB) -> None:
    fat = drawn(SIDE, SIDE, seed=8, fat=40)
    assert judged(fat)["bubbles"].value == 0
    assert judged(mounted(fat, 700, 800, 450))["bubbles"].verdict == "flagged"
    assert judged(mounted(piece, 768, 250, 350))["bubbles"].verdict == "flagged"


@pytest.mark.parametrize("seed", range(10, 18))
def test_vessels_and_droplets_are_no_bubbles(seed: int) -> None:
    found = judged(drawn(1024, 1024, seed=seed, glass=seed % 2 == 0, fat=(0, 20, 45)[seed % 3]))
    assert found["bubbles"].value == 0


@pytest.mark.parametrize(("quality_", "verdict"), [(8, "flagged"), (80, "good")])
def test_strong_compression(liver: RGB, quality_: int, verdict: str) -> None:
    file = io.BytesIO()
    Image.fromarray(liver[:768, :768]).save(file, "JPEG", quality=quality_)
    assert judged(np.asarray(Image.open(file)))["compression"].verdict == verdict


def test_stain_that_is_too_pale(liver: RGB) -> None:
    pale = 255 - (255 - liver[:768, :768].astype(np.float32)) * 0.2
    found = judged(pale.astype(np.uint8))
    assert found["stain"].verdict == "flagged"


def test_given_tissue_is_where_it_looks(liver: RGB) -> None:
    right = np.arange(SIDE)[None, :] >= SIDE // 2
    slide = slide_of(blurred(liver, 5, np.broadcast_to(right, liver.shape[:2])))
    frame = slide.frame().coarser(16)
    left = np.arange(SIDE // 16)[None, :] < SIDE // 32 - 4
    tissue = Mask(np.broadcast_to(left, (SIDE // 16, SIDE // 16)).copy(), frame)
    found = st.quality(slide, tissue)
    assert found["focus"].value == pytest.approx(0, abs=5)
    assert found["tissue"].value == tissue.area_mm2
    with pytest.raises(MissingScaleError):
        st.quality(slide_of(liver, None), tissue)


def test_the_same_seed_sees_the_same_places(liver: RGB) -> None:
    slide = slide_of(liver)
    assert st.quality(slide, seed=4) == st.quality(slide, seed=4)


def test_an_aspect_that_is_not_there() -> None:
    with pytest.raises(UnknownNameError, match="it has: tissue, focus"):
        judged(glass(64, 64))["dust"]
