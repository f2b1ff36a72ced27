"""The form *Evaluate*: how well a model does on labelled images, with examples of both kinds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, FileEdit, FloatSpinBox, PushButton
from qtpy.QtWidgets import QLabel

from ..core.duration import duration
from ..core.errors import BadValueError, SteatosisError
from ..core.report import RESEARCH_USE
from ..models import SHIPPED
from .job import Job, Outcome
from .model_field import CHOOSE, ModelField
from .panel import Panel, Rows
from .picture_view import PictureView

if TYPE_CHECKING:
    import napari

    from ..training.comparison_report import Evaluation
    from ..training.evaluate_models import Questions

WIDTH_PX = 390
ALL = "all samples"
SETS = (ALL, "val", "test", "train")


class EvaluateForm(Container):
    """Score a model on labelled images; show what it does well and badly.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Evaluate"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self.evaluation: Evaluation | None = None
        self._job: Job | None = None
        self._build()
        self._explain()
        self.run.changed.connect(self.start)
        self.native.destroyed.connect(self._closed)

    def _build(self) -> None:
        self.model = ModelField(SHIPPED, label="Model")
        self.data = FileEdit(label="Data", mode="d", nullable=True, value=None)
        self.split = ComboBox(label="Set", choices=SETS)
        self.pixel_size = FloatSpinBox(label="Pixel size (µm)", min=0, max=20, step=0.05, value=0)
        self.recall = FloatSpinBox(label="Wanted recall", min=0, max=1, step=0.05, value=0)
        self.recall_on = ComboBox(label="Threshold from", choices=SETS)
        self.folder = FileEdit(label="Report folder", mode="d", nullable=True, value=None)
        self.run = PushButton(text="Evaluate")
        self._rows = Rows()
        fields = (self.model, self.data, self.split, self.pixel_size, self.recall)
        for one in (*fields, self.recall_on, self.folder):
            self._rows.add(one)
        self.panel, self.examples = Panel(), PictureView("Examples")
        layout = self.native.layout()
        for part in (self._rows, self.run.native, self.panel, self.examples):
            layout.addWidget(part, int(part is self.panel))
        layout.addWidget(QLabel(RESEARCH_USE))
        self.native.setMinimumWidth(WIDTH_PX)

    def _explain(self) -> None:
        for field, words in ((self.pixel_size, "as the table states"), (self.recall, "none")):
            field.native.setSpecialValueText(words)
        for field, words in ((self.data, "folder or table"), (self.folder, "none")):
            field.choose_btn.text = "Choose…"
            field.line_edit.native.setPlaceholderText(words)
        self.data.tooltip = "Labelled images that the model was not trained on"
        self.split.tooltip = "Which official set of them, where there is one"
        self.recall.tooltip = "Also looks for the threshold at which this share is found"
        self.recall_on.tooltip = "The set that it is chosen on; another than the one that is scored"
        self.folder.tooltip = "Gets page, tables and the figure of examples"

    def asked(self) -> tuple[str, Questions]:
        """Return where the samples are, and what the fields ask for.

        Raises
        ------
        BadValueError
            Where there are no data, or no model.
        """
        from ..training.evaluate_models import Questions

        if self.data.value is None or not str(self.data.line_edit.value).strip():
            raise BadValueError("Choose labelled images under 'Data'.")
        if self.model.value == CHOOSE:
            raise BadValueError("Choose a model under 'Model'.")
        wanted = float(self.recall.value) or None
        return str(self.data.value), Questions(
            split=_set(self.split.value),
            recall=wanted,
            recall_on=None if wanted is None else _set(self.recall_on.value),
        )

    @property
    def is_running(self) -> bool:
        """Whether a model is being scored."""
        return self._job is not None

    def start(self) -> None:
        """Score the model as the fields say."""
        if self._job is not None:
            return
        try:
            data, asked = self.asked()
        except SteatosisError as error:
            self.panel.complain(str(error))
            return
        folder = str(self.folder.value) if str(self.folder.line_edit.value).strip() else None
        size = float(self.pixel_size.value) or None
        self.evaluation, self._began = None, time.monotonic()
        self.panel.begin()
        self.panel.say("Scoring…")
        self.examples.clear()
        self._set_running(True)
        steps = evaluating(str(self.model.value), (data, size), asked, folder)
        self._job = Job(steps, self.title, on_item=self._happened, on_end=self._ended)

    def _set_running(self, running: bool) -> None:
        self.run.enabled = not running
        self._rows.setEnabled(not running)

    def _happened(self, item: Evaluated) -> None:
        self.evaluation = item.evaluation
        self.panel.table.show_measurements(item.evaluation.measurements(0))
        if item.figure:
            self.examples.show_picture(item.figure)
        if item.evaluation.notes:
            self.panel.warn("\n".join(f"• {note}" for note in item.evaluation.notes))

    def _ended(self, outcome: Outcome) -> None:
        self._job = None
        self._set_running(False)
        self.panel.end()
        if outcome.error is not None:
            self.panel.say("")
            self.panel.complain(outcome.said)
        elif self.evaluation is not None:
            one = self.evaluation.models[0]
            took = duration(time.monotonic() - self._began)
            self.panel.say(f"{one.n} samples of {one.groups} patients, in {took}.")

    def _closed(self, _: Any = None) -> None:
        if self._job is not None:
            self._job.abandon()
        self._job = None


def _set(value: str) -> str | None:
    return None if value == ALL else value


@dataclass(frozen=True)
class Evaluated:
    """What was found, and the figure of examples, a PNG file; empty where there is none."""

    evaluation: Evaluation
    figure: bytes


Steps = Callable[[Callable[[], bool]], Iterator[Any]]


def evaluating(
    name: str, data: tuple[str, float | None], asked: Questions, folder: str | None
) -> Steps:
    """Return the steps that score a model; they yield what was found.

    Parameters
    ----------
    name : str
        Of the model.
    data : (str, float or None)
        Where the samples are, and the pixel size of those that state none.
    asked : Questions
    folder : str, optional
        Gets the report.
    """

    def steps(should_stop: Callable[[], bool]) -> Iterator[Evaluated]:
        from pathlib import Path

        from ..io import open_dataset
        from ..models import load_model
        from ..training.comparison_report import write_evaluation
        from ..training.evaluate_models import evaluate_models
        from ..training.examples import figure_png

        place, um_per_px = data
        model = load_model(name)
        found = evaluate_models([model], open_dataset(place, um_per_px=um_per_px), asked)
        if folder is not None:
            write_evaluation(found, Path(folder))
        shown = next(iter(found.examples.values()), ())
        yield Evaluated(found, figure_png(shown) if shown else b"")

    return steps
