"""Which dask cluster a command computes on, if any."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import BadValueError

Scheduler = Annotated[
    str | None, typer.Option(help="Address of a dask scheduler, tcp://host:8786.")
]


def cluster(workers: int, scheduler: str | None) -> AbstractContextManager[Any]:
    """Return a client of the cluster that the options ask for; None where they ask for none."""
    if workers and scheduler is not None:
        raise BadValueError(
            "--workers starts a cluster on this computer, --scheduler joins one: give one of them."
        )
    if not workers and scheduler is None:
        return nullcontext()
    from ..pipelines._cluster_workers import connect, local_cluster

    client: AbstractContextManager[Any]
    client = local_cluster(workers) if scheduler is None else connect(scheduler)
    return client


def absolute_model(model: str) -> str:
    """Return a model's folder as every worker can find it; a name stays a name."""
    return str(Path(model).absolute()) if Path(model).is_dir() else model
