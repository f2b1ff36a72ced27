"""The form *Train*: from labelled images to a model that the other forms offer."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, FileEdit, FloatSpinBox, PushButton, SpinBox

from ..core.duration import duration
from ..core.errors import BadValueError
from ..models import MODELS, SHIPPED, WITHOUT_NETWORK
from ..models._names import EXAMPLES, PARTS
from .count_field import count_field
from .curves import Curves
from .form import Form
from .job import Outcome, Steps
from .model_field import CHOOSE, ModelField
from .panel import across
from .predicted_pictures import PredictedPictures
from .recent import ANNOTATED, TRAINED
from .training_steps import AUTO, IMAGES, NOTHING, Asked

if TYPE_CHECKING:
    import napari

    from ..training.process import TrainingProcess
    from ..training.rows import Epoch, Row, Trained

OWN, PUBLISHED = "Default of this program", "As it was published"
AS_RECIPE = "as the recipe says"
WITHOUT_TRAINING = ("fibrosis-hue",)
SHOW_EVERY_S = 0.2


class TrainForm(Form):
    """Train a network in a process of its own, and see how it goes.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Train"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.trained: Path | None = None
        self._process: TrainingProcess | None = None
        self._leaving = False
        self._build()
        self._explain()
        self.run.changed.connect(self.start)
        self.pause.changed.connect(self.pause_or_go_on)
        self.native.destroyed.connect(self._closed)
        ANNOTATED.added.connect(self._annotated)
        if ANNOTATED.folders:
            self._annotated(ANNOTATED.folders[-1])

    def _build(self) -> None:
        self.data = FileEdit(label="Data", mode="d", nullable=True, value=None)
        networks = [name for name in MODELS if name not in (*WITHOUT_TRAINING, *PARTS)]
        offered = [*SHIPPED, *networks, *WITHOUT_NETWORK, *EXAMPLES]
        self.architecture = ModelField(offered, typed=True, label="Begin with")
        self.recipe = ComboBox(label="Recipe", choices=[OWN, PUBLISHED])
        self.judged_on = ComboBox(label="Judge on", choices=[AUTO, IMAGES, NOTHING])
        self.epochs = count_field("Epochs", most=10_000, usual=AS_RECIPE)
        self.batch = count_field("Crops per step", most=4096, usual=AS_RECIPE)
        self.rate = FloatSpinBox(label="Learning rate", min=0, max=1, step=1e-4, value=0)
        self.seed = SpinBox(label="Seed", min=0, max=2**31 - 1, value=0)
        self.pixel_size = FloatSpinBox(label="Pixel size (µm)", min=0, max=20, step=0.05, value=0)
        self.folder = FileEdit(label="Model folder", mode="d", nullable=True, value=None)
        self.run, self.pause = PushButton(text="Train"), PushButton(text="Pause", enabled=False)
        self._starts = (self.run,)
        fields = (self.data, self.architecture, self.recipe, self.judged_on, self.epochs)
        for one in (*fields, self.batch, self.rate, self.seed, self.pixel_size, self.folder):
            self._rows.add(one)
        self.curves, self.pictures = Curves(), PredictedPictures()
        buttons = across(self.run, self.pause, self.cancel)
        self._lay_out(self._rows, buttons, self.panel, self.curves, self.pictures)

    def _explain(self) -> None:
        for field, words in (
            (self.rate, AS_RECIPE),
            (self.pixel_size, "as the table states"),
        ):
            field.native.setSpecialValueText(words)
        self.rate.native.setDecimals(6)
        for field, words in ((self.data, "folder or table"), (self.folder, "a new folder")):
            field.choose_btn.text = "Choose…"
            field.line_edit.native.setPlaceholderText(words)
        self.pixel_size.tooltip = "Side of a pixel, µm, of images for which no table states it"
        self.data.tooltip = (
            "What Annotate saved, or images with masks, class folders, a manifest (CSV)"
        )
        self.architecture.tooltip = (
            "A model to go on from, which needs the same classes, or a network that begins anew. "
            "Any network of the libraries can be typed: smp:ARCHITECTURE/ENCODER, timm:NAME"
        )
        self.judged_on.tooltip = (
            "Which samples decide what weights are best: an official set where there is one, else "
            "a fifth of the patients"
        )
        self.folder.tooltip = "Gets the model; a training that was stopped there goes on"

    def _annotated(self, folder: str) -> None:
        if not self.is_running:
            self.data.value = folder

    # A training

    def asked(self) -> Asked:
        """Return what the fields ask for.

        Raises
        ------
        BadValueError
            Where data or folder are missing.
        """
        for field, what in ((self.data, "Data"), (self.folder, "Model folder")):
            if field.value is None or not str(field.line_edit.value).strip():
                raise BadValueError(f"Choose a folder under {what!r}.")
        self.architecture.take_typed()
        begin = str(self.architecture.value)
        how: dict[str, Any] = {"seed": int(self.seed.value)}
        if self.recipe.value == PUBLISHED and begin != CHOOSE:
            how["preset"] = begin
        epochs, batch = int(self.epochs.value), int(self.batch.value)
        chosen = {"epochs": epochs, "batch": batch, "learning_rate": self.rate.value}
        how |= {name: value for name, value in chosen.items() if value}
        size = float(self.pixel_size.value) or None
        data, out = str(self.data.value), str(self.folder.value)
        return Asked(data, begin, out, str(self.judged_on.value), size, how)

    def start(self) -> None:
        """Train as the fields say."""
        self.launch(
            self._steps,
            then=self._trained,
            on_item=self._happened,
            otherwise=self._left,
            stage="Preparing",
        )

    def _steps(self) -> Steps:
        asked = self.asked()
        self.trained, self._steps_done, self._epoch = None, 0, 0
        self._shown_at, self._leaving = 0.0, False
        self.curves.clear()
        self.pictures.clear()
        return asked.steps(self._begun)

    def _begun(self, process: TrainingProcess) -> None:
        self._process = process
        if self._leaving:
            process.cancel()

    def pause_or_go_on(self) -> None:
        """Let the training wait after the step at work, or go on."""
        process = self._process
        if process is None:
            return
        if process.paused:
            process.resume()
            self.panel.say("Going on…")
        else:
            process.pause()
            self.panel.say("Paused. Its memory stays taken; Cancel frees it.")
        self.pause.text = "Resume" if process.paused else "Pause"

    def stop(self) -> None:
        """Stop after the step at work; the same fields go on from there."""
        super().stop()
        self.pause.enabled = False
        self._leave()

    def _leave(self) -> None:
        self._leaving = True
        if self._process is not None:
            self._process.cancel()

    def _show_running(self, running: bool) -> None:
        super()._show_running(running)
        self.pause.enabled, self.pause.text = running, "Pause"
        if not running:
            self._process = None

    def _happened(self, row: Row) -> None:
        from ..training.rows import Epoch, Notice, Predicted, Step

        if isinstance(row, Step):
            self._steps_done += 1
            self.curves.add_loss(row.loss)
            if time.monotonic() - self._shown_at > SHOW_EVERY_S and not self._paused:
                self._shown_at = time.monotonic()
                self.panel.say(
                    f"Epoch {self._epoch + 1} · step {self._steps_done} · {row.loss:.3f}"
                )
        elif isinstance(row, Epoch):
            self._show_epoch(row)
        elif isinstance(row, Predicted):
            self.pictures.show_sample(row)
        elif isinstance(row, Notice):
            before = self.panel.plan.text() if self.panel.plan.isVisibleTo(self.panel) else ""
            self.panel.plan.setText(f"{before}\n{row.text}".strip())
            self.panel.plan.show()
        else:
            self.deliver(row)

    @property
    def _paused(self) -> bool:
        return self._process is not None and self._process.paused

    def _show_epoch(self, row: Epoch) -> None:
        self._epoch = row.epoch
        self.panel.bar.setRange(0, row.epochs)
        self.panel.bar.setValue(row.epoch)
        if "score" in row.scores:
            self.curves.add_score(row.scores["score"])
        left = (time.monotonic() - self._began) / row.epoch * (row.epochs - row.epoch)
        self.panel.say(f"Epoch {row.epoch} of {row.epochs} · at most {duration(left)} left")

    def _trained(self, row: Trained) -> None:
        self.trained = row.folder
        TRAINED.add(self.trained)
        weights = f"; weights of epoch {row.best_epoch}" if row.epochs else ""
        self.panel.say(
            f"Done in {self.took}{weights}. The model is in {self.trained} and is now offered by "
            f"the other forms."
        )

    def _left(self, outcome: Outcome) -> None:
        if outcome.error is None:
            self.panel.say("Stopped. Train with the same fields to go on from there.")

    def _closed(self, _: Any = None) -> None:
        ANNOTATED.added.disconnect(self._annotated, missing_ok=True)
        self._leave()
