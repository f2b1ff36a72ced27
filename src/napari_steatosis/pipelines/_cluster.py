"""The parts of a job on a dask cluster: its workers compute them, this process stores them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from ..core.errors import ClusterError
from ..core.model import Model, ModelSpec
from ._cluster_task import Parcel, SlideJob, arithmetic_of, check, compute, same
from ._cluster_workers import Crew, ask_workers, lost

Job = TypeVar("Job", bound=SlideJob)
Part = TypeVar("Part")
Result = TypeVar("Result")

WINDOW = 2
"""Parts under way for each thread of a worker: one is computed, one waits."""
LOOK_S = 0.25
"""How often a run that waits for results asks whether it is to stop."""


@dataclass(frozen=True, eq=False)
class WorkersModel:
    """A model whose workers compute elsewhere than this process would, such as on GPUs.

    Parameters
    ----------
    model : Model
        As it was loaded here; it is what the workers are sent.
    arithmetic : dict
        What the workers compute in; it is part of the identity of the result.
    """

    model: Model
    arithmetic: dict[str, str]

    @property
    def spec(self) -> ModelSpec:
        """What the model needs and gives."""
        return self.model.spec

    @property
    def digest(self) -> str:
        """SHA-256 of specification and weights."""
        return self.model.digest

    def predict(self, tiles: Any) -> Any:
        """Predict in this process, in its own arithmetic."""
        return self.model.predict(tiles)

    def __reduce__(self) -> tuple[Any, ...]:
        return Parcel.open, (Parcel.of(self.model),)  # a worker computes with the model itself

    def __repr__(self) -> str:
        return f"<{self.spec.name} {self.digest[:12]} on workers: {self.arithmetic}>"


def model_on(client: Any, model: Model) -> Model:
    """Return a model with the arithmetic that the workers of a cluster have for it.

    To be asked before a plan is made: the plan's identity states the arithmetic.

    Parameters
    ----------
    client : dask.distributed.Client
    model : Model
        As it was loaded here.

    Raises
    ------
    ClusterError
        Where no worker is there, a worker cannot load the model or has another version of
        this package, or workers differ in their arithmetic.
    """
    said = ask_workers(client, arithmetic_of, Parcel.of(model))
    kinds = {tuple(sorted(one.items())): worker for worker, one in said.items()}
    if len(kinds) > 1:
        shown = "; ".join(f"{worker}: {dict(kind)}" for kind, worker in kinds.items())
        raise ClusterError(
            f"The workers would not compute {model.spec.name!r} alike ({shown}), so the result "
            f"would depend on which worker had which tile. Name the device and the precision "
            f"(--device, --precision), or use workers of one kind."
        )
    (kind,) = kinds
    arithmetic = dict(kind)
    return model if arithmetic == model.arithmetic else WorkersModel(model, arithmetic)


def on_cluster(
    client: Any,
    job: Job,
    *,
    work: Iterable[Part],
    task: Callable[[Job, Part], Result],
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[Result, None, None]:
    """Compute the parts of a job on a cluster; yield each result as soon as it is here.

    Two parts for each thread of the workers are under way, so that neither workers nor this
    process hold more than that, whatever the slide. The part of a worker that dies is computed
    by another. When the generator is closed, what has not begun is called off.

    Parameters
    ----------
    client : dask.distributed.Client
    job : Plan, or its like
        Sent once; every worker unpacks it once.
    work : iterable
        The parts; the next one is taken when there is room for it.
    task : callable
        ``task(job, part)``, a function of this package.
    should_stop : callable
        Asked while waiting, too; when it says yes, the generator ends.

    Yields
    ------
    What `task` returned, in the order in which it was finished.

    Raises
    ------
    ClusterError
        Where a worker cannot see the slide or load the model, the cluster has no workers, or
        the scheduler is lost.
    """
    parcel, arithmetic = Parcel.of(job), tuple(sorted(job.model.arithmetic.items()))
    ask_workers(client, check, parcel, arithmetic)
    crew, parts = Crew(client), iter(work)
    under_way: set[Any] = set()
    finished: SimpleQueue[Any] = SimpleQueue()
    # The scheduler keeps what a task was given: unlike scattered data it outlives a worker.
    shared = client.submit(same, parcel, pure=False)
    try:
        _hand_round(client, shared)
        while not should_stop():
            for part in islice(parts, max(0, WINDOW * crew.threads() - len(under_way))):
                future = client.submit(compute, shared, arithmetic, task, part, pure=False)
                under_way.add(future)
                future.add_done_callback(finished.put)
            if not under_way:
                return
            try:
                future = finished.get(timeout=LOOK_S)
            except Empty:
                continue
            under_way.discard(future)
            yield _result(future)
    finally:
        if client.status == "running":
            client.cancel([*under_way, shared])


def _hand_round(client: Any, shared: Any) -> None:
    """Give the job to every worker while none computes: one that does is slow to pass it on."""
    # Where a worker goes meanwhile, those that are left get it with their first part.
    with suppress(OSError, RuntimeError, ValueError, CancelledError, asyncio.CancelledError):
        client.replicate(shared)


def _result(future: Any) -> Any:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise ClusterError(
            f"Several workers died one after the other over the same tiles, the last at "
            f"{error.last_worker.address}. Usually they ran out of memory: give the workers "
            f"more, or fewer threads each. What was computed is stored; the same call goes on."
        ) from error
    except (CancelledError, asyncio.CancelledError) as error:
        raise lost(error) from error
