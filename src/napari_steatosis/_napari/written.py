"""Writing a slide or its stains in the steps of a job, which can be followed and stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..core.amounts import Amounts
    from ..core.slide import Slide
    from ..pipelines.analyse import Share


class _Stopped(Exception):
    """Nobody waits for what is being written."""


def saving_image(
    image: Slide | Amounts, path: Path
) -> Callable[[Callable[[], bool]], Iterator[Any]]:
    """Return the steps that write a slide or its stains; they yield what was written last."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[Any]:
        from ..pipelines.analyse import Stage

        yield Stage(f"Writing {path.name}")
        yield from writing(image, path, should_stop)

    return steps


def writing(
    image: Slide | Amounts, path: Path, should_stop: Callable[[], bool]
) -> Iterator[Share | Path]:
    """Write an image in a thread of its own; yield how far it is, and last what was written.

    When it is stopped, or this generator is closed, nothing is left under that name.
    """
    from ..io.write import write
    from ..pipelines.analyse import Share

    news: SimpleQueue[Any] = SimpleQueue()
    left = threading.Event()

    def on_block(done: int, total: int) -> None:
        if left.is_set() or should_stop():
            raise _Stopped
        news.put(Share(done / total))

    def work() -> None:
        try:
            news.put(write(image, path, on_block=on_block))
        except BaseException as error:  # whatever it is, it belongs to who waits
            news.put(error)

    thread = threading.Thread(target=work, name="writing", daemon=True)
    thread.start()
    try:
        while isinstance(item := news.get(), Share):
            yield item
        if isinstance(item, _Stopped):
            return
        if isinstance(item, BaseException):
            raise item
        yield from item
    finally:
        left.set()
        thread.join()
