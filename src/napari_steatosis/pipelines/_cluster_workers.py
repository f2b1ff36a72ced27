"""The scheduler and the workers of a dask cluster: reached, asked, and what is said if not."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

from .. import __version__
from ..core.errors import BadValueError, ClusterError, SteatosisError
from ._cluster_task import answer

CONNECT_S = 5.0
"""How long a scheduler may take to answer."""
WORKERS_S = 60.0
"""How long a run waits while the cluster has no worker at all."""


def connect(address: str) -> Any:
    """Return a client of the dask scheduler at an address.

    Parameters
    ----------
    address : str
        ``"tcp://host:8786"``, or ``"tls://..."`` with the certificates of dask's configuration.

    Raises
    ------
    ClusterError
        Where nothing answers there within a few seconds.
    BadValueError
        Where this is no address, or dask.distributed is not installed.
    """
    client_of = distributed().Client
    try:
        return client_of(address, timeout=CONNECT_S, set_as_default=False)
    except OSError as error:
        raise ClusterError(
            f"No dask scheduler answers at {address} within {CONNECT_S:g} s ({error}). Start one "
            f"there with 'dask scheduler', and see that its port can be reached from here."
        ) from error
    except (ValueError, TypeError) as error:
        raise BadValueError(
            f"{address!r} is not the address of a dask scheduler ({error}). It is printed when "
            f"the scheduler starts, and looks like tcp://host:8786."
        ) from error


def local_cluster(workers: int) -> Any:
    """Return a client of worker processes on this computer, with one thread each."""
    return distributed().Client(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address="localhost:0",  # any free port
        set_as_default=False,
    )


def distributed() -> Any:
    """Return the module ``distributed``, or raise an error that says how to install it."""
    try:
        import distributed
    except ImportError as error:
        raise BadValueError(
            "A cluster needs dask.distributed: pip install 'napari-steatosis[distributed]'."
        ) from error
    return distributed


class Crew:
    """The workers of a cluster, looked at now and then: they may die, and others may come.

    Parameters
    ----------
    client : dask.distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._threads, self._looked = 0, 0.0
        self._alone_since: float | None = None

    def threads(self) -> int:
        """Return how many threads the workers have together; at least one, to call for workers.

        Raises
        ------
        ClusterError
            Where the scheduler does not answer, or no worker has been there for long.
        """
        if self._client.status != "running":
            raise lost(ConnectionError(f"the client is {self._client.status}"))
        now = time.monotonic()
        if now - self._looked < 1.0:
            return max(1, self._threads)
        self._looked = now
        try:
            self._threads = sum(self._client.nthreads().values())
        except (OSError, RuntimeError) as error:
            raise lost(error) from error
        if self._threads:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        elif now - self._alone_since > WORKERS_S:
            raise without_workers(self._client)
        return max(1, self._threads)


def ask_workers(client: Any, question: Callable[..., Any], *given: Any) -> dict[str, Any]:
    """Return what each worker answers, by its address.

    Raises
    ------
    ClusterError
        Where there is no worker, or one says no; the message names them with the reason.
    """
    _wait_for_a_worker(client)
    try:
        versions = client.run(installed_version, "napari-steatosis", on_error="return")
        _refuse_other_versions(versions)
        answers = client.run(answer, question, given, on_error="return")
    except OSError as error:
        raise lost(error) from error
    refused = {w: one for w, one in answers.items() if isinstance(one, SteatosisError)}
    if refused:
        shown = "\n".join(f"  {worker}: {error}" for worker, error in list(refused.items())[:5])
        raise ClusterError(
            f"{len(refused)} of {len(answers)} workers cannot take part.\n{shown}\nEvery worker "
            f"reads its own tiles and loads its own copy of the model: both must be there under "
            f"the same path (a shared file system; give absolute paths)."
        )
    for worker, one in answers.items():
        if isinstance(one, Exception) and not isinstance(one, OSError):
            raise ClusterError(
                f"The worker {worker} failed ({type(one).__name__}: {one})."
            ) from one
    said = {w: one for w, one in answers.items() if not isinstance(one, Exception)}
    if not said:  # each of them died while it was asked
        raise without_workers(client)
    return said


def _wait_for_a_worker(client: Any) -> None:
    """Wait until a worker is there; a task calls for the first one of an adaptive cluster."""
    try:
        if client.nthreads():
            return
        client.submit(int, pure=False).result(timeout=WORKERS_S)
    except TimeoutError as error:
        raise without_workers(client) from error
    except (OSError, RuntimeError) as error:
        raise lost(error) from error


def _refuse_other_versions(versions: dict[str, Any]) -> None:
    for worker, found in versions.items():
        if isinstance(found, PackageNotFoundError):
            found = "none"
        if isinstance(found, str) and found != __version__:
            raise ClusterError(
                f"The worker {worker} has napari-steatosis {found}, and this process "
                f"{__version__}. Install the same version on every worker "
                f"(pip install 'napari-steatosis[distributed]=={__version__}')."
            )


def without_workers(client: Any) -> ClusterError:
    """Return the error of a cluster without workers."""
    address = client.scheduler.address
    return ClusterError(
        f"The scheduler at {address} has had no worker for {WORKERS_S:g} s. Start some with "
        f"'dask worker {address}'; what is computed is stored, and the same call goes on."
    )


def lost(error: BaseException) -> ClusterError:
    """Return the error of a scheduler that no longer answers."""
    return ClusterError(
        f"The connection to the dask scheduler was lost ({type(error).__name__}: {error}). What "
        f"was computed is stored; when the scheduler is there again, the same call goes on."
    )
