"""Nuclei of known place and shape, painted on eosin."""

from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.imaging.nuclei import (
    NuclearStain,
    NucleusRule,
    contrast_of,
    find_nuclei,
    fit_threshold,
)
from napari_steatosis.imaging.separation import separation

UM = 0.5
EOSIN, PURPLE, DARK = (222, 150, 190), (110, 85, 160), (20, 10, 60)
STAINS = separation("H&E", white=(245, 245, 245))


def ground(side=400, seed=0):
    rgb = np.empty((side, side, 3))
    rgb[:] = EOSIN
    return rgb + np.random.default_rng(seed).normal(0, 4, rgb.shape)


def ellipse(shape, y, x, long, short, angle=0.0):
    """Pixels of an ellipse with half axes in um around a centre in px."""
    rows, columns = np.indices(shape) * UM
    dy, dx = rows - y * UM, columns - x * UM
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    return (along / long) ** 2 + (across / short) ** 2 <= 1


def found(rgb, fat=None, tissue=None, rule=None):
    pixels = np.clip(rgb, 0, 255).astype(np.uint8)
    shape = pixels.shape[:2]
    fat = np.zeros(shape, bool) if fat is None else fat
    tissue = np.ones(shape, bool) if tissue is None else tissue
    solid = tissue & ~fat
    threshold = fit_threshold(contrast_of(pixels, solid, STAINS, UM)[solid])
    return find_nuclei(pixels, tissue, fat, NuclearStain(STAINS, threshold, UM), rule=rule)


def with_nuclei(places, rgb=None, colour=PURPLE, long=3.6, short=3.4):
    rgb = ground() if rgb is None else rgb
    for y, x in places:
        rgb[ellipse(rgb.shape[:2], y, x, long, short)] = colour
    return rgb


GRID = [(y, x) for y in range(60, 360, 60) for x in range(60, 360, 60)]


def test_round_nuclei_are_found_where_they_are_and_as_large():
    nuclei = found(with_nuclei(GRID))
    assert len(nuclei.y_px) == len(GRID)
    np.testing.assert_allclose(np.stack([nuclei.y_px, nuclei.x_px], axis=1), GRID, atol=1.0)
    assert nuclei.area_px * UM**2 == pytest.approx(np.pi * 3.6 * 3.4, rel=0.25)
    assert not nuclei.with_fat.any()


def test_two_that_touch_are_two():
    rgb = with_nuclei([*GRID[:-1], (300, 300), (300, 314)])
    nuclei = found(rgb)
    assert len(nuclei.y_px) == len(GRID) + 1
    near = np.abs(nuclei.y_px - 300) + np.abs(nuclei.x_px - 307) < 12
    assert np.count_nonzero(near) == 2


@pytest.mark.parametrize(
    ("colour", "long", "short"),
    [(PURPLE, 7.0, 1.6), (DARK, 2.4, 2.4), (PURPLE, 1.4, 1.4), (PURPLE, 9.0, 9.0)],
    ids=["sinusoid", "lymphocyte", "speck", "blot"],
)
def test_what_is_no_hepatocytes_nucleus_is_left_out(colour, long, short):
    rgb = with_nuclei(GRID[:-3])
    for y, x in GRID[-3:]:
        rgb[ellipse(rgb.shape[:2], y, x, long, short, 0.6)] = colour
    nuclei = found(rgb)
    assert len(nuclei.y_px) == len(GRID) - 3


def test_a_droplet_is_that_of_the_nucleus_beside_it():
    rgb = with_nuclei(GRID)
    fat = np.zeros(rgb.shape[:2], bool)
    for y, x in GRID[:5]:
        fat |= ellipse(fat.shape, y, x + 22, 6.0, 6.0)
    rgb[fat] = 243
    nuclei = found(rgb, fat)
    order = np.lexsort((np.rint(nuclei.x_px / 60), np.rint(nuclei.y_px / 60)))
    assert nuclei.with_fat[order].tolist() == [True] * 5 + [False] * (len(GRID) - 5)
    assert np.all(nuclei.fat_px[nuclei.with_fat] > 0)


def test_a_droplet_of_another_cell_counts_there_alone():
    """Most of it lies in the territory of the right nucleus, and its rim in that of the left."""
    rgb = with_nuclei([*GRID[:1], (200, 200), (200, 240)])
    fat = ellipse(rgb.shape[:2], 200, 223, 3.0, 3.0)
    rgb[fat] = 243
    nuclei = found(rgb, fat)
    assert nuclei.with_fat[np.argmin(np.hypot(nuclei.y_px - 200, nuclei.x_px - 240))]
    assert np.count_nonzero(nuclei.with_fat) == 1


def test_fat_far_from_every_nucleus_or_too_small_makes_no_hepatocyte_fatty():
    rgb = with_nuclei(GRID)
    fat = ellipse(rgb.shape[:2], 90, 90, 4.0, 4.0)  # 15 um from four nuclei
    fat |= ellipse(rgb.shape[:2], 60, 72, 0.7, 0.7)
    rgb[fat] = 243
    assert not found(rgb, fat).with_fat.any()


def test_a_vessel_is_nobodys_territory():
    rgb = with_nuclei(GRID)
    tissue = np.ones(rgb.shape[:2], bool)
    tissue[:, 70:110] = False
    nuclei = found(rgb, tissue=tissue)
    assert not nuclei.territories[:, 70:110].any()
    reach = np.sqrt(150 / np.pi) + NucleusRule().territory_um
    assert nuclei.territory_px.max() * UM**2 < np.pi * reach**2


def test_without_tissue_nothing_can_be_fitted():
    with pytest.raises(BadValueError, match="only 0 pixels"):
        fit_threshold(np.zeros(0, np.float32))


def test_without_nuclei_there_are_none():
    stain = NuclearStain(STAINS, 0.3, UM)
    pixels = np.clip(ground(80), 0, 255).astype(np.uint8)
    whole = np.ones((80, 80), bool)
    nuclei = find_nuclei(pixels, whole, ~whole, stain)
    assert len(nuclei.y_px) == len(nuclei.with_fat) == 0
    assert not nuclei.territories.any()
