"""The run of a classification: windows are predicted, cells made of them and stored."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from ..io._store import Header, ResultStore, StoredTile
from ._cells import CellPlan
from ._cluster import on_cluster
from ._order import Focus, tiles_outward
from ._windows import (
    BlockPixels,
    BlockWindows,
    cells_of,
    predict_block,
    read_block,
    run_block,
)
from .segment import Progress, recorded, remaining

NAME = "classes"
"""Name of the label image in the results store."""
AHEAD = 2
"""Blocks read ahead of the model, for each thread that reads."""
READERS = {"cpu": 1}
"""Threads that read; on the processor the model wants the others."""
READERS_ELSEWHERE = 4


def open_cells(plan: CellPlan, path: str | Path | None, *, overwrite: bool = False) -> ResultStore:
    """Open the results store of a plan: a new one, or the one that it began before."""
    header = Header(
        name=NAME,
        shape=(plan.grid.height, plan.grid.width),
        frame=plan.frame,
        classes=plan.model.spec.classes,
        identity=plan.identity,
        provenance=plan.provenance,
        probabilities=True,
    )
    return ResultStore(path, header, slide=plan.slide, overwrite=overwrite)


def run_cells(
    plan: CellPlan,
    results: ResultStore,
    *,
    client: Any = None,
    focus: Focus | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Compute what a store lacks of a plan, and yield after each block of cells.

    Parameters
    ----------
    plan : CellPlan
        What to compute.
    results : ResultStore
        Opened with the same plan.
    client : dask.distributed.Client, optional
        Predicts the windows on a cluster; this process stores the cells.
    focus : callable, optional
        Where the user looks, (row, column) in px of the plane: nearest blocks come first.
    should_stop : callable
        Asked after each batch; when it says yes, the store is left resumable.

    Yields
    ------
    Progress
        `inner` in cells, `mpx` in megapixels of the plane.
    """
    left = remaining(plan, results)
    order = left if focus is None else tiles_outward(plan.grid, left, _in_cells(plan, focus))

    def mpx_of(tile: StoredTile) -> float:
        return int(np.count_nonzero(plan.analysed[tile.inner.slices])) * plan.step_px**2 / 1e6

    computed = _cells(plan, Gathered(plan, left), order, client, should_stop)
    yield from recorded(plan, results, computed, mpx_of=mpx_of, should_stop=should_stop)


class Gathered:
    """Windows that wait for the others of their cells; let go when all their cells are made.

    Parameters
    ----------
    plan : CellPlan
        What is computed.
    left : sequence of int
        The blocks of cells that are to be made.
    """

    def __init__(self, plan: CellPlan, left: Sequence[int]) -> None:
        self._plan = plan
        self._missing = {tile: set(plan.windows_of(tile)) for tile in left}
        self._users: dict[int, set[int]] = {}
        for tile, blocks in self._missing.items():
            for block in blocks:
                self._users.setdefault(block, set()).add(tile)
        self._here: dict[int, BlockWindows] = {}

    def wanted(self, order: Iterable[int]) -> Iterator[int]:
        """Yield the blocks of windows that blocks of cells need, each once, in their order."""
        asked: set[int] = set()
        for tile in order:
            for block in sorted(self._missing.get(tile, ())):
                if block not in asked:
                    asked.add(block)
                    yield block

    def take(self, found: BlockWindows | None) -> Iterator[StoredTile]:
        """Add a block of windows, and yield the blocks of cells that can be made now."""
        if found is None:
            return
        self._here[found.index] = found
        for tile in sorted(self._users[found.index]):
            self._missing[tile].discard(found.index)
            if not self._missing[tile]:
                del self._missing[tile]
                cells = cells_of(self._plan, tile, self._here)
                self._release(tile)
                yield cells

    def _release(self, tile: int) -> None:
        for block in self._plan.windows_of(tile):
            self._users[block].discard(tile)
            if not self._users[block]:
                del self._here[block]


def _in_cells(plan: CellPlan, focus: Focus) -> Focus:
    def in_cells() -> tuple[float, float] | None:
        point = focus()
        return None if point is None else (point[0] / plan.step_px, point[1] / plan.step_px)

    return in_cells


def _cells(
    plan: CellPlan,
    gathered: Gathered,
    order: Iterable[int],
    client: Any,
    should_stop: Callable[[], bool],
) -> Generator[list[StoredTile], None, None]:
    """Predict windows, here or on a cluster, and yield the blocks of cells that they complete."""
    wanted = gathered.wanted(order)
    windows: Generator[BlockWindows | None, None, None] = (
        _on_this_machine(plan, wanted)
        if client is None
        else on_cluster(client, plan, work=wanted, task=run_block, should_stop=should_stop)
    )
    with closing(windows):
        for found in windows:
            yield list(gathered.take(found))


def _on_this_machine(
    plan: CellPlan, wanted: Iterable[int]
) -> Generator[BlockWindows | None, None, None]:
    """Read ahead in threads while the model works; None after each batch."""
    readers = READERS.get(plan.model.arithmetic.get("device", "cpu"), READERS_ELSEWHERE)
    with ThreadPoolExecutor(readers, thread_name_prefix="read-windows") as pool:
        waiting: deque[Future[BlockPixels]] = deque()
        indices = iter(wanted)
        try:
            while True:
                while len(waiting) < AHEAD * readers and (index := next(indices, None)) is not None:
                    waiting.append(pool.submit(read_block, plan, index))
                if not waiting:
                    return
                yield from predict_block(plan, waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()
