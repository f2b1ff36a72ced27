"""The form *Explain*: where in a view a model finds what speaks for a class."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, Container, PushButton
from qtpy.QtWidgets import QLabel, QSizePolicy

from ..core.duration import duration
from ..core.errors import SteatosisError
from ..core.report import RESEARCH_USE
from ..models import SHIPPED
from .heat_layers import heat_layer
from .job import Job, Outcome
from .layers import slide_of, slides_among, watch_layers
from .model_field import CHOOSE, ModelField
from .panel import Panel, Rows
from .part_fields import Part, PartFields
from .picture_view import PictureView
from .pixel_size import PixelSize
from .stain_field import stain_field

if TYPE_CHECKING:
    import napari

    from ..core.heat_map import HeatMap
    from ..core.slide import Slide

WIDTH_PX = 390
NOTE = "Shows where, not how much: a map is no measurement, and two maps are not on one scale."


class ExplainForm(Container):
    """Draw what a model looked at, over the view or inside shapes.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Explain"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self.layer: napari.layers.Image | None = None
        self._job: Job | None = None
        self._asking: Job | None = None
        self._asked_for = ""
        self._build()
        self._connect()
        self._layers_changed()
        self._model_changed()

    def _build(self) -> None:
        self.slide = ComboBox(label="Slide", choices=self._slides, nullable=True)
        self._size = PixelSize()
        self.pixel_size = self._size.field
        self.model = ModelField(SHIPPED, label="Model")
        self.target = ComboBox(label="Class", choices=[])
        self.method = ComboBox(label="Method", choices=[])
        self.stain = stain_field()
        self.test = CheckBox(text="Test the map", value=False)
        self.run = PushButton(text="Explain")
        self.cancel = PushButton(text="Cancel", enabled=False)
        self._rows = Rows()
        self._rows.add(self.slide)
        self._rows.add(self.pixel_size, self._size.source)
        for field in (self.model, self.target, self.method, self.stain):
            self._rows.add(field)
        self.part = PartFields(self.viewer, self._rows)
        self._rows.add(self.test)
        self.tested = PictureView("What the test found")
        self.panel = Panel()
        self.panel.table.hide()
        self.panel.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        buttons = Container(widgets=[self.run, self.cancel], layout="horizontal", labels=False)
        buttons.margins = (0, 0, 0, 0)
        note, layout = QLabel(NOTE), self.native.layout()
        note.setWordWrap(True)
        for part in (self._rows, buttons.native, self.panel, self.tested, note):
            layout.addWidget(part)
        layout.addStretch(1)
        layout.addWidget(QLabel(RESEARCH_USE))
        self.native.setMinimumWidth(WIDTH_PX)
        self.model.tooltip = "A model that comes with the plugin, or the folder of your own"
        self.target.tooltip = "What speaks for this class is shown"
        self.test.tooltip = (
            "Compares it with the map of random weights, and paints over what it shows: takes "
            "longer, and says whether the map has to do with what the model learnt"
        )
        self.method.tooltip = (
            "Grad-CAM weights the maps of the last layers by what they do for the class; "
            "attention is the network's own and knows no class"
        )

    def _connect(self) -> None:
        watch_layers(self.viewer, self._layers_changed)
        self.slide.changed.connect(self._slide_changed)
        self.model.changed.connect(self._model_changed)
        self.method.changed.connect(self._method_changed)
        self.run.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        self.native.destroyed.connect(self._closed)

    def _slides(self, _: Any = None) -> list[tuple[str, Any]]:
        return slides_among(self.viewer.layers)

    def _layers_changed(self, _: Any = None) -> None:
        self.slide.reset_choices()
        self.part.refresh()
        if self.slide.value is None and (slides := self._slides()):
            self.slide.value = slides[-1][1]
        self._slide_changed()

    def _slide_changed(self, _: Any = None) -> None:
        slide = None if self.slide.value is None else self.slide.value.metadata.get("slide")
        self._size.show(slide)

    def _method_changed(self, _: Any = None) -> None:
        self.target.enabled = self.method.value != "attention"

    # What a model offers

    def _model_changed(self, _: Any = None) -> None:
        """Ask the model, outside the GUI thread, for its classes and its kinds of map."""
        if self.model.value in (CHOOSE, self._asked_for) or self._asking is not None:
            return
        self._asked_for = str(self.model.value)
        self.target.choices, self.method.choices = [], []
        self.run.enabled = False
        self.panel.flags.hide()
        self.panel.say("Looking at the model…")
        steps = offering(self._asked_for)
        self._asking = Job(steps, "Model", on_item=self._offered, on_end=self._asked)

    def _offered(self, offer: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
        self.target.choices, self.method.choices = offer
        self.target.value, self.method.value = offer[0][-1], offer[1][0]

    def _asked(self, outcome: Outcome) -> None:
        self._asking = None
        self.panel.say("")
        self.run.enabled = bool(self.method.value)
        if outcome.error is not None:
            self.panel.complain(outcome.said)
        self._model_changed()  # another may have been chosen meanwhile

    # A map

    @property
    def is_busy(self) -> bool:
        """Whether a map is being made, or a model asked what it offers."""
        return self._job is not None or self._asking is not None

    def start(self) -> None:
        """Make the map that the fields ask for."""
        if self.is_busy:
            return
        try:
            slide = slide_of(self.slide.value, self._size.um)
            part = self.part.part(self.slide.value, slide)
        except SteatosisError as error:
            self.panel.complain(str(error))
            return
        how = {"target": str(self.target.value), "method": str(self.method.value)}
        self._image, self._slide, self._began = self.slide.value, slide, time.monotonic()
        name, stain = str(self.model.value), str(self.stain.value)
        steps = explaining(slide, part, (name, stain, bool(self.test.value)), how)
        self.panel.begin()
        self.tested.clear()
        self._found: tuple[str, ...] = ()
        self.panel.begin_stage("Explaining")
        self._set_running(True)
        self._job = Job(steps, self.title, on_item=self._happened, on_end=self._ended)

    def stop(self) -> None:
        """End it after the tile at work; nothing is shown then."""
        if self._job is not None:
            self._job.cancel()
            self.cancel.enabled = False

    def _set_running(self, running: bool) -> None:
        self.run.enabled, self.cancel.enabled = not running, running
        self._rows.setEnabled(not running)

    def _happened(self, item: float | CheckedMap | HeatMap) -> None:
        from napari.layers import Layer

        if isinstance(item, float):
            self.panel.show_share(item)
        elif isinstance(item, CheckedMap):
            self.tested.show_picture(item.figure)
            self._found = item.sentences
        elif self._image in self.viewer.layers:
            layer = Layer.create(*heat_layer(item, self._image, self._slide))
            self.layer = self.viewer.add_layer(layer)

    def _ended(self, outcome: Outcome) -> None:
        self._job = None
        self._set_running(False)
        self.panel.end()
        if outcome.error is not None:
            self.panel.say("")
            self.panel.complain(outcome.said)
        elif outcome.status == "cancelled":
            self.panel.say("Stopped.")
        else:
            done = f"Done in {duration(time.monotonic() - self._began)}."
            self.panel.say("\n".join([done, *self._found]))

    def _closed(self, _: Any = None) -> None:
        for job in (self._job, self._asking):
            if job is not None:
                job.abandon()
        self._job = self._asking = None


Steps = Callable[[Callable[[], bool]], Iterator[Any]]


def offering(name: str) -> Steps:
    """Return the steps that ask a model for its classes and for the kinds of map it offers."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[Any]:
        from ..models import load_model
        from ..models.explain import ways_of

        model = load_model(name, device="cpu")
        yield model.spec.classes, ways_of(model)

    return steps


@dataclass(frozen=True)
class CheckedMap:
    """A map that was tested: the figure of it, a PNG file, and what was found, in sentences."""

    figure: bytes
    sentences: tuple[str, ...]


def explaining(
    slide: Slide, part: Part, with_what: tuple[str, str, bool], how: dict[str, Any]
) -> Steps:
    """Return the steps that make a map; they yield shares from 0 to 1, then the map.

    Parameters
    ----------
    slide, part
        Where.
    with_what : (str, str, bool)
        Model, stain, and whether to test the map, which is then yielded last.
    how : dict
        ``target`` and ``method``.
    """
    name, stain, test = with_what

    def steps(should_stop: Callable[[], bool]) -> Iterator[float | CheckedMap | HeatMap]:
        from ..models import load_model
        from ..pipelines._stain import stain_for
        from ..pipelines.explain import explain_steps

        model = load_model(name)
        plane = slide.at(model.spec.um_per_px)
        region = part.region(plane)
        applied = stain_for(slide, model.spec, stain)
        heat = yield from explain_steps(slide, model, region=region, stain=applied, **how)
        inside = part.inside(plane, region)
        if inside is not None:
            clear = np.where(inside, heat.values, np.float32(np.nan))
            heat = replace(heat, values=clear.astype(np.float32))
        yield heat
        if test:
            from ..io._map_check_files import png_of
            from ..pipelines.explain_check import check_explanation

            found = check_explanation(slide, model, heat, stain=applied)
            yield CheckedMap(png_of(found), found.sentences())

    return steps
