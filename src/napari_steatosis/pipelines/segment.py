"""Segment a slide tile by tile into a results store."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import IncompleteRunError
from ..core.geometry import Region
from ..core.mask import Mask
from ..core.model import Model
from ..core.prediction import Prediction
from ..core.slide import Slide
from ..io._store import Header, ResultStore, StoredTile
from ._cells import CellPlan
from ._cluster import model_on, on_cluster
from ._crew import Crew, agenda_of
from ._order import Focus
from ._plan import Plan, plan_segmentation
from ._stain import AS_IT_IS, Stain, stain_for
from ._tiles import compute_all

PLANNED = ("tile_px", "border", "probabilities")
"""Options of `segment` that the plan takes."""

PART_TILES = 32
"""Tiles of the largest part of a run that a cluster worker is given at a time."""


@dataclass(frozen=True)
class Progress:
    """Where a run stands, after each tile.

    Parameters
    ----------
    done, total : int
        Tiles, those of an earlier run that is resumed included.
    inner : Region, optional
        What was just stored, px of the plane.
    mpx : float
        Megapixels of the plane analysed in this run.
    seconds : float
        Since this run began.
    error : str
        Why the tile failed; empty where it did not.
    """

    done: int
    total: int
    inner: Region | None
    mpx: float
    seconds: float
    error: str = ""

    @property
    def mpx_per_s(self) -> float:
        """Throughput of this run, megapixels of the plane per second."""
        return self.mpx / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Estimate from the throughput so far; NaN before the first tile."""
        here = self.done / self.total
        return self.seconds * (1 - here) / here if here > 0 else float("nan")


def segment(
    slide: Slide,
    model: Model,
    *,
    within: Mask | None = None,
    store: str | Path | None = None,
    stain: Stain = AS_IT_IS,
    **options: Any,
) -> Prediction:
    """Segment a slide with a model, tile by tile, into a results store.

    A run that was stopped, by whatever, is taken up where it ended when the same call is
    made again; a finished one is returned at once.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    model : Model
        A segmentation model (`load_model`).
    within : Mask, optional
        Where to analyse, usually `find_tissue(slide)`. Pixels outside are *not analysed*
        and leave the denominator of every fraction. None analyses every pixel.
    store : path, optional
        Folder of the results store; None keeps the result in memory.
    stain : StainTransform or str
        A transform that was fitted to this slide, or the method by which one is fitted now.
        ``"none"``: the colours of the slide as they are; ``"auto"``: those that the model
        was trained with.
    **options
        `tile_px`, `border` and `probabilities` as in `plan_segmentation`; `overwrite` (bool),
        `client` (a dask ``Client`` that computes the tiles), `on_progress` (called with a
        `Progress` after each tile), `focus` and `should_stop` as in `run`.

    Returns
    -------
    Prediction

    Raises
    ------
    MissingScaleError, NoTissueError
        Where the slide has no pixel size, or nothing is left to analyse.
    StoreMismatchError, StoreBusyError
        Where the store belongs to another run, or to another process at work.
    ClusterError
        Where the cluster of `client` cannot do it: no worker, one that cannot see the slide.
    IncompleteRunError
        Where tiles could not be read. Everything else is stored; the message names them.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 512, seed=1)
    >>> fat = st.segment(slide, st.load_model("steatosis-he"), within=st.find_tissue(slide))
    >>> fat.classes
    ('tissue', 'fat')
    """
    overwrite, on_progress = options.pop("overwrite", False), options.pop("on_progress", None)
    asked = {key: options.pop(key) for key in PLANNED if key in options}
    if options.get("client") is not None:
        model = model_on(options["client"], model)
    fitted = stain_for(slide, model.spec, stain)
    plan = plan_segmentation(slide, model, within=within, stain=fitted, **asked)
    with open_store(plan, store, overwrite=overwrite) as results:
        for progress in run(plan, results, **options):
            if on_progress is not None:
                on_progress(progress)
        prediction = results.prediction()
    if prediction.failed:
        raise incomplete(plan, prediction)
    return prediction


def open_store(plan: Plan, path: str | Path | None, *, overwrite: bool = False) -> ResultStore:
    """Open the results store of a plan: a new one, or the one that it began before."""
    header = Header(
        name="fat",
        shape=(plan.plane.height, plan.plane.width),
        frame=plan.plane.frame,
        classes=plan.model.spec.classes,
        identity=plan.identity,
        provenance=plan.provenance,
        probabilities=plan.probabilities,
    )
    return ResultStore(path, header, slide=plan.slide, overwrite=overwrite)


def run(
    plan: Plan,
    results: ResultStore,
    *,
    client: Any = None,
    focus: Focus | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Progress]:
    """Compute what a store lacks of a plan, and yield after each tile.

    Parameters
    ----------
    plan : Plan
        What to compute.
    results : ResultStore
        Opened with the same plan.
    client : dask.distributed.Client, optional
        Computes the tiles on a cluster; this process stores them.
    focus : callable, optional
        Where the user looks, (row, column) in px of the plane: nearest tiles come first.
    should_stop : callable
        Asked after each tile; when it says yes, the store is left resumable.

    Yields
    ------
    Progress
    """
    left = remaining(plan, results)
    computed: Generator[list[StoredTile], None, None] = (
        Crew(plan, left, focus).results(should_stop)
        if client is None
        else _on(client, plan, left, should_stop)
    )

    def mpx_of(tile: StoredTile) -> float:
        return tile.inner.height * tile.inner.width / 1e6

    yield from recorded(plan, results, computed, mpx_of=mpx_of, should_stop=should_stop)


def recorded(
    plan: Plan | CellPlan,
    results: ResultStore,
    computed: Generator[list[StoredTile], None, None],
    *,
    mpx_of: Callable[[StoredTile], float],
    should_stop: Callable[[], bool],
) -> Iterator[Progress]:
    """Store tiles as they are computed, yield after each, and finish when all are there.

    What computes is closed, however it ends. Before and after, the model gives back memory that
    is free: of the steps before, and its own.

    Parameters
    ----------
    plan : Plan or CellPlan
        Of the run.
    results : ResultStore
        Opened with the plan.
    computed : generator of list of StoredTile
        The tiles that the store lacks; an empty list is a chance to stop.
    mpx_of : callable
        Megapixels of the plane under a tile.
    should_stop : callable
        Asked after each list; when it says yes, the store is left resumable.

    Yields
    ------
    Progress
    """
    total, left = len(plan.tiles), len(remaining(plan, results))
    done, mpx, began = total - left, 0.0, time.perf_counter()
    release: Callable[[], None] = getattr(plan.model, "release", lambda: None)
    release()
    try:
        with closing(computed):
            for tiles in computed if left else ():
                if tiles:
                    results.add_all(tiles)
                for tile in tiles:
                    done, mpx = done + 1, mpx + mpx_of(tile)
                    seconds = time.perf_counter() - began
                    yield Progress(done, total, tile.inner, mpx, seconds, tile.error)
                if should_stop():
                    return
    finally:
        release()
    if done == total and (left or not results.complete):
        results.finish()


def remaining(plan: Plan | CellPlan, results: ResultStore) -> list[int]:
    """Return the tiles of a plan that a store lacks."""
    finished = set(results.ledger.done)
    return [index for index in plan.tiles if index not in finished]


def incomplete(plan: Plan | CellPlan, prediction: Prediction) -> IncompleteRunError:
    """Return the error that names the tiles of a run that could not be read."""
    shown = "\n".join(f"  {message}" for message in prediction.failed[:5])
    return IncompleteRunError(
        f"{plan.slide.path}: {len(prediction.failed)} of {len(plan.tiles)} tiles could not be "
        f"read; they count as not analysed.\n{shown}\nThe other tiles are stored in "
        f"{prediction.store or 'memory'}. Mend the file and run again to compute the rest."
    )


def _on(
    client: Any, plan: Plan, tiles: Iterable[int], should_stop: Callable[[], bool]
) -> Generator[list[StoredTile], None, None]:
    """Compute on a dask cluster, a block at a time."""
    left, takers = set(tiles), max(1, sum(client.nthreads().values()))
    agenda = agenda_of(plan, left, takers=takers, most=PART_TILES)
    # The largest first, so that at the end no worker waits long for another.
    work = sorted(iter(agenda.take, None), key=len, reverse=True)
    parts = on_cluster(client, plan, work=work, task=compute_all, should_stop=should_stop)
    with closing(parts):
        for computed in parts:
            yield [tile for tile in computed if tile.index in left]
