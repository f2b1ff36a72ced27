"""What every form has: a job that is started, shown, cancelled, and ended with the form."""

from __future__ import annotations

import threading
import time

import pytest
from magicgui.widgets import PushButton

from napari_steatosis._napari.form import Form
from napari_steatosis.core.errors import BadValueError

WAIT_MS = 120_000


class Counting(Form):
    """A form that counts to a number, or until it is stopped."""

    title = "Count"

    def __init__(self, napari_viewer=None) -> None:
        super().__init__(napari_viewer)
        self.run = PushButton(text="Count")
        self._starts = (self.run,)
        self._lay_out(self._rows, self.run.native, self.panel)
        self.told: list[object] = []
        self.closed = threading.Event()

    def count(self, to: int = 1000, error: Exception | None = None, **told) -> None:
        def steps(should_stop):
            try:
                for number in range(to):
                    time.sleep(0.005)
                    yield number / to
                if error is not None:
                    raise error
                yield "counted"
            finally:
                self.closed.set()

        told = {"then": self.told.append, "otherwise": self.told.append, **told}
        self.launch(lambda: steps, stage="Counting", **told)


@pytest.fixture
def form(qtbot):
    made = Counting()
    qtbot.addWidget(made.native)
    return made


def counting(form, qtbot) -> None:
    qtbot.waitUntil(lambda: "Counting… " in form.panel.status.text(), timeout=WAIT_MS)


def ended(form, qtbot) -> str:
    qtbot.waitUntil(lambda: not form.is_running, timeout=WAIT_MS)
    return form.panel.status.text()


def test_what_was_delivered_is_handed_on(form, qtbot):
    form.count(200)
    assert form.is_running
    assert (form.run.enabled, form.cancel.enabled) == (False, True)
    assert not form._rows.isEnabled()
    counting(form, qtbot)
    assert ended(form, qtbot).startswith("Done in ")
    assert form.told == ["counted"]
    assert (form.run.enabled, form.cancel.enabled) == (True, False)
    assert form._rows.isEnabled()


def test_one_thing_at_a_time_and_the_next_can_begin_where_one_has_ended(form, qtbot):
    form.count(3, then=lambda found: form.count(2) or form.told.append("next"))
    form.count(3, then=lambda found: form.told.append("beside"))
    qtbot.waitUntil(lambda: form.told == ["next", "counted"], timeout=WAIT_MS)


def test_cancelled_before_there_is_anything(form, qtbot):
    form.count()
    counting(form, qtbot)
    form.stop()
    assert not form.cancel.enabled
    assert ended(form, qtbot) == "Stopped."
    assert [one.status for one in form.told] == ["cancelled"]


def test_a_cancel_that_comes_after_the_result_changes_nothing(form, qtbot):
    def arrived(item):
        form.deliver(item)
        form.stop()

    form.count(2, on_item=arrived)
    assert ended(form, qtbot).startswith("Done in ")
    assert form.told == ["counted"]


def test_errors_are_said_and_the_form_can_be_used_again(form, qtbot):
    form.count(2, BadValueError("there is no such number"))
    ended(form, qtbot)
    assert form.panel.flags.text() == "there is no such number"
    assert [one.status for one in form.told] == ["failed"]
    assert form.run.enabled

    def refused():
        raise BadValueError("what is to be counted?")

    form.launch(refused, otherwise=form.told.append)
    assert not form.is_running
    assert form.panel.flags.text() == "what is to be counted?"
    assert len(form.told) == 1


def test_what_stands_in_the_panel_can_be_kept(form, qtbot):
    form.panel.warn("mind")
    form.count(1, anew=False)
    assert not form.panel.flags.isHidden()
    ended(form, qtbot)
    form.count(1)
    assert form.panel.flags.isHidden()
    ended(form, qtbot)


def test_closing_the_form_ends_its_job_and_calls_nobody(qtbot):
    form = Counting()
    form.count()
    counting(form, qtbot)
    form.native.deleteLater()
    qtbot.waitUntil(form.closed.is_set, timeout=WAIT_MS)
    qtbot.wait(50)
    assert not form.is_running
    assert form.told == []
