"""Classify a slide window by window into a results store: a class map and probabilities."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BadValueError
from ..core.mask import Mask
from ..core.model import Model
from ..core.prediction import Prediction
from ..core.slide import Slide
from ..core.stain import StainTransform
from ..io._store import Header, ResultStore, StoredTile
from ._cells import CellPlan, plan_classification
from ._cluster import model_on, on_cluster
from ._order import Focus, tiles_outward
from ._windows import (
    BlockPixels,
    BlockWindows,
    cells_of,
    predict_block,
    read_block,
    run_block,
)
from .segment import Progress, incomplete

NAME = "classes"
"""Name of the label image in the results store."""
AHEAD = 2
"""Blocks read ahead of the model."""
READERS = {"cpu": 1}
"""Threads that read; on the processor the model wants the others."""
READERS_ELSEWHERE = 4


def classify(
    slide: Slide,
    model: Model,
    *,
    within: Mask | None = None,
    store: str | Path | None = None,
    stain: StainTransform | None = None,
    **options: Any,
) -> Prediction:
    """Classify a slide with a classifier that looks through a window, into a results store.

    The window moves over the slide in steps. Each square of one step is a *cell*, one pixel
    of the result; its probabilities are the mean of those of all windows that cover it,
    weighted with a Gaussian that falls off from the middle of the window. A run that was
    stopped, by whatever, is taken up where it ended when the same call is made again; a
    finished one is returned at once.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    model : Model
        A classifier (`load_model`).
    within : Mask, optional
        Where to analyse, usually `find_tissue(slide)`. None analyses every cell.
    store : path, optional
        Folder of the results store; None keeps the result in memory.
    stain : StainTransform, optional
        Fitted on this slide.
    **options
        `step_px` (int): px of the model's resolution, a divisor of its tile; the default is
        the tile itself, windows side by side. `least_share` (float, 0.5): share of a cell that
        must lie in `within`. `batch` (int): windows given to the model at once. `overwrite`
        (bool), `on_progress` (called with a `Progress` after each block of cells), `client`,
        `focus` and `should_stop` as in `run_cells`.

    Returns
    -------
    Prediction
        `levels` is the class map, `probabilities` are (class, y, x) uint8, both with one pixel
        per cell. With two classes the second needs `ModelSpec.threshold`, with more the
        largest probability wins.

    Raises
    ------
    MissingScaleError, NoTissueError, BadValueError
        Where the slide has no pixel size, nothing is left to analyse, or the model does not
        classify.
    StoreMismatchError, StoreBusyError
        Where the store belongs to another run, or to another process at work.
    IncompleteRunError
        Where blocks could not be read. Everything else is stored; the message names them.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> classify(st.drawn_liver(512, 512, seed=1), st.load_model("steatosis-he"))
    Traceback (most recent call last):
        ...
    napari_steatosis.core.errors.BadValueError: The model 'steatosis-he' is for segmentation...
    """
    overwrite, on_progress = options.pop("overwrite", False), options.pop("on_progress", None)
    given = {key: options.pop(key) for key in ("step_px", "least_share") if key in options}
    batch = options.pop("batch", None)
    if options.get("client") is not None:
        model = model_on(options["client"], model)
    plan = plan_classification(slide, model, within=within, stain=stain, **given)
    plan = with_batch(plan, batch)
    with open_cells(plan, store, overwrite=overwrite) as results:
        for progress in run_cells(plan, results, **options):
            if on_progress is not None:
                on_progress(progress)
        prediction = results.prediction()
    if prediction.failed:
        raise incomplete(plan, prediction)
    return prediction


def with_batch(plan: CellPlan, batch: int | None) -> CellPlan:
    """Return a plan that gives the model so many windows at once; None is the default."""
    if batch is not None and batch < 1:
        raise BadValueError(f"A batch holds at least 1 window, got {batch}.")
    return replace(plan, batch=batch)


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
    finished = set(results.ledger.done)
    left = [index for index in plan.tiles if index not in finished]
    done, mpx, began = len(plan.tiles) - len(left), 0.0, time.perf_counter()
    gathered = Gathered(plan, left)
    wanted = gathered.wanted(tiles_outward(plan.grid, left, _in_cells(plan, focus)))
    computed = _computed(plan, wanted, client, should_stop)
    with closing(computed):
        for found in computed:
            for tile in gathered.take(found):
                results.add_all([tile])
                done += 1
                cells = np.count_nonzero(plan.analysed[tile.inner.slices])
                mpx += cells * plan.step_px**2 / 1e6
                seconds = time.perf_counter() - began
                yield Progress(done, len(plan.tiles), tile.inner, mpx, seconds, tile.error)
            if should_stop():
                return
    if done == len(plan.tiles) and (left or not results.complete):
        results.finish()


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


def _in_cells(plan: CellPlan, focus: Focus | None) -> Focus | None:
    if focus is None:
        return None

    def in_cells() -> tuple[float, float] | None:
        point = focus()
        return None if point is None else (point[0] / plan.step_px, point[1] / plan.step_px)

    return in_cells


def _computed(
    plan: CellPlan, wanted: Iterable[int], client: Any, should_stop: Callable[[], bool]
) -> Generator[BlockWindows | None, None, None]:
    if client is None:
        return _on_this_machine(plan, wanted)
    return on_cluster(client, plan, work=wanted, task=run_block, should_stop=should_stop)


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
