"""One long call of a library in the steps of a job, which can be followed and stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..pipelines.analyse import Share


class _Stopped(Exception):
    """Nobody waits for what is being done."""


def followed(
    work: Callable[[Callable[[float], None]], Any], should_stop: Callable[[], bool]
) -> Generator[Share, None, Any]:
    """Do something in a thread of its own; yield how far it is, and return what it returns.

    Parameters
    ----------
    work : callable
        Called with a function that it tells how far it is, from 0 to 1. That raises where nobody
        waits any more, because the job was stopped or this generator closed, and so ends it.
    should_stop : callable
        Of the job.

    Returns
    -------
    object
        What `work` returned; None where it was ended.
    """
    from ..pipelines.analyse import Share

    news: SimpleQueue[tuple[str, Any]] = SimpleQueue()
    left = threading.Event()

    def tell(share: float) -> None:
        if left.is_set() or should_stop():
            raise _Stopped
        news.put(("share", share))

    def run() -> None:
        try:
            news.put(("made", work(tell)))
        except _Stopped:
            news.put(("made", None))
        except BaseException as error:  # whatever it is, it belongs to who waits
            news.put(("error", error))

    thread = threading.Thread(target=run, name="followed", daemon=True)
    thread.start()
    try:
        while (now := news.get())[0] == "share":
            yield Share(now[1])
    finally:
        left.set()
        thread.join()
    kind, what = now
    if kind == "error":
        raise what
    return what
