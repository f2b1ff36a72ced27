"""The form *Annotate*: paint on a part of a slide, and save it as a tile to train on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Container, FileEdit, FloatSpinBox, LineEdit, PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QListWidget, QSizePolicy

from ..core.errors import BadValueError, SteatosisError
from ..core.report import RESEARCH_USE
from ..models import SHIPPED
from .annotation import (
    BRUSH_PX,
    KEY,
    annotation_layer,
    beginning,
    ground_of,
    points_layer,
    tile_of,
)
from .job import Job, Outcome
from .layers import slide_of, slides_among, watch_layers
from .model_field import ModelField
from .panel import Panel, Rows
from .part_fields import PartFields
from .pixel_size import PixelSize
from .recent import ANNOTATED

if TYPE_CHECKING:
    import napari

WIDTH_PX = 390
NOTHING = "Nothing"
UM_PER_PX = 0.5
"""Resolution of the shipped models."""


class AnnotateForm(Container):
    """Make labels over a part of a slide that can be painted on, and add them to a dataset.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Annotate"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self._job: Job | None = None
        self._build()
        self._explain()
        self._connect()
        self._layers_changed()
        self.show_saved()

    def _build(self) -> None:
        self.slide = ComboBox(label="Slide", choices=self._slides, nullable=True)
        self._size = PixelSize()
        self.pixel_size = self._size.field
        self.resolution = FloatSpinBox(
            label="Resolution (µm)", min=0.05, max=20, step=0.05, value=UM_PER_PX
        )
        self.classes = LineEdit(label="Classes", value="tissue, fat")
        self.begin_with = ModelField([NOTHING, *SHIPPED], label="Begin with")
        self.new = PushButton(text="New annotation")
        self.cancel = PushButton(text="Cancel", enabled=False)
        self.labels = ComboBox(label="Annotation", choices=self._annotations, nullable=True)
        self.points = ComboBox(label="Points", choices=self._points, nullable=True)
        self.add_points = PushButton(text="Add points")
        self.patient, self.stain = LineEdit(label="Patient"), LineEdit(label="Stain", value="H&E")
        self.folder = FileEdit(label="Dataset", mode="d", nullable=True, value=None)
        self.save = PushButton(text="Save to dataset")
        self._rows, self._saving = Rows(), Rows()
        self._rows.add(self.slide)
        self._rows.add(self.pixel_size, self._size.source)
        self.part = PartFields(self.viewer, self._rows)
        for field in (self.resolution, self.classes, self.begin_with):
            self._rows.add(field)
        for field in (self.labels, self.points, self.patient, self.stain, self.folder):
            self._saving.add(field)
        self.panel, self.saved = Panel(), QListWidget()
        self.saved.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.saved.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.panel.table.hide()
        self.panel.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout = self.native.layout()
        layout.addWidget(self._rows)
        layout.addWidget(_across(self.new, self.cancel))
        layout.addWidget(self._saving)
        layout.addWidget(_across(self.add_points, self.save))
        layout.addWidget(self.panel)
        layout.addWidget(self.saved, 1)
        layout.addWidget(QLabel(RESEARCH_USE))
        self.native.setMinimumWidth(WIDTH_PX)

    def _explain(self) -> None:
        self.folder.choose_btn.text = "Choose…"
        self.folder.line_edit.native.setPlaceholderText("a new or an earlier folder")
        self.patient.native.setPlaceholderText("whose tissue it is")
        self.resolution.tooltip = "Of what is painted and saved; models see 0.5 µm per pixel"
        self.classes.tooltip = (
            "Label 1 is the first, 2 the second, ...; 0 is not annotated and counts nowhere"
        )
        self.begin_with.tooltip = "What a model finds there, to be corrected; or nothing"
        self.patient.tooltip = (
            "So that no patient is both in training and in judging; any name that tells patients "
            "apart"
        )
        self.save.tooltip = "The image, the mask and a row of manifest.csv; replaces its last save"

    def _connect(self) -> None:
        watch_layers(self.viewer, self._layers_changed)
        self.slide.changed.connect(self._slide_changed)
        self.folder.changed.connect(self.show_saved)
        self.new.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        self.add_points.changed.connect(self.set_points)
        self.save.changed.connect(self.save_annotation)
        self.native.destroyed.connect(self._closed)

    def _slides(self, _: Any = None) -> list[tuple[str, Any]]:
        return slides_among(self.viewer.layers)

    def _annotations(self, _: Any = None) -> list[tuple[str, Any]]:
        from napari.layers import Labels

        layers = self.viewer.layers
        return [
            (one.name, one) for one in layers if isinstance(one, Labels) and KEY in one.metadata
        ]

    def _points(self, _: Any = None) -> list[tuple[str, Any]]:
        from napari.layers import Points

        return [(one.name, one) for one in self.viewer.layers if isinstance(one, Points)]

    def _layers_changed(self, _: Any = None) -> None:
        for field in (self.slide, self.labels, self.points):
            field.reset_choices()
        self.part.refresh()
        for field, there in ((self.slide, self._slides()), (self.labels, self._annotations())):
            if field.value is None and there:
                field.value = there[-1][1]
        self._slide_changed()

    def _slide_changed(self, _: Any = None) -> None:
        slide = None if self.slide.value is None else self.slide.value.metadata.get("slide")
        self._size.show(slide)

    def class_names(self) -> tuple[str, ...]:
        """Return the classes that the field names.

        Raises
        ------
        BadValueError
            Where there are fewer than two, or one twice.
        """
        names = tuple(one.strip() for one in str(self.classes.value).split(",") if one.strip())
        if len(names) < 2 or len(set(names)) < len(names):
            raise BadValueError("Name two classes or more, each once: tissue, fat.")
        return names

    @property
    def is_busy(self) -> bool:
        """Whether labels are being made or saved."""
        return self._job is not None

    # Labels

    def start(self) -> None:
        """Make labels over the part that the fields say."""
        if self._job is not None:
            return
        try:
            slide, names = slide_of(self.slide.value, self._size.um), self.class_names()
            part = self.part.part(self.slide.value, slide)
            self._ground = ground_of(slide, part, float(self.resolution.value), names)
        except SteatosisError as error:
            self.panel.complain(str(error))
            return
        self._image = self.slide.value
        model = None if self.begin_with.value == NOTHING else str(self.begin_with.value)
        self._launch(beginning(self._ground, model), "Looking with the model", self._made)

    def _made(self, item: float | np.ndarray) -> None:
        from napari.layers import Layer

        if isinstance(item, float):
            self.panel.show_share(item)
        elif self._image in self.viewer.layers:
            layer = Layer.create(*annotation_layer(self._ground, item, self._image))
            self.viewer.add_layer(layer)
            layer.selected_label, layer.brush_size, layer.mode = 2, BRUSH_PX, "paint"
            self.labels.value = layer
            names = ", ".join(f"{i} {one}" for i, one in enumerate(self._ground.classes, start=1))
            self._said = f"Paint: {names}; 0 is not annotated."

    def set_points(self) -> None:
        """Add a layer of points that take the label of a class, ready to be set."""
        from napari.layers import Layer

        if self.labels.value is None or self.slide.value is None:
            self.panel.complain("Make an annotation first; its points lie on it.")
            return
        ground = self.labels.value.metadata[KEY]
        layer = Layer.create(*points_layer(ground, self.slide.value))
        self.viewer.add_layer(layer)
        layer.mode = "add"
        self.points.value = layer

    # The dataset

    def save_annotation(self) -> None:
        """Add the annotation, as it is now, to the dataset."""
        if self._job is not None:
            return
        try:
            steps = self._saving_steps()
        except SteatosisError as error:
            self.panel.complain(str(error))
            return
        self._launch(steps, "Saving", self._saved)

    def _saving_steps(self) -> Callable[[Callable[[], bool]], Iterator[Any]]:
        if self.labels.value is None:
            raise BadValueError("There is no annotation. Make one with 'New annotation'.")
        folder, patient = self.folder.value, str(self.patient.value).strip()
        if folder is None or not str(self.folder.line_edit.value).strip():
            raise BadValueError("Choose a folder under 'Dataset'; a new one will do.")
        if not patient:
            raise BadValueError(
                "Say under 'Patient' whose tissue it is, so that no patient is both in training "
                "and in judging. Any name that tells patients apart will do."
            )
        stain = str(self.stain.value).strip()
        make = tile_of(self.labels.value, self.points.value, patient=patient, stain=stain)

        def steps(should_stop: Callable[[], bool]) -> Iterator[Any]:
            from ..io.datasets.annotated import add_annotated

            yield add_annotated(folder, make())

        return steps

    def _saved(self, _: Any) -> None:
        self._said = "Saved. It is in the list below, and Train offers the dataset."
        ANNOTATED.add(str(self.folder.value))

    def show_saved(self, _: Any = None) -> None:
        """List what the dataset holds."""
        from ..io.datasets.annotated import annotated_in

        self.saved.clear()
        if self.folder.value is None or not str(self.folder.line_edit.value).strip():
            return
        try:
            rows = annotated_in(self.folder.value)
        except SteatosisError as error:
            self.panel.complain(str(error))
            return
        for row in rows:
            name = row["path"].rpartition("/")[2]
            self.saved.addItem(f"{row['patient'] or 'unknown'} · {name}")
            self.saved.item(self.saved.count() - 1).setToolTip(f"{name}, slide {row['slide']}")

    # Jobs

    def _launch(self, steps: Any, text: str, on_item: Callable[[Any], None]) -> None:
        self._said = ""
        self.panel.begin()
        self.panel.begin_stage(text)
        self._set_running(True)
        self._job = Job(steps, self.title, on_item=on_item, on_end=self._ended)

    def stop(self) -> None:
        """End it after the part at work."""
        if self._job is not None:
            self._job.cancel()
            self.cancel.enabled = False

    def _set_running(self, running: bool) -> None:
        self.new.enabled = self.save.enabled = not running
        self.cancel.enabled = running

    def _ended(self, outcome: Outcome) -> None:
        self._job = None
        self._set_running(False)
        self.panel.end()
        self.panel.say(self._said if outcome.status == "done" else "Stopped.")
        self.show_saved()
        if outcome.error is not None:
            self.panel.say("")
            self.panel.complain(outcome.said)

    def _closed(self, _: Any = None) -> None:
        if self._job is not None:
            self._job.abandon()
        self._job = None


def _across(*buttons: PushButton) -> Any:
    row = Container(widgets=list(buttons), layout="horizontal", labels=False)
    row.margins = (0, 0, 0, 0)
    return row.native
