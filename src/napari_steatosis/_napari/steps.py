"""The steps of a run, as the worker thread of a form takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .job import Steps, device_of, give_back
from .view import Focus

if TYPE_CHECKING:
    from ..pipelines.analyse import Event, Request

SHOWN_S = 2.0
"""How long a run waits at most for its layer to be shown, seconds."""


def run_steps(
    request: Request,
    focus: Focus,
    shown: threading.Event,
    *,
    begin: Callable[..., Iterator[Event]],
    write: Callable[..., Iterator[Event]],
) -> Steps:
    """Return the steps that run what was asked for, and write the report where there is a folder.

    Parameters
    ----------
    request : Request
        What the form asks for.
    focus : Focus
        Where the user looks; it is told the frame of the run.
    shown : threading.Event
        Set once the layer of the result is in the window. Nothing is computed before that:
        napari takes long enough to add a layer when it has the processor to itself.
    begin : callable
        ``begin(focus=, should_stop=)`` yields the events of the run.
    write : callable
        ``write(report, folder, overwrite=)`` writes the report.
    """

    def steps(should_stop: Callable[[], bool]) -> Iterator[Any]:
        from ..pipelines.analyse import Began, Ended

        device, report, event = "", None, None
        events = begin(focus=focus, should_stop=should_stop)
        try:
            for event in events:
                if isinstance(event, Ended):
                    report = event.report
                    break
                if isinstance(event, Began):
                    device = device_of(event.plan.model)
                    focus.frame = event.plan.plane.frame
                    if event.estimate is not None:
                        yield event.estimate
                yield event
                if isinstance(event, Began):
                    shown.wait(SHOWN_S)
        finally:
            events.close()
            event = events = None  # these hold the model
            give_back(device)
        if report is not None:
            if request.store is not None:
                yield from write(report, Path(request.store).parent, overwrite=True)
            yield report

    return steps
