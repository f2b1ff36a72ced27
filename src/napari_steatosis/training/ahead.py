"""Work that is done ahead in threads, and handed over in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import torch

Made = TypeVar("Made")


def ahead(
    make: Callable[[int], Made], numbers: Iterable[int], *, workers: int
) -> Generator[Made, None, None]:
    """Yield ``make(number)`` for each number in turn, made by threads while others are used.

    Parameters
    ----------
    make : callable
        Called in several threads at once, each of which computes with one thread of torch.
    numbers : iterable of int
        In order.
    workers : int
        Threads; 0: made when asked for.

    Examples
    --------
    >>> list(ahead(lambda n: n * n, range(4), workers=2))
    [0, 1, 4, 9]
    """
    if workers < 1:
        yield from map(make, numbers)
        return
    own = torch.get_num_threads()  # asked before a worker says otherwise for itself
    rest = iter(numbers)
    pool = ThreadPoolExecutor(workers, "batches", initializer=torch.set_num_threads, initargs=(1,))
    try:
        waiting: deque[Future[Made]] = deque(
            pool.submit(make, number) for number in islice(rest, 2 * workers + 1)
        )
        torch.set_num_threads(own)
        while waiting:
            found = waiting.popleft().result()
            for number in islice(rest, 1):
                waiting.append(pool.submit(make, number))
            yield found
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def workers_for(asked: int, device: str) -> int:
    """Return how many threads make batches.

    Parameters
    ----------
    asked : int
        That many; below 0: one per four processors, or on a GPU half of them, at least one.
    device : str
        Where the network is trained.
    """
    if asked >= 0:
        return asked
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    processors = processors or os.cpu_count() or 1
    return max(1, processors // (4 if device == "cpu" else 2))
