"""Writing a slide or its stains in the steps of a job, which can be followed and stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .followed import followed
from .job import Steps

if TYPE_CHECKING:
    from ..core.amounts import Amounts
    from ..core.slide import Slide
    from ..pipelines.analyse import Share


def saving_image(image: Slide | Amounts, path: Path) -> Steps:
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

    def work(tell: Callable[[float], None]) -> list[Path]:
        return write(image, path, on_block=lambda done, total: tell(done / total))

    yield from (yield from followed(work, should_stop)) or ()
