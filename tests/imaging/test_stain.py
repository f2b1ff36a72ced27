"""Stain transforms: fitted once, the same for every tile, white untouched, never NaN."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from arrays import glass, slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.core.slide import Slide
from napari_steatosis.core.stain import StainTransform
from napari_steatosis.imaging.macenko import Macenko
from napari_steatosis.imaging.optics import optical_density, rgb_of_density
from napari_steatosis.imaging.references import reference_named
from napari_steatosis.imaging.reinhard import Reinhard, to_lab
from napari_steatosis.imaging.stain import STAINS, fit_stain, stain_from_json

METHODS = list(STAINS)
WHITE = (243.0, 243.0, 243.0)


def mixed(n: int) -> NDArray[np.float64]:
    """Amounts of two stains, a tenth of the pixels pure in each."""
    rng = np.random.default_rng(1)
    share = rng.random(n)
    share[: n // 10], share[n // 10 : n // 5] = 0, 1
    return np.stack([share, 1 - share], axis=1) * (1.6, 0.9) * rng.uniform(0.3, 1, (n, 1))


def slide_of_pixels(pixels: NDArray[np.uint8]) -> Slide:
    """A square of stained pixels of 1 um with a rim of glass."""
    side = int(np.sqrt(len(pixels)))
    canvas = glass(side + 200, side + 200)
    canvas[100:-100, 100:-100] = pixels[: side * side].reshape(side, side, 3)
    return slide_of(canvas, 1.0)


@pytest.fixture(scope="module")
def tile(shared_data: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(shared_data / "liver/liverquant/tile03_HE.jpg").convert("RGB"))


def test_macenko_finds_known_stains_and_maps_them_to_the_reference() -> None:
    stains = np.array([[0.60, 0.70, 0.38], [0.15, 0.90, 0.41]])
    stains /= np.linalg.norm(stains, axis=1, keepdims=True)
    amounts = mixed(490_000)
    pixels = rgb_of_density(amounts @ stains, WHITE)
    fitted = fit_stain(slide_of_pixels(pixels))
    assert isinstance(fitted, Macenko)
    assert np.asarray(fitted.stains) == pytest.approx(stains, abs=0.03)
    assert fitted.concentrations == pytest.approx(np.percentile(amounts, 99, axis=0), rel=0.05)
    after = fitted.apply(pixels[:100_000])
    goal = reference_named("he")
    refitted = Macenko.fit(after, fitted.white, goal)
    assert np.asarray(refitted.stains) == pytest.approx(np.asarray(goal.stains), abs=0.04)
    assert refitted.concentrations == pytest.approx(goal.concentrations, rel=0.06)


def test_macenko_is_near_to_published_stain_matrices(shared_data: Path) -> None:
    folder = shared_data / "stain/histolab"
    expected = json.loads((folder / "expected_values.json").read_text())["macenko"]
    for name in ("tissue-level0-7352-11762-7864-12274.png", "medium-nuclei-score-level1.png"):
        pixels = np.asarray(Image.open(folder / name).convert("RGB")).reshape(-1, 3)
        fitted = Macenko.fit(pixels, (240.0, 240.0, 240.0), reference_named("he"))
        published = np.asarray(expected[name]["stain_matrix"]).T[:2]
        cosine = (np.asarray(fitted.stains) * published).sum(1)
        assert (cosine > 0.985).all(), (name, cosine)  # there, pale pixels are left out


def test_lab_is_that_of_the_standard() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5000, 3)).astype(np.uint8)
    own = to_lab(pixels, (255.0, 255.0, 255.0))
    assert own == pytest.approx(rgb2lab(pixels[None])[0], abs=0.05)


def test_reinhard_gives_the_tissue_the_mean_and_spread_of_the_reference() -> None:
    pixels = rgb_of_density(mixed(90_000) @ [[0.6, 0.7, 0.38], [0.1, 0.9, 0.42]], WHITE)
    goal = reference_named("he")
    fitted = Reinhard.fit(pixels, WHITE, goal)
    after = to_lab(fitted.apply(pixels), WHITE)
    assert after.mean(0) == pytest.approx(goal.mean, abs=1.5)
    assert after.std(0) == pytest.approx(goal.spread, abs=1.5)


@pytest.mark.parametrize("method", METHODS)
def test_a_real_slide_moves_to_the_reference_and_its_white_stays(
    method: str, tile: NDArray[np.uint8]
) -> None:
    fitted = fit_stain(slide_of(tile, 0.25), method=method)
    after = fitted.apply(tile)
    density = optical_density(tile, fitted.white).max(-1)  # type: ignore[attr-defined]
    assert (after[density < 0.15] == tile[density < 0.15]).all()
    goal, again = reference_named("he"), fit_stain(slide_of(after, 0.25), method=method)
    if isinstance(again, Macenko):
        assert again.concentrations == pytest.approx(goal.concentrations, rel=0.12)
        assert (np.sum(np.multiply(again.stains, goal.stains), axis=1) > 0.99).all()
    else:
        assert isinstance(again, Reinhard)
        assert again.mean == pytest.approx(goal.mean, abs=2)
        assert again.spread == pytest.approx(goal.spread, rel=0.2)
    bright = [(pixels.min(-1) > 210).mean() for pixels in (tile, after)]
    assert abs(bright[1] - bright[0]) < 0.003  # white area, and with it fat, is the same


@pytest.mark.parametrize("method", METHODS)
def test_a_tile_does_not_know_its_neighbours(method: str, tile: NDArray[np.uint8]) -> None:
    fitted = fit_stain(slide_of(tile, 0.25), method=method)
    whole = fitted.apply(tile[:700, :900])
    assert (fitted.apply(tile[300:411, 200:507]) == whole[300:411, 200:507]).all()
    assert fitted.apply(tile[:0]).shape == (0, tile.shape[1], 3)


@pytest.mark.parametrize("method", METHODS)
def test_json_restores_the_same_transform(method: str) -> None:
    fitted = fit_stain(slide_of(stained_ground(500, 500)), method=method)
    assert isinstance(fitted, StainTransform)
    restored = stain_from_json(json.loads(json.dumps(fitted.to_json())))
    assert restored == fitted
    pixels = stained_ground(90, 80, seed=5)
    assert (restored.apply(pixels) == fitted.apply(pixels)).all()


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_fit(method: str) -> None:
    slide = slide_of(stained_ground(2000, 2000))
    first = fit_stain(slide, method=method, seed=3)
    assert first == fit_stain(slide, method=method, seed=3)
    assert first != fit_stain(slide, method=method, seed=4)


GROUND = stained_ground(600, 600)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("pixels", "finding"),
    [
        (glass(600, 600), "no stained tissue"),
        (np.full_like(GROUND, 255), "no stained tissue"),
        (np.zeros_like(GROUND), "dark all over"),
        (np.repeat(GROUND[..., :1], 3, axis=2), "no stained tissue"),
        (np.full_like(GROUND, (205, 120, 170)), "stain"),
        (GROUND[:44, :44], "only [0-9]+ of [0-9]+ sampled tissue pixels"),
    ],
    ids=["glass", "white", "black", "grey", "one colour", "tiny"],
)
def test_what_holds_no_stain_is_refused(
    method: str, pixels: NDArray[np.uint8], finding: str
) -> None:
    with pytest.raises(BadValueError, match=finding):
        fit_stain(slide_of(pixels, 1.05 if len(pixels) < 100 else 0.5), method=method)


def test_unknown_names_and_values_are_refused() -> None:
    slide = slide_of(GROUND)
    with pytest.raises(UnknownNameError, match="Did you mean 'macenko'"):
        fit_stain(slide, method="maceko")
    with pytest.raises(UnknownNameError, match="no stain reference named 'mars'"):
        fit_stain(slide, reference="mars")
    with pytest.raises(BadValueError, match="not the parameters of a stain transform"):
        stain_from_json({"method": "macenko"})
