"""The form *Evaluate*: how well a model does on labelled images, with examples of both kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from magicgui.widgets import ComboBox, FileEdit, FloatSpinBox, PushButton

from ..core.errors import BadValueError
from ..models import SHIPPED
from .form import Form
from .job import Steps
from .model_field import CHOOSE, ModelField
from .picture_view import PictureView

if TYPE_CHECKING:
    import napari

    from ..training.comparison_report import Evaluation
    from ..training.evaluate_models import Questions

ALL = "all samples"
SETS = (ALL, "val", "test", "train")


class EvaluateForm(Form):
    """Score a model on labelled images; show what it does well and badly.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Evaluate"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer, with_table=True)
        self.evaluation: Evaluation | None = None
        self._build()
        self._explain()
        self.run.changed.connect(self.start)

    def _build(self) -> None:
        self.model = ModelField(SHIPPED, label="Model")
        self.data = FileEdit(label="Data", mode="d", nullable=True, value=None)
        self.split = ComboBox(label="Set", choices=SETS)
        self.pixel_size = FloatSpinBox(label="Pixel size (µm)", min=0, max=20, step=0.05, value=0)
        self.recall = FloatSpinBox(label="Wanted recall", min=0, max=1, step=0.05, value=0)
        self.recall_on = ComboBox(label="Threshold from", choices=SETS)
        self.folder = FileEdit(label="Report folder", mode="d", nullable=True, value=None)
        self.run = PushButton(text="Evaluate")
        self._starts = (self.run,)
        fields = (self.model, self.data, self.split, self.pixel_size, self.recall)
        for one in (*fields, self.recall_on, self.folder):
            self._rows.add(one)
        self.examples = PictureView("Examples")
        parts = (self._rows, self.run.native, self.panel, self.examples)
        self._lay_out(*parts, growing=self.panel)

    def _explain(self) -> None:
        for field, words in ((self.pixel_size, "as the table states"), (self.recall, "none")):
            field.native.setSpecialValueText(words)
        for field, words in ((self.data, "folder or table"), (self.folder, "none")):
            field.choose_btn.text = "Choose…"
            field.line_edit.native.setPlaceholderText(words)
        self.pixel_size.tooltip = "Side of a pixel, µm, of images for which no table states it"
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

    def start(self) -> None:
        """Score the model as the fields say."""
        self.launch(self._steps, then=self._scored, stage="Scoring")

    def _steps(self) -> Steps:
        data, asked = self.asked()
        folder = str(self.folder.value) if str(self.folder.line_edit.value).strip() else None
        size = float(self.pixel_size.value) or None
        self.evaluation = None
        self.examples.clear()
        return evaluating(str(self.model.value), (data, size), asked, folder)

    def _scored(self, found: Evaluated) -> None:
        self.evaluation = found.evaluation
        one = found.evaluation.models[0]
        self.panel.say(f"{one.n} samples of {one.groups} patients, in {self.took}.")
        self.panel.table.show_measurements(found.evaluation.measurements(0))
        if found.figure:
            self.examples.show_picture(found.figure)
        if found.evaluation.notes:
            self.panel.warn("\n".join(f"• {note}" for note in found.evaluation.notes))


def _set(value: str) -> str | None:
    return None if value == ALL else value


@dataclass(frozen=True)
class Evaluated:
    """What was found, and the figure of examples, a PNG file; empty where there is none."""

    evaluation: Evaluation
    figure: bytes


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
