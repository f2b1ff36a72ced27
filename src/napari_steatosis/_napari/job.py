"""Long work beside the window: started, shown, cancelled and ended in one place."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..core.errors import SteatosisError
from .mesa import keep_triton_out
from .warm_up import wait_for_warm_up

if TYPE_CHECKING:
    from qtpy.QtWidgets import QWidget

log = logging.getLogger(__name__)

Steps = Callable[[Callable[[], bool]], Generator[Any, None, Any]]
"""Given ``should_stop``, yields what happens; runs outside the GUI thread."""


TURN_S = 0.0005


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    status : {"done", "cancelled", "failed"}
    error : BaseException, optional
        Why it failed.
    """

    status: Literal["done", "cancelled", "failed"]
    error: BaseException | None = None

    @property
    def said(self) -> str:
        """What to tell the user of the error."""
        if isinstance(self.error, SteatosisError):
            return str(self.error)
        return f"{type(self.error).__name__}: {self.error} (the log has the whole traceback)"


class _Turns:
    """While jobs run, threads take short turns at the interpreter.

    A window lets go of it at each call of OpenGL, hundreds of times for a picture, and would
    wait the usual 5 ms each time to have it back from a thread that computes.
    """

    def __init__(self) -> None:
        self._jobs, self._usual_s = 0, 0.0

    def shorten(self) -> None:
        if self._jobs == 0:
            self._usual_s = sys.getswitchinterval()
            sys.setswitchinterval(min(TURN_S, self._usual_s))
        self._jobs += 1

    def restore(self) -> None:
        self._jobs -= 1
        if self._jobs == 0:
            sys.setswitchinterval(self._usual_s)


_turns = _Turns()


def device_of(model: Any) -> str:
    """Return where a model computes, ``"cuda:0"``; empty where it does not say."""
    return str(getattr(getattr(model, "compute", None), "device", ""))


def give_back(device: str) -> None:
    """Give the memory that a run has used on a device back to it, once its model has gone."""
    if device:
        from ..models._memory import empty_cache

        empty_cache(device)


def drive(steps: Steps, stop: threading.Event) -> Generator[Any, None, Outcome]:
    """Run steps in a worker thread; an error is an outcome.

    napari's worker drops a `RuntimeError` without a signal and shows any other error twice,
    so none may reach it. The steps are always closed here, in their own thread.
    """
    keep_triton_out()
    wait_for_warm_up(stop)
    items = steps(stop.is_set)
    try:
        for item in items:
            yield item
            if stop.is_set():
                break
        return Outcome("cancelled" if stop.is_set() else "done")
    except Exception as error:  # whatever decoders, drivers and disks raise ends the job
        log.error("A job failed.\n%s", traceback.format_exc())
        return Outcome("failed", error)
    finally:
        items.close()


class Job:
    """A running job, which can have a bar in napari's activity dock. Create it on the GUI thread.

    Parameters
    ----------
    steps : callable
        What to run.
    text : str
        Shown beside the bar.
    on_item : callable
        Called on the GUI thread with each item that the steps yield.
    on_end : callable
        Called on the GUI thread once, with the `Outcome`.
    """

    def __init__(
        self,
        steps: Steps,
        text: str,
        *,
        on_item: Callable[[Any], None],
        on_end: Callable[[Outcome], None],
    ) -> None:
        from napari.qt.threading import create_worker

        self._stop, self._text, self._bar = threading.Event(), text, None
        self._on_item, self._on_end, self._abandoned = on_item, on_end, False
        self._outcome = Outcome("cancelled")
        self._worker = create_worker(
            drive, steps, self._stop, _start_thread=False, _ignore_errors=True
        )
        # Not the methods themselves: Qt would hold them weakly, and call them after this job
        # was let go.
        self._worker.yielded.connect(lambda item: self._pass_on(item))
        self._worker.returned.connect(lambda outcome: setattr(self, "_outcome", outcome))
        self._worker.finished.connect(lambda: self._end())
        _turns.shorten()
        self._worker.start()

    def cancel(self) -> None:
        """Ask the job to stop after its current step; what is stored stays resumable."""
        self._stop.set()

    def show(self, done: int, total: int) -> None:
        """Move the bar in the activity dock; it appears with the first call.

        Not before: while there is a bar napari turns a wheel beside it, which without a
        graphics card costs as much as the work itself.
        """
        if self._bar is None:
            self._bar = self._new_bar(total)
        self._bar.update(done - self._bar.n)

    def _new_bar(self, total: int) -> Any:
        from napari.utils import cancelable_progress

        job = self

        class Bar(cancelable_progress):
            def cancel(self) -> None:  # the button in the activity dock
                super().cancel()
                job.cancel()

        return Bar(total=total, desc=self._text)

    def abandon(self) -> None:
        """Stop, and call nobody any more: the window of the job has gone."""
        self.cancel()
        self._abandoned = True

    def _pass_on(self, item: Any) -> None:
        if not self._abandoned:
            self._on_item(item)

    def _end(self) -> None:
        _turns.restore()
        self._worker = None
        if self._bar is not None:
            self._bar.close()
        if not self._abandoned:
            self._on_end(self._outcome)


class JobSlot:
    """Room for one job of a form: it ends with the form, or when another takes its place.

    Parameters
    ----------
    form : QWidget
        When it is destroyed, the job is abandoned.
    """

    def __init__(self, form: QWidget) -> None:
        self._job: Job | None = None
        form.destroyed.connect(self._closed)

    @property
    def is_taken(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None

    def start(
        self,
        steps: Steps,
        text: str,
        *,
        on_item: Callable[[Any], None],
        on_end: Callable[[Outcome], None],
    ) -> None:
        """Begin a job, with the arguments of `Job`, in place of one that is under way."""
        self.abandon()

        def ended(outcome: Outcome) -> None:
            self._job = None
            on_end(outcome)

        self._job = Job(steps, text, on_item=on_item, on_end=ended)

    def cancel(self) -> None:
        """Ask the job to stop after its current step."""
        if self._job is not None:
            self._job.cancel()

    def show(self, done: int, total: int) -> None:
        """Move the bar of the job in the activity dock."""
        if self._job is not None:
            self._job.show(done, total)

    def abandon(self) -> None:
        """Stop the job, and hear no more of it."""
        if self._job is not None:
            self._job.abandon()
        self._job = None

    def _closed(self, _: Any = None) -> None:
        self.abandon()
