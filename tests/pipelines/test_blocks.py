"""Blocks: every tile once, little halo, and where the user looks first."""

from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.grid import Grid
from napari_steatosis.pipelines._blocks import Agenda, Block, Partition, blocks_of

GRID = Grid(16384, 16384, tile_px=512, halo_px=128, multiple_px=16)


def disc(grid: Grid = GRID) -> set[int]:
    row, column = np.divmod(np.arange(len(grid)), grid.columns)
    centre, radius = (grid.rows - 1) / 2, grid.rows / 2
    return set(np.flatnonzero(np.hypot(row - centre, column - centre) <= radius).tolist())


def pixels(blocks: list[Block]) -> tuple[int, int]:
    seen = sum(block.outer.height * block.outer.width for block in blocks)
    owned = sum(
        block.grid[i].inner.height * block.grid[i].inner.width
        for block in blocks
        for i in block.tiles
    )
    return seen, owned


@pytest.mark.parametrize("tiles", [set(range(len(GRID))), disc(), {0, 5, 1023}], ids=str)
@pytest.mark.parametrize("takers", [1, 2, 4])
def test_every_tile_is_in_one_block(tiles, takers):
    taken = [i for block in blocks_of(GRID, tiles, takers=takers) for i in block.tiles]
    assert len(taken) == len(set(taken))
    assert set(taken) == tiles


def test_little_of_what_goes_through_the_network_is_halo():
    seen, owned = pixels(list(blocks_of(GRID, range(len(GRID)), takers=2)))
    assert owned == 16384**2
    assert owned / seen > 0.92
    seen, owned = pixels(list(blocks_of(GRID, disc(), takers=2)))
    assert owned / seen > 0.80


def test_a_block_sees_what_its_tiles_see():
    (block,) = blocks_of(Grid(1000, 700, 256, 32, 16), range(12))
    assert (block.rows, block.columns, len(block)) == (4, 3, 12)
    outer = block.outer
    assert (outer.y, outer.x) == (-32, -32)
    for index in block.tiles:
        tile = block.grid[index].outer
        assert outer.intersect(tile) == tile


def test_two_threads_get_even_shares():
    tiles = [row * GRID.columns + column for row in range(16) for column in range(8)]
    agenda = Agenda(GRID, tiles, takers=2)
    first, second = agenda.take(), agenda.take()
    assert len(first) == len(second) == 64
    assert agenda.take() is None


def test_the_first_block_is_what_the_user_looks_at_and_blocks_grow_from_there():
    where = [(9000.0, 4000.0)]
    agenda = Agenda(GRID, range(len(GRID)), focus=lambda: where[0])
    blocks = [agenda.take() for _ in range(4)]
    assert [len(block) for block in blocks] == sorted(len(block) for block in blocks)
    assert blocks[0].tiles == [17 * 32 + 7]
    large = agenda.take()
    assert len(large) > 9
    assert agenda.is_urgent(large)
    where[0] = (100.0, 16000.0)
    assert not agenda.is_urgent(large)
    agenda.put_back(large.tiles)
    assert agenda.take().tiles == [31]
    rest = []
    while (block := agenda.take()) is not None:
        rest += block.tiles
    assert sorted([*rest, 31, *(i for block in blocks for i in block.tiles)]) == list(range(1024))


def test_looking_into_the_block_under_way_does_not_stop_it():
    where = [(2000.0, 2000.0)]
    agenda = Agenda(GRID, range(len(GRID)), focus=lambda: where[0])
    for _ in range(4):
        block = agenda.take()
    inside = block.grid[block.tiles[-1]].inner
    where[0] = (inside.y + 1.0, inside.x + 1.0)
    assert agenda.is_urgent(block)


def test_fixed_blocks_do_not_depend_on_what_is_left():
    tiles = disc()
    fresh, blocks = Partition(GRID, tiles, whole=tiles), {}
    while (block := fresh.take()) is not None:
        blocks |= dict.fromkeys(block.tiles, block)
    assert blocks.keys() == tiles
    left = set(sorted(tiles)[100:700:3])
    again, found = Partition(GRID, left, whole=tiles, focus=lambda: (9e3, 9e3)), set()
    while (block := again.take()) is not None:
        assert all(blocks[i] == block for i in block.tiles)
        found.update(block.tiles)
    assert left <= found


def test_fixed_blocks_of_a_small_plane_are_enough_for_several_threads():
    grid = Grid(2560, 2560, tile_px=512, halo_px=128, multiple_px=16)
    parts, blocks = Partition(grid, range(25), whole=range(25)), []
    while (block := parts.take()) is not None:
        blocks.append(block)
    assert sorted(i for block in blocks for i in block.tiles) == list(range(25))
    assert len(blocks) >= 8
