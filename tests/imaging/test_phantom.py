"""The drawn liver: the same pixels however it is read, and a truth that matches them."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from napari_steatosis.core.errors import BadValueError, CannotOpenError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.resample import box_mean
from napari_steatosis.core.slide import Slide
from napari_steatosis.imaging.phantom import DrawnLiver, drawn_liver


def liver(height: int, width: int, **values: object) -> DrawnLiver:
    return drawn_liver(height, width, **values).source  # type: ignore[arg-type,return-value]


def pieces(whole: Region, sides: tuple[int, int]) -> list[Region]:
    rows, columns = range(whole.y, whole.y_end, sides[0]), range(whole.x, whole.x_end, sides[1])
    parts = [Region(y=y, x=x, height=sides[0], width=sides[1]) for y in rows for x in columns]
    return [part.intersect(whole) for part in reversed(parts)]  # type: ignore[misc]


@pytest.mark.parametrize("um_per_px", [0.23, 0.5, 1.7])
@pytest.mark.parametrize("glass", [True, False])
def test_pixels_and_truth_do_not_depend_on_the_regions_read(um_per_px: float, glass: bool) -> None:
    drawn = liver(700, 810, um_per_px=um_per_px, seed=5, fat_percent=14, glass=glass)
    whole = Region(y=131, x=77, height=301, width=340)
    for draw in (lambda r: drawn.read(0, r), drawn.truth, drawn.instances):
        expected = draw(whole)
        for part in pieces(whole, (131, 117)):
            assert np.array_equal(draw(part), expected[part.within(whole)])


@pytest.mark.parametrize("level", [2, 4])
def test_coarse_levels_do_not_depend_on_the_regions_read(level: int) -> None:
    drawn = liver(16_000, 16_000, seed=5, fat_percent=14)
    middle, half = 8_000 >> level, 240
    whole = Region(y=middle - half, x=middle - half, height=2 * half, width=2 * half)
    if level == 4:
        whole = Region(y=0, x=0, height=1000, width=1000)
    expected = drawn.read(level, whole)
    assert np.ptp(expected.astype(int)) > 30
    for part in pieces(whole, (297, 311)):
        assert np.array_equal(drawn.read(level, part), expected[part.within(whole)])


def test_coarse_levels_look_like_the_mean_of_the_fine_one() -> None:
    slide = drawn_liver(2048, 2048, seed=4, fat_percent=15)
    mean = slide.read(Region(y=512, x=512, height=1024, width=1024))
    for level in (1, 2, 3):
        mean = box_mean(mean, 2)
        side = 1024 >> level
        region = Region(y=512 >> level, x=512 >> level, height=side, width=side)
        own = slide.source.read(level, region)
        assert np.abs(own.mean((0, 1)) - mean.mean((0, 1))).max() < 9


def test_same_seed_same_liver_and_other_seed_another() -> None:
    region = Region(y=0, x=0, height=64, width=64)
    one = liver(64, 64, seed=1, glass=False).read(0, region)
    assert np.array_equal(one, liver(64, 64, seed=1, glass=False).read(0, region))
    assert not np.array_equal(one, liver(64, 64, seed=2, glass=False).read(0, region))


def test_truth_is_the_instances_and_instances_are_the_table() -> None:
    drawn = liver(900, 900, seed=8, fat_percent=12, glass=False)
    truth, instances = drawn.truth(drawn.bounds), drawn.instances(drawn.bounds)
    assert np.array_equal(truth == 2, instances > 0)
    table = drawn.droplets(drawn.bounds)
    assert set(table["id"]) >= set(np.unique(instances[100:-100, 100:-100])) - {0}
    assert len(np.unique(table["id"])) == len(table["id"])


def test_isolated_droplets_have_the_stated_place_and_size() -> None:
    drawn = liver(1200, 1200, um_per_px=0.25, seed=3, fat_percent=4, glass=False)
    instances, table = drawn.instances(drawn.bounds), drawn.droplets(drawn.bounds)
    places = np.column_stack([table["y_px"], table["x_px"]])
    radius = table["radius_px"]
    checked = 0
    for k in range(len(radius)):
        others = np.delete(np.hypot(*(places - places[k]).T) - radius, k)
        if others.min() < 1.4 * radius[k] + 4 or radius[k] < 8:
            continue
        if (np.abs(places[k] - 600) + 1.5 * radius[k] > 600).any():
            continue
        rows, columns = np.nonzero(instances == table["id"][k])
        assert len(rows) == pytest.approx(np.pi * radius[k] ** 2, rel=0.05)
        assert rows.mean() == pytest.approx(places[k, 0], abs=0.5)
        assert columns.mean() == pytest.approx(places[k, 1], abs=0.5)
        checked += 1
    assert checked > 5


def test_touching_droplets_are_apart_in_the_truth() -> None:
    from scipy import ndimage

    drawn = liver(1000, 1000, seed=12, fat_percent=25, glass=False)
    truth, instances = drawn.truth(drawn.bounds) == 2, drawn.instances(drawn.bounds)
    labels, count = ndimage.label(truth, np.ones((3, 3)))
    low = ndimage.minimum(instances, labels, np.arange(1, count + 1))
    high = ndimage.maximum(instances, labels, np.arange(1, count + 1))
    assert count > 200
    assert np.mean(np.asarray(low) != np.asarray(high)) < 0.01


@pytest.mark.parametrize("wanted", [0.5, 3.0, 10.0, 30.0])
def test_fat_is_near_what_was_wanted(wanted: float) -> None:
    drawn = liver(2000, 2000, seed=21, fat_percent=wanted)
    assert drawn.true_fat_percent() == pytest.approx(wanted, rel=0.15)


def test_no_fat_where_none_is_wanted() -> None:
    drawn = liver(600, 600, seed=4, fat_percent=0, glass=False)
    assert drawn.true_fat_percent() == 0
    assert len(drawn.true_diameters_um()) == 0
    assert not drawn.instances(drawn.bounds).any()


def test_it_travels_as_a_small_pickle() -> None:
    slide = drawn_liver(100_000, 100_000, seed=2)
    packed = pickle.dumps(slide)
    assert len(packed) < 3000
    region = Region(y=50_000, x=50_000, height=40, width=40)
    again: Slide = pickle.loads(packed)
    assert np.array_equal(again.read(region), slide.read(region))
    assert again.fingerprint == slide.fingerprint


def test_a_huge_slide_is_read_in_place() -> None:
    drawn = liver(100_000, 100_000, seed=2)
    corner = Region(y=0, x=0, height=512, width=512)
    assert drawn.read(0, corner).min() > 220
    assert not drawn.truth(corner).any()
    middle = Region(y=49_700, x=49_700, height=512, width=512)
    assert (drawn.truth(middle) > 0).any()
    assert np.ptp(drawn.read(0, middle).astype(int)) > 100


def test_the_pyramid_is_complete_and_the_scale_known() -> None:
    slide = drawn_liver(2100, 4000, um_per_px=0.5, seed=2)
    assert [level.width for level in slide.levels] == [4000, 2000, 1000]
    assert slide.frame(1).um_per_px == (1.0, 1.0)


def test_another_style_changes_the_colours_and_not_the_truth() -> None:
    drawn = liver(200, 200, seed=9, fat_percent=10, glass=False)
    pale = replace(drawn, style=replace(drawn.style, strength=0.4))
    dark = replace(drawn, style=replace(drawn.style, strength=1.4))
    assert pale.read(0, pale.bounds).mean() > dark.read(0, dark.bounds).mean() + 20
    assert np.array_equal(pale.truth(pale.bounds), dark.truth(dark.bounds))
    assert pale.slide().fingerprint != dark.slide().fingerprint


def test_what_cannot_be_drawn_is_refused() -> None:
    for values in ({"um_per_px": 0.0}, {"fat_percent": 90.0}):
        with pytest.raises(BadValueError):
            drawn_liver(10, 10, **values)
    with pytest.raises(CannotOpenError, match="label"):
        liver(10, 10).associated("label")
