"""The table of colours gives what the formula gives, for every colour, in any order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_steatosis.imaging.colour_table import CHUNK, ColourTable, table_of


class Rotated:
    """A map that counts how many colours it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def exact(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        self.asked += len(rgb)
        return np.ascontiguousarray(rgb[:, [2, 0, 1]]) ^ np.uint8(0x5A)


@pytest.mark.parametrize("shape", [(0, 3), (1, 3), (7, 5, 3), (CHUNK + 1, 3), (2, 300, 301, 3)])
def test_it_gives_what_the_formula_gives(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    found = ColourTable(Rotated()).apply(pixels)
    assert found.shape == shape
    assert (found == (pixels[..., [2, 0, 1]] ^ np.uint8(0x5A))).all()


def test_a_view_that_is_not_contiguous() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    table = ColourTable(Rotated())
    assert (
        table.apply(pixels[::-2, 3:-3, ::-1]) == table.apply(pixels[::-2, 3:-3, ::-1].copy())
    ).all()


def test_black_and_white_are_colours_like_all_others() -> None:
    ends = np.uint8([[0, 0, 0], [255, 255, 255], [0, 0, 0]])
    table = ColourTable(Rotated())
    assert (table.apply(ends) == (ends ^ np.uint8(0x5A))).all()


def test_a_colour_is_computed_once() -> None:
    colours = Rotated()
    table = ColourTable(colours)
    pixels = np.random.default_rng(2).integers(0, 256, (CHUNK // 2, 3), np.uint8)
    table.apply(pixels)
    asked = colours.asked
    table.apply(np.concatenate([pixels] * 5))
    assert colours.asked == asked == len(np.unique(pixels, axis=0))


def test_colours_that_come_late_are_computed_once() -> None:
    colours = Rotated()
    noise = np.random.default_rng(4).integers(0, 256, (3 * CHUNK, 3), np.uint8)
    pixels = np.concatenate([np.full((5 * CHUNK, 3), 200, np.uint8), noise, noise[::-1], noise])
    found = ColourTable(colours).apply(pixels)
    assert (found == (pixels[:, [2, 0, 1]] ^ np.uint8(0x5A))).all()
    assert colours.asked == len(np.unique(pixels, axis=0))


class Failing(Rotated):
    """Fails once."""

    def exact(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if not self.asked:
            self.asked = 1
            raise MemoryError
        return super().exact(rgb)


def test_a_failure_leaves_nothing_wrong_in_the_table() -> None:
    table = ColourTable(Failing())
    pixels = np.random.default_rng(5).integers(0, 256, (2 * CHUNK, 3), np.uint8)
    with pytest.raises(MemoryError):
        table.apply(pixels)
    assert (table.apply(pixels) == (pixels[:, [2, 0, 1]] ^ np.uint8(0x5A))).all()


def test_threads_share_a_table() -> None:
    table = ColourTable(Rotated())
    pixels = np.random.default_rng(3).integers(0, 256, (8, 50_000, 3), np.uint8)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(table.apply, [*pixels, *pixels[::-1]]))
    expected = [part[:, [2, 0, 1]] ^ np.uint8(0x5A) for part in (*pixels, *pixels[::-1])]
    assert all((one == other).all() for one, other in zip(found, expected, strict=True))


def test_equal_maps_share_a_table() -> None:
    colours = Rotated()
    assert table_of(colours) is table_of(colours)
    assert table_of(colours) is not table_of(Rotated())
