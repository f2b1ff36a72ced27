"""Stains are told apart: amounts that were mixed are found again, and colours of one alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

from arrays import slide_of, stained_ground
from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.imaging.optics import optical_density, rgb_of_density
from napari_steatosis.imaging.separation import SEPARATIONS, StainSeparation, separation
from napari_steatosis.imaging.stain import fit_stain

NAMES = list(SEPARATIONS)


@pytest.mark.parametrize("name", NAMES)
def test_mixed_amounts_are_found_again(name: str) -> None:
    stains = separation(name, white=(250, 248, 246))
    amounts = np.random.default_rng(0).uniform(0, 0.6, (40, 50, len(stains.names)))
    rgb = rgb_of_density(amounts @ np.asarray(stains.vectors), stains.white)
    found = stains.amounts(rgb)
    assert found.dtype == np.float32
    assert found.shape == (len(stains.names), 40, 50)
    apart = np.linalg.svd(np.asarray(stains.vectors), compute_uv=False)[-1]
    assert np.abs(np.moveaxis(found, 0, -1) - amounts).max() < 0.01 / apart  # of rounding to 8 bits


@pytest.mark.parametrize("name", NAMES)
def test_amounts_not_below_0_are_those_of_another_solver(name: str) -> None:
    stains = separation(name)
    rgb = np.random.default_rng(1).integers(1, 256, (300, 3), np.uint8)
    found = stains.amounts(rgb, non_negative=True)
    vectors = np.asarray(stains.vectors).T
    expected = [nnls(vectors, density)[0] for density in optical_density(rgb).astype(float)]
    assert pytest.approx(np.asarray(expected), abs=2e-4) == found.T
    free = stains.amounts(rgb)
    assert (free < -0.01).any()
    inside = (free >= 0).all(axis=0)
    assert (found[:, inside] == free[:, inside]).all()


@pytest.mark.parametrize("name", NAMES)
def test_the_colour_of_one_stain_alone(name: str) -> None:
    stains = separation(name)
    for index in range(len(stains.names)):
        rgb = stains.rgb_of(index, np.float32([[0.0, 0.5], [1.0, 1.4]]))
        assert rgb.shape == (2, 2, 3)
        assert rgb.dtype == np.uint8
        assert rgb[0, 0].tolist() == [245, 245, 245]
        again = stains.amounts(rgb, non_negative=True)
        assert again[index].ravel() == pytest.approx([0, 0.5, 1.0, 1.4], abs=0.1)


def test_every_colour_has_finite_amounts() -> None:
    rgb = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), axis=-1)
    for name in NAMES:
        for non_negative in (False, True):
            found = separation(name).amounts(rgb, non_negative=non_negative)
            assert np.isfinite(found).all()
            assert not non_negative or (found >= 0).all()


def test_the_stains_of_a_fitted_slide() -> None:
    slide = slide_of(stained_ground(600, 600))
    for method in ("macenko", "vahadane"):
        fitted = fit_stain(slide, method=method)
        stains = separation(fitted)
        assert stains.names == ("haematoxylin", "eosin")
        assert stains.white == fitted.white  # type: ignore[attr-defined]
        assert np.asarray(stains.vectors) == pytest.approx(np.asarray(fitted.stains))  # type: ignore[attr-defined]
        nuclei, ground = stains.amounts(np.uint8([[95, 70, 145], [215, 150, 190]])).T
        assert nuclei[0] > 3 * ground[0]
    with pytest.raises(BadValueError, match="'reinhard' fits no stain vectors"):
        separation(fit_stain(slide, method="reinhard"))


def test_bad_values_are_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"no separation named 'PAS'\. Known: H&E"):
        separation("PAS")
    with pytest.raises(BadValueError, match="a name each"):
        StainSeparation(("one",), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    with pytest.raises(BadValueError, match="finite and not 0"):
        StainSeparation(("one", "other"), ((1.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    with pytest.raises(BadValueError, match="cannot be told apart"):
        StainSeparation(("one", "other"), ((0.6, 0.7, 0.3), (1.2, 1.4, 0.61)))
    with pytest.raises(BadValueError, match="White must be"):
        separation("H&E", white=(0, 255, 255))
