from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from napari_steatosis.core.geometry import Frame, Region
from napari_steatosis.io._store import Header, ResultStore, StoredTile

SIDE, PX, AT_ONCE = 65536, 512, 16
COARSE_MB = 4096**2 * (1 + 1 / 4 + 1 / 16 + 1 / 64) / 1e6
TILES_MB = AT_ONCE * PX**2 / 1e6


@pytest.fixture(scope="module")
def tile():
    return np.random.default_rng(0).integers(0, 3, (PX, PX), np.uint8)


def header():
    return Header("fat", (SIDE, SIDE), Frame((0.5, 0.5)), ("tissue", "fat"), {}, {})


def fill(path, tile, rows):
    """Write some rows of tiles over a large plane; return the peak, MB."""
    tracemalloc.start()
    with ResultStore(path, header()) as store:
        for row in range(rows):
            tiles = [
                (row * AT_ONCE + n, Region(y=row * PX, x=n * PX, height=PX, width=PX))
                for n in range(AT_ONCE)
            ]
            store.add_all([StoredTile(index, inner, tile) for index, inner in tiles])
    return peak_mb()


def peak_mb():
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1e6


def test_writing_takes_as_much_memory_for_many_rows_as_for_few(tmp_path, tile):
    few, many = fill(tmp_path / "a", tile, 2), fill(tmp_path / "b", tile, 10)
    assert many - few < 0.5
    assert many < COARSE_MB + TILES_MB + 2


def test_taking_up_a_run_holds_a_few_tiles(tmp_path, tile):
    fill(tmp_path / "a", tile, 10)
    tracemalloc.start()
    with ResultStore(tmp_path / "a", header()) as store:
        assert len(store.ledger.done) == 10 * AT_ONCE
    assert peak_mb() < COARSE_MB + 2 * TILES_MB + 2


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory from /proc")
def test_coarse_levels_take_memory_only_where_something_was_written(tmp_path, tile):
    before = anonymous_mb()
    with ResultStore(tmp_path / "a", header()) as store:
        store.add_all([StoredTile(0, Region(y=0, x=0, height=PX, width=PX), tile)])
        assert sum(isinstance(level, np.ndarray) for level in store.pyramid.levels) == 4
        assert anonymous_mb() - before < COARSE_MB / 2


def anonymous_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024 / 1e6
