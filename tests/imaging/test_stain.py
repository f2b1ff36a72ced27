"""Stain transforms: fitted once, the same for every tile, white untouched, never NaN."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2lab

from arrays import glass, slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.core.slide import Slide
from napari_steatosis.core.stain import StainTransform
from napari_steatosis.imaging.optics import optical_density, rgb_of_density
from napari_steatosis.imaging.percentile import Stretch
from napari_steatosis.imaging.references import reference_named
from napari_steatosis.imaging.reinhard import REINHARD, Reinhard, to_lab
from napari_steatosis.imaging.stain import STAINS, fit_stain, stain_from_json
from napari_steatosis.imaging.stain_sample import StainSample, stained_of
from napari_steatosis.imaging.tissue import find_tissue
from napari_steatosis.imaging.two_stains import TwoStains

METHODS = list(STAINS)
FINDERS = ["macenko", "vahadane"]
WHITE = (243.0, 243.0, 243.0)
KNOWN = np.array([[0.60, 0.70, 0.38], [0.15, 0.90, 0.41]])
KNOWN /= np.linalg.norm(KNOWN, axis=1, keepdims=True)


def fitted_to(slide: Slide, method: str, **given: Any) -> Any:
    """Fit a slide; a method that is told the stains gets the published ones."""
    by_hand = {"stains": "H&E"} if method == "matrix" else {}
    return fit_stain(slide, method=method, **by_hand, **given)


def sample_of(pixels: NDArray[np.uint8], white: tuple[float, float, float]) -> StainSample:
    flat = pixels.reshape(-1, 3)
    return StainSample(white, stained_of(flat, white), flat)


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


@pytest.fixture(scope="module")
def fits(tile: NDArray[np.uint8]) -> dict[str, Any]:
    """Every method, fitted to the same tile."""
    slide = slide_of(tile, 0.25)
    tissue = find_tissue(slide)
    return {method: fitted_to(slide, method, tissue=tissue) for method in METHODS}


@pytest.mark.parametrize("method", FINDERS)
def test_known_stains_are_found_and_mapped_to_the_reference(method: str) -> None:
    amounts = mixed(490_000)
    pixels = rgb_of_density(amounts @ KNOWN, WHITE)
    fitted = fit_stain(slide_of_pixels(pixels), method=method)
    assert isinstance(fitted, TwoStains)
    assert np.asarray(fitted.stains) == pytest.approx(KNOWN, abs=0.03)
    assert fitted.concentrations == pytest.approx(np.percentile(amounts, 99, axis=0), rel=0.05)
    after = fitted.apply(pixels[:100_000])
    goal = fitted.reference
    again = STAINS[method].fit(sample_of(after, fitted.white), reference_named("he"))
    assert np.asarray(again.stains) == pytest.approx(np.asarray(goal.stains), abs=0.04)
    assert again.concentrations == pytest.approx(goal.concentrations, rel=0.06)
    assert fitted.findings == ()


def test_stains_given_by_hand_are_used_as_given() -> None:
    amounts = mixed(490_000)
    slide = slide_of_pixels(rgb_of_density(amounts @ KNOWN, WHITE))
    fitted = fit_stain(slide, method="matrix", stains=KNOWN * 3)
    assert isinstance(fitted, TwoStains)
    assert np.asarray(fitted.stains) == pytest.approx(KNOWN)
    assert fitted.concentrations == pytest.approx(np.percentile(amounts, 99, axis=0), rel=0.05)


def test_the_stretch_is_that_of_the_percentiles_of_grey() -> None:
    pixels = stained_ground(600, 600)
    fitted = fit_stain(slide_of(pixels, 2.0), method="percentile")
    assert isinstance(fitted, Stretch)
    grey = np.rint(pixels @ [0.299, 0.587, 0.114])
    assert (fitted.low, fitted.high) == pytest.approx(np.percentile(grey, [0.1, 99.9]), abs=1)
    all_of_it = replace(fitted, spares_white=False).apply(pixels)
    expected = (pixels - fitted.low) * 255 / (fitted.high - fitted.low)
    assert np.abs(all_of_it - np.clip(expected, 0, 255)).max() <= 0.51


def test_lab_is_that_of_the_standard() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5000, 3)).astype(np.uint8)
    own = to_lab(pixels, (255.0, 255.0, 255.0))
    assert own == pytest.approx(rgb2lab(pixels[None])[0], abs=0.05)


def test_reinhard_gives_the_tissue_the_mean_and_spread_of_the_reference() -> None:
    pixels = rgb_of_density(mixed(90_000) @ [[0.6, 0.7, 0.38], [0.1, 0.9, 0.42]], WHITE)
    goal = reference_named("he")
    fitted = REINHARD.fit(sample_of(pixels, WHITE), goal)
    after = to_lab(fitted.apply(pixels), WHITE)
    assert after.mean(0) == pytest.approx(goal.mean, abs=1.5)
    assert after.std(0) == pytest.approx(goal.spread, abs=1.5)


@pytest.mark.parametrize("method", METHODS)
def test_white_of_a_real_slide_stays(
    method: str, tile: NDArray[np.uint8], fits: dict[str, Any]
) -> None:
    fitted = fits[method]
    after = fitted.apply(tile)
    density = optical_density(tile, fitted.white).max(-1)
    assert (after[density < 0.15] == tile[density < 0.15]).all()
    assert (after[density > 0.5] != tile[density > 0.5]).any()
    if method != "percentile":  # which makes pale tissue white on purpose
        bright = [(pixels.min(-1) > 210).mean() for pixels in (tile, after)]
        assert abs(bright[1] - bright[0]) < 0.003  # white area, and with it fat, is the same


@pytest.mark.parametrize("method", [*FINDERS, "reinhard"])
def test_a_real_slide_moves_to_the_reference(
    method: str, tile: NDArray[np.uint8], fits: dict[str, Any]
) -> None:
    fitted = fits[method]
    again = fitted_to(slide_of(fitted.apply(tile), 0.25), method)
    goal = fitted.reference
    if isinstance(again, TwoStains):
        assert again.concentrations == pytest.approx(goal.concentrations, rel=0.12)
        assert (np.sum(np.multiply(again.stains, goal.stains), axis=1) > 0.99).all()
    else:
        assert isinstance(again, Reinhard)
        assert again.mean == pytest.approx(goal.mean, abs=2)
        assert again.spread == pytest.approx(goal.spread, rel=0.2)


@pytest.mark.parametrize("method", METHODS)
def test_a_tile_does_not_know_its_neighbours(
    method: str, tile: NDArray[np.uint8], fits: dict[str, Any]
) -> None:
    fitted = fits[method]
    whole = fitted.apply(tile[:700, :900])
    assert (fitted.apply(tile[300:411, 200:507]) == whole[300:411, 200:507]).all()
    assert fitted.apply(tile[:0]).shape == (0, tile.shape[1], 3)


@pytest.mark.parametrize("method", METHODS)
def test_json_restores_the_same_transform(method: str) -> None:
    fitted = fitted_to(slide_of(stained_ground(500, 500)), method)
    assert isinstance(fitted, StainTransform)
    for one in (fitted, replace(fitted, spares_white=False)):
        restored = stain_from_json(json.loads(json.dumps(one.to_json())))
        assert restored == one
        pixels = stained_ground(90, 80, seed=5)
        assert (restored.apply(pixels) == one.apply(pixels)).all()
        assert (pickle.loads(pickle.dumps(one)).apply(pixels) == one.apply(pixels)).all()


def test_parameters_of_the_first_version_are_read() -> None:
    goal = {
        "name": "he",
        "stains": [[0.5255, 0.7359, 0.4269], [0.0349, 0.8308, 0.5555]],
        "concentrations": [2.2383, 1.1033],
        "mean": [60.389, 33.334, -10.373],
        "spread": [14.59, 9.187, 5.296],
    }
    shared = {"version": 1, "reference": goal, "white": [245.0, 244.0, 243.0]}
    own = {"stains": [[0.6, 0.7, 0.38], [0.1, 0.9, 0.42]], "concentrations": [1.5, 0.9]}
    first = stain_from_json({"method": "macenko", **shared, **own})
    assert isinstance(first, TwoStains)
    assert (first.name, first.spares_white, first.concentrations) == ("macenko", True, (1.5, 0.9))
    own = {"mean": [65.0, 30.0, -12.0], "spread": [12.0, 8.0, 6.0]}
    second = stain_from_json({"method": "reinhard", **shared, **own})
    assert isinstance(second, Reinhard)
    assert second.reference.concentrations == (2.2383, 1.1033)
    for one in (first, second):
        assert one.apply(np.uint8([[90, 40, 120]])).tolist() != [[90, 40, 120]]


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_fit(method: str) -> None:
    slide = slide_of(stained_ground(1200, 1200))
    first = fitted_to(slide, method, seed=3)
    assert first == fitted_to(slide, method, seed=3)
    if method != "percentile":  # which looks at the same places always
        assert first != fitted_to(slide, method, seed=4)


@pytest.mark.parametrize("spares_white", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_no_colour_is_off_by_more_than_one_level(
    method: str, spares_white: bool, tile: NDArray[np.uint8], fits: dict[str, Any]
) -> None:
    fitted = replace(fits[method], spares_white=spares_white)
    rng = np.random.default_rng(0)
    pixels = np.concatenate([tile[::7, ::7].reshape(-1, 3), rng.integers(0, 256, (20_000, 3))])
    pixels = pixels.astype(np.uint8)
    assert np.abs(fitted.apply(pixels) - in_double_precision(fitted, pixels)).max() <= 1


def in_double_precision(fitted: Any, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the grey values of the formula of a method, not rounded."""
    white = np.asarray(fitted.white)
    density = np.clip(-np.log(np.maximum(pixels, 1) / white), 0, None)
    if isinstance(fitted, Stretch):
        new = np.clip((pixels - fitted.low) * 255 / (fitted.high - fitted.low), 0, 255)
    elif isinstance(fitted, TwoStains):
        factors = np.divide(fitted.reference.concentrations, fitted.concentrations)
        amounts = density @ np.linalg.pinv(np.asarray(fitted.stains)) * np.clip(factors, 1 / 3, 3)
        new = white * np.exp(-amounts @ np.asarray(fitted.reference.stains))
    else:
        lab = rgb2lab(np.clip(pixels / white, 0, 1)[None])[0]
        factors = np.clip(np.divide(fitted.reference.spread, fitted.spread), 1 / 3, 3)
        lab = (lab - fitted.mean) * factors + fitted.reference.mean
        new = white * _rgb_of_lab(lab)
    if fitted.spares_white:
        least = np.minimum(np.log(white / np.maximum(pixels, 1)).max(1, keepdims=True), 0.35)
        after = np.log(white / np.maximum(new, 1)).max(1, keepdims=True)
        new = new * np.exp(np.minimum(after - least, 0))
        rise = np.clip((density.max(1, keepdims=True) - 0.15) / 0.2, 0, 1)
        new = pixels + rise**2 * (3 - 2 * rise) * (np.clip(new, None, 1e4) - pixels)
    return np.clip(new, 0, 255)


def _rgb_of_lab(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sRGB, cut off at 0 and 1, of L, a, b (CIE 1976, IEC 61966-2-1)."""
    fy = (lab[:, 0] + 16) / 116
    root = np.stack([fy + lab[:, 1] / 500, fy, fy - lab[:, 2] / 200], axis=1)
    share = np.where(root > 6 / 29, root**3, (root - 4 / 29) * 3 * (6 / 29) ** 2)
    to_xyz = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    light = np.clip(np.linalg.solve(to_xyz, (share * to_xyz.sum(1)).T).T, 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_unknown_names_and_values_are_refused() -> None:
    slide = slide_of(stained_ground(600, 600))
    with pytest.raises(UnknownNameError, match="Did you mean 'macenko'"):
        fit_stain(slide, method="maceko")
    with pytest.raises(UnknownNameError, match="no stain reference named 'mars'"):
        fit_stain(slide, reference="mars")
    with pytest.raises(BadValueError, match="not the parameters of a stain transform"):
        stain_from_json({"method": "macenko"})
    later = fit_stain(slide).to_json() | {"version": 3}
    with pytest.raises(BadValueError, match="are of version 3, this program reads up to 2"):
        stain_from_json(later)
    with pytest.raises(BadValueError, match="give `stains` with method 'matrix' only"):
        fit_stain(slide, stains="H&E")
    with pytest.raises(BadValueError, match="'matrix' needs `stains`"):
        fit_stain(slide, method="matrix")
    with pytest.raises(BadValueError, match="Give two stain vectors"):
        fit_stain(slide, method="matrix", stains="Masson trichrome")
    with pytest.raises(BadValueError, match="less than 6 degrees apart"):
        fit_stain(slide, method="matrix", stains=[[0.6, 0.7, 0.3], [1.2, 1.4, 0.61]])
