"""What every form of the dock has: one thing at a time that takes long, and how it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Container, PushButton
from qtpy.QtWidgets import QLabel, QWidget

from ..core.duration import duration
from ..core.errors import SteatosisError
from ..core.report import RESEARCH_USE
from .job import JobSlot, Outcome, Steps
from .panel import Panel, Rows

if TYPE_CHECKING:
    import napari


class Form(Container):
    """A form: fields that ask, buttons that start, a panel that shows how it goes.

    It begins a job, shows how far it is, cancels it, says how it ended, and ends it with the
    form. A form made of it says what it asks for, what is to run, and what comes of it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    with_table : bool
        Whether its panel has room for a table of results.
    """

    title = ""
    width_px = 390
    in_dock = False
    """Whether napari's activity dock shows, too, how far it is."""

    def __init__(self, napari_viewer: napari.viewer.Viewer, *, with_table: bool = False) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self.cancel = PushButton(text="Cancel", enabled=False)
        self.cancel.tooltip = "End what runs after the step at work"
        self.cancel.changed.connect(self.stop)
        self._rows, self.panel = Rows(), Panel(with_table=with_table)
        self._starts: tuple[PushButton, ...] = ()
        self._slot, self._delivered, self._began = JobSlot(self.native), None, 0.0

    def _lay_out(self, *parts: QWidget, growing: QWidget | None = None) -> None:
        """Put parts under each other; one of them takes the height that is left."""
        layout, note = self.native.layout(), QLabel(RESEARCH_USE)
        note.setWordWrap(True)
        for part in parts:
            layout.addWidget(part, int(part is growing))
        if growing is None:
            layout.addStretch(1)
        layout.addWidget(note)
        self.native.setMinimumWidth(self.width_px)

    @property
    def is_running(self) -> bool:
        """Whether something that the form has started is under way."""
        return self._slot.is_taken

    @property
    def took(self) -> str:
        """How long it is since the last thing was started."""
        return duration(time.monotonic() - self._began)

    def launch(
        self,
        prepare: Callable[[], Steps],
        *,
        then: Callable[[Any], None] | None = None,
        on_item: Callable[[Any], None] | None = None,
        otherwise: Callable[[Outcome], None] | None = None,
        stage: str = "",
        anew: bool = True,
    ) -> None:
        """Run what the fields ask for, unless something runs.

        Parameters
        ----------
        prepare : callable
            Reads the fields and returns the steps; a `SteatosisError` of it is shown.
        then : callable, optional
            Called with what was delivered, once the job has ended well.
        on_item : callable, optional
            Called with what the steps yield, beside how far they are; without it that is taken
            as delivered.
        otherwise : callable, optional
            Called with how it ended where nothing came of it.
        stage : str
            What is done, until the steps say more.
        anew : bool
            Whether what the panel shows belongs to something earlier, and is cleared.
        """
        if self._slot.is_taken:
            return
        try:
            steps = prepare()
        except SteatosisError as error:
            self.panel.complain(str(error))
            return
        self._delivered, self._began = None, time.monotonic()
        self.panel.begin(anew=anew)
        if stage:
            self.panel.begin_stage(stage)
        self._show_running(True)
        self._slot.start(
            steps,
            self.title,
            on_item=lambda item: self._pass_on(item, on_item or self.deliver),
            on_end=lambda outcome: self._conclude(outcome, then, otherwise),
        )

    def deliver(self, what: Any) -> None:
        """Take what the job is for; a cancel that comes after it changes nothing."""
        self._delivered = what

    def _pass_on(self, item: Any, handle: Callable[[Any], None]) -> None:
        share = self.panel.show_step(item)
        if share is None:
            handle(item)
        elif self.in_dock and share:
            self._slot.show(int(100 * share), 100)

    def stop(self) -> None:
        """End what runs after the step at work."""
        if self._slot.is_taken:
            self._slot.cancel()
            self.cancel.enabled = False
            self.panel.say("Stopping after this step…")

    def _show_running(self, running: bool) -> None:
        """Let fields and buttons be used that can be used now."""
        self._rows.setEnabled(not running)
        self.cancel.enabled = running
        for button in self._starts:
            button.enabled = not running

    def _conclude(
        self,
        outcome: Outcome,
        then: Callable[[Any], None] | None,
        otherwise: Callable[[Outcome], None] | None,
    ) -> None:
        self._show_running(False)
        self.panel.end()
        if outcome.error is not None:
            self.panel.say("")
            self.panel.complain(outcome.said)
        elif outcome.status == "cancelled" and self._delivered is None:
            self.panel.say("Stopped.")
        else:
            self.panel.say(f"Done in {self.took}.")
            delivered, self._delivered = self._delivered, None
            if then is not None:
                then(delivered)
            return
        if otherwise is not None:
            otherwise(outcome)
