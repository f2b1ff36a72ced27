from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import basic_indices
from numpy.typing import NDArray

from napari_steatosis.core.geometry import Region
from napari_steatosis.core.pyramid import LevelArray, dask_level, level_arrays
from napari_steatosis.core.slide import Slide, virtual_levels

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Held:
    """One level in memory that remembers what was read of it."""

    pixels: NDArray[np.uint8]
    asked: list[Region]

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        self.asked.append(region)
        return self.pixels[region.slices]

    def associated(self, name: str) -> NDArray[np.uint8]:
        raise KeyError(name)


def slide(pixels: NDArray[np.uint8] = PIXELS, longest_px: int = 1000) -> Slide:
    height, width = pixels.shape[:2]
    levels = tuple(virtual_levels([(height, width, 1.0)], longest_px))
    return Slide("held", "held", Held(pixels, []), levels, "f00", tile_px=(16, 20))


@settings(deadline=None, max_examples=300)
@given(basic_indices(PIXELS.shape, allow_ellipsis=True, allow_newaxis=False))
def test_it_slices_as_numpy_does(key: Any) -> None:
    keys = key if isinstance(key, tuple) else (key,)
    if any(np.size(np.arange(n)[k]) == 0 for k, n in spans(keys)):
        assert LevelArray(slide(), 0)[key].shape == PIXELS[key].shape
    else:
        np.testing.assert_array_equal(LevelArray(slide(), 0)[key], PIXELS[key])


def spans(keys: tuple[Any, ...]) -> list[tuple[Any, int]]:
    full = list(keys)
    if Ellipsis in full:
        at = full.index(Ellipsis)
        full[at : at + 1] = [slice(None)] * (4 - len(full))
    return list(zip(full, PIXELS.shape, strict=False))


def test_only_what_is_asked_for_is_read() -> None:
    made = slide()
    level_arrays(made)[0][4:9, 10:13]
    assert made.source.asked == [Region(y=4, x=10, height=5, width=3)]


def test_lists_of_rows_and_columns() -> None:
    array = LevelArray(slide(), 0)
    np.testing.assert_array_equal(array[[3, 9, 4]], PIXELS[[3, 9, 4]])
    np.testing.assert_array_equal(array[:, [5, 1]], PIXELS[:, [5, 1]])
    with pytest.raises(IndexError):
        array[99]


def test_the_pyramid_is_what_napari_asks_of_one() -> None:
    arrays = level_arrays(slide(longest_px=20))
    sizes = [array.size for array in arrays]
    assert sizes == sorted(set(sizes), reverse=True)
    for array in arrays:
        assert (array.ndim, array.dtype, len(array)) == (3, np.uint8, array.shape[0])
        assert all(c <= n for c, n in zip(array.chunks, array.shape, strict=True))
        assert np.asarray(array).shape == array.shape
    assert np.asarray(arrays[0], dtype=np.float32).dtype == np.float32


def test_a_dask_level_computes_the_same_and_is_named_by_the_content() -> None:
    made = slide()
    lazy = dask_level(made)
    assert made.source.asked == []
    assert lazy.name == "slide-f00-0"
    np.testing.assert_array_equal(lazy.compute(scheduler="synchronous"), PIXELS)


def test_dask_chunks_are_whole_tiles_of_the_file() -> None:
    lazy = dask_level(slide(np.zeros((3000, 2500, 3), np.uint8)))
    rows, columns, samples = lazy.chunks
    assert samples == (3,)
    assert all(n % 16 == 0 for n in rows[:-1])
    assert all(n % 20 == 0 for n in columns[:-1])
    assert max(rows + columns) <= 1024
