"""Threads of this process that compute the blocks of a plan."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from queue import Empty, Queue

from ..io._store import StoredTile
from ..models._threads import sharing, threads, use_threads
from ._blocks import ANY_NUMBER, Agenda, Partition
from ._order import Focus
from ._plan import Plan, streams
from ._tiles import compute

MOST_TAKERS = 4
"""Threads that each compute a block; each holds its rows in memory."""

MOST_READERS = 16
"""The same where a GPU computes: they read and wait for their turn."""

LOOK_S = 0.1
"""How often a run that waits for results asks whether it is to stop, seconds."""

NICENESS = 5
"""How far the threads step back for a window that is to stay alive."""


def agenda_of(
    plan: Plan, tiles: set[int], *, takers: int, focus: Focus | None = None, most: int = ANY_NUMBER
) -> Agenda | Partition:
    """Return the blocks of a plan that are to be computed.

    They follow what is left and where the user looks, where a pixel does not depend on its
    block; otherwise (float32 in bands, blended tiles, a GPU's batches) on the plan alone.
    """
    kind = plan.model.arithmetic
    exact = kind.get("precision") == "bf16" or not streams(plan.model)
    if exact and kind.get("device") == "cpu" and plan.model.spec.context == "halo":
        return Agenda(plan.grid, tiles, takers=takers, focus=focus, most=most)
    return Partition(plan.grid, tiles, whole=plan.tiles, focus=focus)


class Crew:
    """Threads that each read, predict and cut one block after the other.

    Reading, which takes a processor now and then, so fills what the other threads leave: no
    thread waits for another, as those of one network that share a picture do.

    Parameters
    ----------
    plan : Plan
        What to compute.
    tiles : iterable of int
        Which of its tiles.
    focus : callable, optional
        Where the user looks; the threads then give way to the window, too.
    """

    def __init__(self, plan: Plan, tiles: Iterable[int], focus: Focus | None = None) -> None:
        self._plan, self._stands_back = plan, focus is not None
        on_cpu = plan.model.arithmetic.get("device") == "cpu"
        self._takers = min(MOST_TAKERS if on_cpu else MOST_READERS, threads())
        self._left = set(tiles)
        self._agenda = agenda_of(plan, self._left, takers=self._takers, focus=focus)
        self._done: Queue[list[StoredTile] | BaseException | None] = Queue(2 * self._takers)
        self._stop = threading.Event()

    def results(self, should_stop: Callable[[], bool]) -> Generator[list[StoredTile], None, None]:
        """Yield tiles as they are finished; end early when `should_stop` says so."""
        with sharing(self._takers) as each:
            crew = [
                threading.Thread(target=self._work, args=(each,), name="tiles", daemon=True)
                for _ in range(self._takers)
            ]
            for thread in crew:
                thread.start()
            try:
                yield from self._gather(len(crew), should_stop)
            finally:
                self._stop.set()
                for thread in crew:
                    while thread.is_alive():
                        self._empty()
                        thread.join(LOOK_S)

    def _gather(
        self, working: int, should_stop: Callable[[], bool]
    ) -> Generator[list[StoredTile], None, None]:
        while working:
            try:
                got = self._done.get(timeout=LOOK_S)
            except Empty:
                got = []
            if isinstance(got, BaseException):
                raise got
            if got is None:
                working -= 1
            elif got:
                yield got
            if should_stop():
                return

    def _empty(self) -> None:
        while not self._done.empty():
            self._done.get_nowait()

    def _work(self, own_threads: int) -> None:
        use_threads(own_threads)
        if self._stands_back and sys.platform == "linux":  # threads have priorities there
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            self._take_blocks()
        except BaseException as error:  # goes on in the thread that asked
            self._done.put(error)
        else:
            self._done.put(None)

    def _take_blocks(self) -> None:
        while not self._stop.is_set() and (block := self._agenda.take()) is not None:
            left = self._left.intersection(block.tiles)
            for computed in compute(self._plan, block):
                tiles = [tile for tile in computed if tile.index in left]
                left.difference_update(tile.index for tile in tiles)
                self._agenda.done(len(tiles))
                if tiles:
                    self._done.put(tiles)
                if self._stop.is_set() or (left and not self._agenda.is_urgent(block)):
                    break
            self._agenda.put_back(left)
