"""How many threads a network may use, where several processes or tasks share the processors."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

M_ARENA_MAX = -8
"""Of malloc.h."""


def use_threads(count: int) -> None:
    """Let networks of the calling thread compute with so many threads.

    It does not import torch: where that has yet to be loaded, it will find the number in the
    environment.

    Parameters
    ----------
    count : int
        At least 1.

    Examples
    --------
    >>> use_threads(1)
    """
    torch = sys.modules.get("torch")
    if torch is None:
        os.environ["OMP_NUM_THREADS"] = str(count)
    else:
        torch.set_num_threads(count)


def threads() -> int:
    """Return how many threads this process may compute with."""
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else _processors()


@contextmanager
def sharing(takers: int) -> Iterator[int]:
    """Share the threads of this process evenly; give the number that each taker may use.

    Each taker calls `use_threads` with it. Afterwards a thread has all of them again.
    """
    before = threads()
    try:
        yield max(1, before // takers)
    finally:
        use_threads(before)


def share_heap() -> None:
    """Let new threads take memory where others give it back, instead of each keeping its own.

    With glibc each thread has a heap of its own, which holds a run's peak of memory twice over;
    the threads of a run ask for little but large pieces, so that they do not wait for each other.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(M_ARENA_MAX, 1)


def trim_heap() -> None:
    """Give memory that is free back to the system, which the C library may keep for later."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; others need none
        if trim is not None:
            trim(0)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on Windows and macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
