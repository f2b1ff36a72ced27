"""The form *Explain*: where in a view a model finds what speaks for a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox, PushButton

from ..models import SHIPPED
from .form import Form
from .heat_layers import heat_layer
from .job import JobSlot, Outcome, Steps
from .layers import watch_layers
from .model_field import CHOOSE, ModelField
from .panel import across, wrapped_label
from .part_fields import Part, PartFields
from .picture_view import PictureView
from .slide_field import SlideField
from .stain_field import stain_field

if TYPE_CHECKING:
    import napari

    from ..core.heat_map import HeatMap
    from ..core.slide import Slide

NOTE = "Shows where, not how much: a map is no measurement, and two maps are not on one scale."


class ExplainForm(Form):
    """Draw what a model looked at, over the view or inside shapes.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Explain"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.layer: napari.layers.Image | None = None
        self._asking, self._asked_for = JobSlot(self.native), ""
        self._build()
        self._connect()
        self._layers_changed()
        self._model_changed()

    def _build(self) -> None:
        self._which = SlideField(self.viewer, self._rows)
        self.slide, self.pixel_size = self._which.slide, self._which.pixel_size
        self.model = ModelField(SHIPPED, label="Model")
        self.target = ComboBox(label="Class", choices=[])
        self.method = ComboBox(label="Method", choices=[])
        self.stain = stain_field()
        self.test = CheckBox(text="Test the map", value=False)
        self.run = PushButton(text="Explain")
        self._starts = (self.run,)
        for field in (self.model, self.target, self.method, self.stain):
            self._rows.add(field)
        self.part = PartFields(self.viewer, self._rows)
        self._rows.add(self.test)
        self.tested = PictureView("What the test found")
        note, buttons = wrapped_label(), across(self.run, self.cancel)
        note.setText(NOTE)
        self._lay_out(self._rows, buttons, self.panel, self.tested, note)
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
        self.model.changed.connect(self._model_changed)
        self.method.changed.connect(self._method_changed)
        self.run.changed.connect(self.start)

    def _layers_changed(self, _: Any = None) -> None:
        self._which.refresh()
        self.part.refresh()

    def _method_changed(self, _: Any = None) -> None:
        self.target.enabled = self.method.value != "attention"

    # What a model offers

    def _model_changed(self, _: Any = None) -> None:
        """Ask the model, outside the GUI thread, for its classes and its kinds of map."""
        if self.model.value in (CHOOSE, self._asked_for) or self._asking.is_taken:
            return
        self._asked_for = str(self.model.value)
        self.target.choices, self.method.choices = [], []
        self.run.enabled = False
        self.panel.flags.hide()
        self.panel.say("Looking at the model…")
        steps = offering(self._asked_for)
        self._asking.start(steps, "Model", on_item=self._offered, on_end=self._asked)

    def _offered(self, offer: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
        self.target.choices, self.method.choices = offer
        self.target.value, self.method.value = offer[0][-1], offer[1][0]

    def _asked(self, outcome: Outcome) -> None:
        self.panel.say("")
        self.run.enabled = bool(self.method.value)
        if outcome.error is not None:
            self.panel.complain(outcome.said)
        self._model_changed()  # another may have been chosen meanwhile

    # A map

    @property
    def is_running(self) -> bool:
        """Whether a map is being made, or a model asked what it offers."""
        return super().is_running or self._asking.is_taken

    def start(self) -> None:
        """Make the map that the fields ask for."""
        if self._asking.is_taken:
            return
        self.launch(self._steps, then=self._show_test, on_item=self._happened, stage="Explaining")

    def _steps(self) -> Steps:
        slide = self._which.chosen()
        part = self.part.part(self._which.layer, slide)
        how = {"target": str(self.target.value), "method": str(self.method.value)}
        self._image, self._slide = self._which.layer, slide
        name, stain = str(self.model.value), str(self.stain.value)
        self.tested.clear()
        return explaining(slide, part, (name, stain, bool(self.test.value)), how)

    def _happened(self, item: CheckedMap | HeatMap) -> None:
        from napari.layers import Layer

        if isinstance(item, CheckedMap):
            self.deliver(item)
        elif self._image in self.viewer.layers:
            layer = Layer.create(*heat_layer(item, self._image, self._slide))
            self.layer = self.viewer.add_layer(layer)

    def _show_test(self, checked: CheckedMap | None) -> None:
        if checked is not None:
            self.tested.show_picture(checked.figure)
            self.panel.say("\n".join([f"Done in {self.took}.", *checked.sentences]))


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
