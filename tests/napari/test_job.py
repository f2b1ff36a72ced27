from __future__ import annotations

import gc
import sys
import threading
import time

import pytest
from napari.utils import cancelable_progress
from napari.utils.notifications import notification_manager

from napari_steatosis._napari.job import Job, Outcome
from napari_steatosis.core.errors import BadValueError


class Watched:
    """Steps that count, may fail, and tell whether and where they were closed."""

    def __init__(self, count: int = 1000, error: BaseException | None = None) -> None:
        self.count, self.error, self.closed_in = count, error, None

    def __call__(self, should_stop):
        try:
            for number in range(self.count):
                time.sleep(0.005)
                yield number
            if self.error is not None:
                raise self.error
        finally:
            self.closed_in = threading.current_thread()


def run(steps, qtbot, act=lambda job, items: None) -> tuple[Outcome, list[int]]:
    items, outcomes = [], []

    def on_item(item):
        items.append(item)
        job.show(len(items), 1000)
        act(job, items)

    job = Job(steps, "counting", on_item=on_item, on_end=outcomes.append)
    qtbot.waitUntil(lambda: bool(outcomes), timeout=120_000)
    qtbot.waitUntil(lambda: not any("counting" in repr(bar) for bar in bars()), timeout=120_000)
    return outcomes[0], items


def bars() -> list[cancelable_progress]:
    return list(cancelable_progress._all_instances)


def test_a_job_ends_with_all_its_items(qtbot):
    outcome, items = run(Watched(5), qtbot)
    assert outcome == Outcome("done")
    assert items == list(range(5))


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, MemoryError])
def test_an_error_is_an_outcome_and_no_second_message(qtbot, kind):
    before = len(notification_manager.records)
    steps = Watched(2, kind("CUDA out of memory"))
    outcome, items = run(steps, qtbot)
    assert outcome.status == "failed"
    assert isinstance(outcome.error, kind)
    assert items == [0, 1]
    assert notification_manager.records[before:] == []


def test_cancelled_by_the_button_of_the_form(qtbot):
    steps = Watched()
    outcome, items = run(steps, qtbot, lambda job, items: job.cancel() if items[-1] == 3 else None)
    assert outcome == Outcome("cancelled")
    assert 4 <= len(items) < 100
    assert steps.closed_in is not threading.main_thread()
    assert steps.closed_in is not None


def test_cancelled_in_the_activity_dock(qtbot):
    def press(job, items):
        if items[-1] == 3:
            (bar,) = [bar for bar in bars() if "counting" in repr(bar)]
            bar.cancel()

    outcome, _ = run(Watched(), qtbot, press)
    assert outcome == Outcome("cancelled")


def test_a_job_that_nobody_holds_ends_all_the_same(qtbot):
    outcomes = []
    for _ in range(20):
        Job(Watched(3), "counting", on_item=lambda item: None, on_end=outcomes.append)
        gc.collect()
    qtbot.waitUntil(lambda: len(outcomes) == 20, timeout=240_000)


def test_an_abandoned_job_stops_and_calls_nobody(qtbot):
    steps, calls = Watched(), []
    job = Job(steps, "left alone", on_item=calls.append, on_end=calls.append)
    qtbot.waitUntil(lambda: len(calls) > 2, timeout=120_000)
    job.abandon()
    known = len(calls)
    qtbot.waitUntil(lambda: steps.closed_in is not None, timeout=120_000)
    qtbot.wait(50)
    assert len(calls) == known


def test_threads_take_short_turns_while_jobs_run_and_no_longer(qtbot):
    usual = sys.getswitchinterval()
    outcomes, during = [], []
    for count in (3, 30):
        Job(
            Watched(count),
            "counting",
            on_item=lambda item: during.append(sys.getswitchinterval()),
            on_end=outcomes.append,
        )
    qtbot.waitUntil(lambda: len(outcomes) == 2, timeout=120_000)
    assert max(during) < usual
    assert sys.getswitchinterval() == usual


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BadValueError("no pixel size"), "no pixel size"),
        (ValueError("x"), "ValueError: x (the log"),
    ],
)
def test_an_outcome_says_what_went_wrong(error, said):
    assert Outcome("failed", error).said.startswith(said)
