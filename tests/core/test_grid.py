from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.grid import Grid

sides, steps = st.integers(1, 40), st.sampled_from([1, 2, 8])


@settings(deadline=None)
@given(sides, sides, st.integers(1, 6), st.integers(0, 2), steps)
def test_every_pixel_is_owned_once(
    height: int, width: int, tiles: int, halos: int, step: int
) -> None:
    grid = Grid(height, width, tile_px=tiles * step, halo_px=halos * step, multiple_px=step)
    owned = np.zeros((height, width), int)
    for index, tile in enumerate(grid):
        assert tile.index == index
        owned[tile.inner.slices] += 1
    assert (owned == 1).all()
    assert len(grid) == grid.rows * grid.columns == len(list(grid))


@settings(deadline=None)
@given(sides, sides, st.integers(1, 6), st.integers(0, 2), steps)
def test_what_a_tile_sees_suits_the_model(
    height: int, width: int, tiles: int, halos: int, step: int
) -> None:
    halo = halos * step
    for tile in Grid(height, width, tile_px=tiles * step, halo_px=halo, multiple_px=step):
        inner, outer = tile.inner, tile.outer
        assert outer.intersect(inner.grow(halo)) == inner.grow(halo)
        assert outer.height % step == outer.width % step == 0
        assert outer.y % step == outer.x % step == 0
        assert outer.height - inner.height < 2 * halo + step


def test_a_tile_beyond_the_end_is_an_index_error() -> None:
    grid = Grid(100, 100, tile_px=50)
    for index in (-1, 4):
        with pytest.raises(IndexError, match=f"tile {index} of a grid of 4"):
            grid[index]


@pytest.mark.parametrize(
    "wrong",
    [
        {"height": 0},
        {"tile_px": 0},
        {"halo_px": -1},
        {"multiple_px": 0},
        {"multiple_px": 3},
        {"halo_px": 5, "multiple_px": 10},
    ],
)
def test_impossible_grids_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(BadValueError):
        Grid(**{"height": 100, "width": 100, "tile_px": 50, "halo_px": 10, **wrong})


def test_a_large_grid_is_arithmetic() -> None:
    grid = Grid(10**6, 10**6, tile_px=512, halo_px=64)
    assert len(grid) == 1954**2
    assert grid[len(grid) - 1].inner == Region(y=999936, x=999936, height=64, width=64)
