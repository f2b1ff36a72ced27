"""The form *Annotate*: paint on a part of a slide, and save it as a tile to train on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, FileEdit, FloatSpinBox, LineEdit, PushButton
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget

from ..core.errors import BadValueError, SteatosisError
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
from .form import Form
from .job import Steps
from .layers import watch_layers
from .model_field import ModelField
from .panel import Rows, across
from .part_fields import PartFields
from .recent import ANNOTATED
from .slide_field import SlideField

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    import napari

NOTHING = "Nothing"
UM_PER_PX = 0.5
"""Resolution of the shipped models."""


class AnnotateForm(Form):
    """Make labels over a part of a slide that can be painted on, and add them to a dataset.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Annotate"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self._saving = Rows()
        self._build()
        self._explain()
        self._connect()
        self._layers_changed()
        self.show_saved()

    def _build(self) -> None:
        self._which = SlideField(self.viewer, self._rows)
        self.slide, self.pixel_size = self._which.slide, self._which.pixel_size
        self.resolution = FloatSpinBox(
            label="Resolution (µm)", min=0.05, max=20, step=0.05, value=UM_PER_PX
        )
        self.classes = LineEdit(label="Classes", value="tissue, fat")
        self.begin_with = ModelField([NOTHING, *SHIPPED], label="Begin with")
        self.new = PushButton(text="New annotation")
        self.labels = ComboBox(label="Annotation", choices=self._annotations, nullable=True)
        self.points = ComboBox(label="Points", choices=self._points, nullable=True)
        self.add_points = PushButton(text="Add points")
        self.patient, self.stain = LineEdit(label="Patient"), LineEdit(label="Stain", value="H&E")
        self.folder = FileEdit(label="Dataset", mode="d", nullable=True, value=None)
        self.save = PushButton(text="Save to dataset")
        self._starts = (self.new, self.save)
        self.part = PartFields(self.viewer, self._rows)
        for field in (self.resolution, self.classes, self.begin_with):
            self._rows.add(field)
        for field in (self.labels, self.points, self.patient, self.stain, self.folder):
            self._saving.add(field)
        self.saved = QListWidget()
        self.saved.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.saved.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        making, keeping = across(self.new, self.cancel), across(self.add_points, self.save)
        parts = (self._rows, making, self._saving, keeping, self.panel, self.saved)
        self._lay_out(*parts, growing=self.saved)

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
        self.folder.changed.connect(self.show_saved)
        self.new.changed.connect(self.start)
        self.add_points.changed.connect(self.set_points)
        self.save.changed.connect(self.save_annotation)

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
        for field in (self.labels, self.points):
            field.reset_choices()
        self._which.refresh()
        self.part.refresh()
        if self.labels.value is None and (there := self._annotations()):
            self.labels.value = there[-1][1]

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

    def _show_running(self, running: bool) -> None:
        super()._show_running(running)
        self._saving.setEnabled(not running)

    # Labels

    def start(self) -> None:
        """Make labels over the part that the fields say."""
        self.launch(self._beginning, then=self._made, stage="Looking with the model")

    def _beginning(self) -> Steps:
        slide, names = self._which.chosen(), self.class_names()
        self._image = self._which.layer
        part = self.part.part(self._image, slide)
        self._ground = ground_of(slide, part, float(self.resolution.value), names)
        model = None if self.begin_with.value == NOTHING else str(self.begin_with.value)
        return beginning(self._ground, model)

    def _made(self, labels: NDArray[np.uint8]) -> None:
        from napari.layers import Layer

        if self._image not in self.viewer.layers:
            return
        layer = Layer.create(*annotation_layer(self._ground, labels, self._image))
        self.viewer.add_layer(layer)
        layer.selected_label, layer.brush_size, layer.mode = 2, BRUSH_PX, "paint"
        self.labels.value = layer
        names = ", ".join(f"{i} {one}" for i, one in enumerate(self._ground.classes, start=1))
        self.panel.say(f"Paint: {names}; 0 is not annotated.")

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
        self.launch(self._saving_steps, then=self._saved, stage="Saving")

    def _saving_steps(self) -> Steps:
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
        self.panel.say("Saved. It is in the list below, and Train offers the dataset.")
        ANNOTATED.add(str(self.folder.value))
        self.show_saved()

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
