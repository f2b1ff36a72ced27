"""Processes that analyse the slides of a cohort side by side; one that dies takes one slide."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ..core.errors import BadValueError, SteatosisError
from ._cohort_process import Settings, SlideState, serve
from ._manifest import Row

LOOK_S = 0.25
"""How often it is asked whether to stop."""
STOP_S = 15.0
"""How long a process may take to end by itself, usually after the tile at work."""


@dataclass
class Worker:
    """One process and the slide that it has.

    Parameters
    ----------
    process : Process
    connection : Connection
        To it: rows out, states in.
    row : Row, optional
        What it is at.
    ready : bool
        Whether it has started up.
    """

    process: BaseProcess
    connection: Connection
    row: Row | None = None
    ready: bool = False

    @classmethod
    def start(cls, settings: Settings) -> Worker:
        """Start a process; it is ready when it says so."""
        context = get_context("spawn")
        mine, its = context.Pipe()
        process = context.Process(target=serve, args=(its, settings), daemon=True)
        process.start()
        its.close()  # so that the end of the process is the end of the pipe
        return cls(process, mine)

    def give(self, row: Row) -> None:
        """Hand the process its next slide."""
        self.row = row
        with suppress(OSError):  # it has died, and is heard of
            self.connection.send(row)

    def hear(self) -> SlideState | None:
        """Return what the process says, or that it died; None is no news of a slide.

        Raises
        ------
        SteatosisError
            Where the process cannot begin: the scheduler does not answer.
        """
        try:
            said: SlideState | SteatosisError | None = self.connection.recv()
        except (EOFError, OSError):
            return self._death()
        if isinstance(said, SteatosisError):
            raise said
        if said is None:
            self.ready = True
        elif said.state != "running":
            self.row = None
        return said

    def _death(self) -> SlideState | None:
        self.process.join(STOP_S)
        code = self.process.exitcode or 0
        if not self.ready and code > 0:
            raise BadValueError(
                f"A process for slides ended while it started (exit code {code}); what it said is "
                f"above. A script must call this below a line: if __name__ == '__main__':"
            )
        row, self.row = self.row, None
        if row is None:
            return None
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        often = " Usually memory ran out: use fewer jobs." if code == -9 else ""
        return SlideState(
            row,
            "failed",
            error=f"{row.path}: its process ended ({how}).{often} What was computed is stored; "
            f"the same call goes on.",
        )


def run_rows(
    rows: Sequence[Row],
    settings: Settings,
    *,
    jobs: int,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[SlideState, None, None]:
    """Analyse slides in processes, and yield whatever is new of any of them.

    However it ends, the processes are told to stop, and what they stored can be resumed.

    Parameters
    ----------
    rows : sequence of Row
        In this order.
    settings : Settings
        Of the cohort.
    jobs : int
        Slides at a time.
    should_stop : callable
        Asked several times a second.

    Yields
    ------
    SlideState
    """
    waiting, workers = deque(rows), list[Worker]()
    try:
        while not should_stop():
            workers = [one for one in workers if one.process.is_alive() or one.row is not None]
            busy = sum(one.row is not None for one in workers)
            if not waiting and not busy:
                return
            while waiting and len(workers) < min(jobs, busy + len(waiting)):
                workers.append(Worker.start(settings))
            for one in workers:
                if waiting and one.row is None and one.process.is_alive():
                    one.give(waiting.popleft())
            for connection in wait([one.connection for one in workers], timeout=LOOK_S):
                worker = next(one for one in workers if one.connection is connection)
                if (state := worker.hear()) is not None:
                    yield state
    finally:
        stop(workers)


def stop(workers: Sequence[Worker]) -> None:
    """Ask processes to end, wait for them, and end those that do not."""
    for one in workers:
        try:
            one.connection.send(None)
        except OSError:
            continue
    deadline = time.monotonic() + STOP_S
    for one in workers:
        while one.process.is_alive() and time.monotonic() < deadline:
            _drain(one.connection)
            one.process.join(LOOK_S)
        if one.process.is_alive():
            one.process.kill()  # the store survives it
            one.process.join()
        one.connection.close()


def _drain(connection: Connection) -> None:
    """Take what a process still says, else it would wait for somebody to listen."""
    try:
        while connection.poll():
            connection.recv()
    except (EOFError, OSError):
        return
