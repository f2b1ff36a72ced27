"""White things of the drawn liver that are no fat: holes, loose tissue, debris, pallor."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging.phantom import DrawnLiver, drawn_liver

UNHURT = {"tears": 0.0, "holes": 0.0, "loose": 0.0, "debris": 0.0, "pallor": 0.0}


def liver(side: int, *, seed: int, glass: bool = False, fat: float = 0.0, **style: float):
    drawn = drawn_liver(side, side, seed=seed, fat_percent=fat, glass=glass).source
    assert isinstance(drawn, DrawnLiver)
    return replace(drawn, style=replace(drawn.style, **{**UNHURT, **style}))


def whiteness(drawn: DrawnLiver) -> NDArray[np.uint8]:
    return drawn.read(0, drawn.bounds).min(axis=2)


@pytest.mark.parametrize("glass", [True, False])
def test_damaged_tissue_does_not_depend_on_the_regions_read(glass: bool) -> None:
    full = dict.fromkeys(("holes", "loose", "fray", "debris", "pallor", "swelling"), 0.9)
    drawn = liver(900, seed=5, glass=glass, fat=20, **full)
    whole = Region(y=31, x=77, height=401, width=440)
    pixels, truth = drawn.read(0, whole), drawn.truth(whole)
    assert {0, 1, 2} == set(np.unique(truth).tolist())
    for y in range(0, 401, 173):
        for x in range(0, 440, 151):
            part = Region(y=31 + y, x=77 + x, height=173, width=151).intersect(whole)
            assert part is not None
            assert np.array_equal(drawn.read(0, part), pixels[part.within(whole)])
            assert np.array_equal(drawn.truth(part), truth[part.within(whole)])


@pytest.mark.parametrize("name", ["holes", "loose"])
def test_holes_and_gaps_are_white_and_no_tissue(name: str) -> None:
    unhurt, hurt = liver(900, seed=7), liver(900, seed=7, **{name: 1.0})
    opened = (hurt.truth(hurt.bounds) == 0) & (unhurt.truth(unhurt.bounds) == 1)
    assert 0.02 < opened.mean() < 0.6
    assert np.median(whiteness(hurt)[opened]) > np.median(whiteness(unhurt)[opened]) + 40


def test_holes_have_a_longer_rim_where_tissue_frays() -> None:
    def rim(fray: float) -> float:
        glass = liver(900, seed=7, holes=1.0, fray=fray).truth(
            Region(y=0, x=0, height=900, width=900)
        )
        edges = np.count_nonzero(np.diff((glass == 0).astype(int), axis=0))
        return edges / np.sqrt(np.count_nonzero(glass == 0))

    assert rim(1.0) > 1.15 * rim(0.0)


def test_pale_cytoplasm_is_whiter_and_still_tissue() -> None:
    plain, pale = liver(900, seed=7), liver(900, seed=7, pallor=1.0)
    assert np.array_equal(plain.truth(plain.bounds), pale.truth(pale.bounds))
    assert (whiteness(pale) > whiteness(plain).astype(int) + 30).mean() > 0.03


def test_debris_lies_on_glass_near_tissue_only() -> None:
    clean, dirty = (liver(900, seed=7, glass=True, debris=amount) for amount in (0.0, 1.0))
    assert np.array_equal(clean.truth(clean.bounds), dirty.truth(dirty.bounds))
    changed = np.abs(whiteness(dirty).astype(int) - whiteness(clean)) > 40
    glass = clean.truth(clean.bounds) == 0
    assert changed.sum() > 200
    assert (changed & glass).sum() > 0.8 * changed.sum()
    assert not changed[:20, :20].any()


def test_swollen_droplets_are_large_and_packed() -> None:
    drawn = liver(1000, seed=9, fat=35, size=0.95, swelling=0.8)
    table, truth = drawn.droplets(drawn.bounds), drawn.truth(drawn.bounds)
    large = table["radius_px"] > 30
    area = np.pi * (table["radius_px"] ** 2)
    assert area[large].sum() > 0.4 * area.sum()
    assert (truth == 2).mean() == pytest.approx(0.35, abs=0.07)


def test_packed_fat_is_as_much_as_was_asked_for() -> None:
    """Above 45 percent droplets of many sizes fill what the larger ones leave."""
    for seed, fat in ((1, 47), (2, 55), (3, 60)):
        drawn = liver(1000, seed=seed, fat=fat)
        assert drawn.true_fat_percent() == pytest.approx(fat, rel=0.06)
        table = drawn.droplets(drawn.bounds)
        area = np.pi * table["radius_px"] ** 2
        assert area[table["radius_px"] > 16].sum() > 0.6 * area.sum()  # 8 um


def test_packed_fat_does_not_depend_on_the_regions_read() -> None:
    drawn = liver(1200, seed=5, fat=60, glass=True)
    whole = Region(y=531, x=277, height=301, width=340)
    pixels, found = drawn.read(0, whole), drawn.instances(whole)
    assert len(np.unique(found)) > 60
    for y in range(0, 301, 131):
        for x in range(0, 340, 117):
            part = Region(y=531 + y, x=277 + x, height=131, width=117).intersect(whole)
            assert part is not None
            assert np.array_equal(drawn.read(0, part), pixels[part.within(whole)])
            assert np.array_equal(drawn.instances(part), found[part.within(whole)])
