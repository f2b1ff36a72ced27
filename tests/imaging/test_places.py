"""Places of yes/no maps: the same as by the plain but slower or larger ways of scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, label

from napari_steatosis.imaging import _places
from napari_steatosis.imaging._places import drop_small, grown_by, grown_within

SIZES = [(1, 1), (1, 40), (40, 1), (8, 16), (61, 83)]


def blotches(size: tuple[int, int], share: float) -> np.ndarray:
    noise = np.random.default_rng(size).normal(size=size)
    noise = gaussian_filter(noise, 1.5) if min(size) > 8 else noise
    return noise >= np.quantile(noise, 1 - share)


def labelled_drop(values: np.ndarray, area_px: float, diagonal: bool) -> np.ndarray:
    places, found = label(values, np.ones((3, 3)) if diagonal else None)
    area = np.bincount(places.ravel(), minlength=found + 1).astype(float)
    area[np.unique(np.concatenate([places[0], places[-1], places[:, 0], places[:, -1]]))] *= 2
    return values & (area >= area_px)[places]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("strip_px", [1 << 20, 200])
@pytest.mark.parametrize("diagonal", [True, False])
def test_small_places_are_those_of_a_label_image(size, strip_px, diagonal, monkeypatch):
    monkeypatch.setattr(_places, "STRIP_PX", strip_px)
    for share in (0.3, 0.6):
        values = blotches(size, share)
        for area_px in (1, 2, 9, 60):
            expected = labelled_drop(values, area_px, diagonal)
            assert np.array_equal(drop_small(values.copy(), area_px, diagonal=diagonal), expected)


def test_small_places_go_from_a_part_of_a_map_too():
    values = blotches((60, 90), 0.3)
    part = values[3:-4, 5:-6]
    expected = labelled_drop(part.copy(), 9, True)
    drop_small(part, 9)
    assert np.array_equal(values[3:-4, 5:-6], expected)


@pytest.mark.parametrize("size", SIZES)
def test_a_disk_reaches_as_far_as_the_distance(size):
    values = blotches(size, 0.1)
    distance = distance_transform_edt(~values)
    for radius in (0.5, 1, 1.5, 4, 8, 11.3):
        assert np.array_equal(grown_by(values, radius), distance <= radius)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("strip_px", [1 << 20, 200])
def test_what_grows_within_a_map_goes_step_by_step(size, strip_px, monkeypatch):
    monkeypatch.setattr(_places, "STRIP_PX", strip_px)
    values, free = blotches(size, 0.1), blotches(size[::-1], 0.7).T
    for steps in (1, 7, 30):
        expected = binary_dilation(values, iterations=steps, mask=free | values)
        grown = values.copy()
        grown_within(grown, np.packbits(free, axis=1), steps)
        assert np.array_equal(grown, expected)
