"""The form *Normalise stain*: a slide in the colours of a reference, seen before it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, LineEdit, PushButton
from qtpy.QtWidgets import QFileDialog, QLabel, QSizePolicy

from ..core.duration import duration
from ..core.errors import SteatosisError
from ..core.report import RESEARCH_USE
from ..core.stain import StainTransform
from ..imaging.stain import STAINS
from .job import Job, Outcome
from .layers import slide_of, slides_among, watch_layers
from .panel import Panel, Rows
from .pixel_size import PixelSize
from .save import SUFFIXES
from .stain_choice import Choice, Known
from .stain_layers import amount_layers, stained_layer
from .stain_preview import BESIDE, OFF, OVER, Preview
from .stain_reference import CHOOSE, KIND, SUFFIX, goal_of, parts, references, saving_reference
from .written import saving_image

if TYPE_CHECKING:
    import napari

    from ..core.slide import Slide
    from ..pipelines.normalise import Goal

WIDTH_PX = 390
DEFAULT_REFERENCE = "he"


class StainForm(Container):
    """Fit a stain transform to a slide, look at it, and apply it to the whole slide or save it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Normalise stain"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self.transform: StainTransform | None = None
        self._fits: dict[Hashable, StainTransform] = {}
        self._known = Known()
        self._saved: list[Path] = []
        self._job: Job | None = None
        self._made: Any = None
        self._shown_preview = Preview(napari_viewer)
        self._build()
        self._explain()
        self._connect()
        self._layers_changed()

    def _build(self) -> None:
        self.slide = ComboBox(label="Slide", choices=self._slides, nullable=True)
        self._size = PixelSize()
        self.pixel_size = self._size.field
        self.method = ComboBox(label="Method", choices=list(STAINS))
        self.vectors = LineEdit(label="Stain vectors", value="H&E")
        self.reference = ComboBox(label="Reference", choices=self._references)
        self.part = ComboBox(label="Only inside", choices=self._parts, nullable=True)
        self.preview = ComboBox(label="Preview", choices=[OFF, OVER, BESIDE])
        self.apply, self.amounts = PushButton(text="Apply"), PushButton(text="H and E")
        self.cancel = PushButton(text="Cancel", enabled=False)
        self.save = PushButton(text="Save as OME-Zarr…")
        self.save_amounts = PushButton(text="Save H and E…")
        self.save_reference = PushButton(text="Save reference…")
        self._rows = Rows()
        self._rows.add(self.slide)
        self._rows.add(self.pixel_size, self._size.source)
        for field in (self.method, self.vectors, self.reference, self.part, self.preview):
            self._rows.add(field)
        self.panel = Panel()
        self.panel.table.hide()
        self.panel.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        layout = self.native.layout()
        layout.addWidget(self._rows)
        saving = self.save, self.save_amounts, self.save_reference
        for row in ((self.apply, self.amounts, self.cancel), saving):
            across = Container(widgets=row, layout="horizontal", labels=False)
            across.margins = (0, 0, 0, 0)
            layout.addWidget(across.native)
        layout.addWidget(self.panel)
        layout.addStretch(1)
        layout.addWidget(QLabel(RESEARCH_USE))
        self.native.setMinimumWidth(WIDTH_PX)

    def _explain(self) -> None:
        self.method.tooltip = "How the colours of the tissue are described; white stays white"
        self.reference.tooltip = (
            "Whose colours the slide gets: a built-in reference, a saved one, or another slide"
        )
        self.vectors.tooltip = (
            "Optical density of red, green and blue of haematoxylin, then of eosin: six numbers; "
            "or H&E for the published ones"
        )
        self.part.tooltip = "Shapes on that slide; without them, all of its tissue counts"
        self.preview.tooltip = "What you look at, normalised; follows the view and these fields"
        self.apply.tooltip = "Add the whole slide, normalised where you look at it, as a layer"
        self.amounts.tooltip = "Add haematoxylin and eosin as images of their amounts"
        self.save.tooltip = "Write the whole slide, normalised, with all its levels"
        self.save_amounts.tooltip = "Write the amounts of haematoxylin and eosin as an image of two"
        self.save_reference.tooltip = "Keep the chosen reference, to map other slides to it"

    def _connect(self) -> None:
        watch_layers(self.viewer, self._layers_changed)
        self.slide.changed.connect(self._slide_changed)
        self.reference.changed.connect(self._reference_changed)
        for field in (self.pixel_size, self.method, self.part, self.preview):
            field.changed.connect(self.show_preview)
        self.vectors.native.editingFinished.connect(self.show_preview)
        self.method.changed.connect(self._show_fields)
        self.apply.changed.connect(lambda: self._with_fit(self._add_normalised))
        self.amounts.changed.connect(lambda: self._with_fit(self._add_amounts))
        self.cancel.changed.connect(self.stop)
        self.save.changed.connect(lambda: self._ask_save("normalised slide", self.write))
        self.save_amounts.changed.connect(lambda: self._ask_save("stains", self.write_amounts))
        self.save_reference.changed.connect(self._ask_save_reference)
        self.native.destroyed.connect(self._closed)

    # What the fields offer

    def _slides(self, _: Any = None) -> list[tuple[str, Any]]:
        offered = slides_among(self.viewer.layers)
        known = [(layer.metadata.get("slide"), name, layer) for name, layer in offered]
        return [(name, layer) for own, name, layer in known if own is None or own.stain is None]

    def _references(self, _: Any = None) -> list[tuple[str, Any]]:
        return references(self.viewer, self._saved)

    def _parts(self, _: Any = None) -> list[tuple[str, Any]]:
        return parts(self.viewer)

    def _layers_changed(self, _: Any = None) -> None:
        if not self._shown_preview.is_shown and not self.is_running:
            self._preview_off()  # its layer, or that of the slide, was taken away
        for chooser in (self.slide, self.reference, self.part):
            chooser.reset_choices()
        if self.slide.value is None and (slides := self._slides()):
            self.slide.value = slides[-1][1]
        self._show_size()
        self._show_fields()

    def _chosen(self) -> Slide | None:
        return None if self.slide.value is None else self.slide.value.metadata.get("slide")

    def _slide_changed(self, _: Any = None) -> None:
        slide = self._chosen()
        if slide is not None:  # which may be given its pixel size elsewhere
            self.slide.value.events.metadata.connect(self._show_size)
        self._show_size()
        self.show_preview()

    def _show_size(self, _: Any = None) -> None:
        self._size.show(self._chosen())

    def _reference_changed(self, value: Any) -> None:
        if value == CHOOSE:
            name, _ = QFileDialog.getOpenFileName(self.native, "A saved reference", "", KIND)
            self.take_reference(Path(name) if name else None)
            return
        self._show_fields()
        self.show_preview()

    def _show_fields(self, _: Any = None) -> None:
        self._rows.set_visible(self.part, not isinstance(self.reference.value, str | Path))
        self._rows.set_visible(self.vectors, self._by_hand)

    @property
    def _by_hand(self) -> bool:
        return bool(STAINS[self.method.value].by_hand)

    def take_reference(self, path: Path | None) -> None:
        """Choose a saved reference; without one, the default."""
        if path is not None and path not in self._saved:
            self._saved.append(path)
        self.reference.reset_choices()
        self.reference.value = path or DEFAULT_REFERENCE

    def choice(self) -> Choice:
        """Return what the fields ask for.

        Raises
        ------
        SteatosisError
            Where something is missing, with what to do about it.
        """
        slide = slide_of(self.slide.value, self._size.um)
        vectors = str(self.vectors.value) if self._by_hand else ""
        asked = (str(self.method.value), self._goal(), vectors)
        return Choice(self.slide.value, slide, *asked, self._known)

    def _goal(self) -> Goal:
        own = self.reference.value == self.slide.value
        return goal_of(self.reference.value, self.part.value, self._size.um if own else 0.0)

    # Fitting

    @property
    def is_running(self) -> bool:
        """Whether a transform is fitted, or something is written."""
        return self._job is not None

    def _with_fit(self, act: Callable[[Choice, StainTransform], None]) -> None:
        """Do something with the transform that is asked for; fit it first where it is new."""
        if self.is_running:
            return
        try:
            choice = self.choice()
        except SteatosisError as error:
            self._fail(str(error))
            return
        if choice.key in self._fits:
            self._act(act, choice)
            return

        def fitted(transform: StainTransform) -> None:
            self._fits[choice.key] = transform
            self._act(act, choice)

        self._launch(choice.steps, fitted)

    def _act(self, act: Callable[[Choice, StainTransform], None], choice: Choice) -> None:
        self.transform = self._fits[choice.key]
        self._show_findings(self.transform)
        if choice.image in self.viewer.layers:
            act(choice, self.transform)
        else:
            self._preview_off()

    def _launch(self, steps: Any, then: Callable[[Any], None]) -> None:
        """Run steps; what they yield last is handed on when they have ended well."""
        self._made, began = None, time.monotonic()
        self._set_busy(True)
        self.panel.begin()

        def ended(outcome: Outcome) -> None:
            self._job = None
            self._set_busy(False)
            self.panel.end()
            if outcome.error is not None:
                self._fail(outcome.said)
            elif outcome.status == "cancelled" or self._made is None:
                self.panel.say("Stopped.")
                self._preview_off()
            else:
                self.panel.say(f"Done in {duration(time.monotonic() - began)}.")
                then(self._made)

        self._job = Job(steps, self.title, on_item=self._happened, on_end=ended)

    def _happened(self, item: Any) -> None:
        from ..pipelines.analyse import Share, Stage

        if isinstance(item, Stage):
            self.panel.begin_stage(item.text)
        elif isinstance(item, Share):
            self.panel.show_share(item.done)
            self._job.show(int(100 * item.done), 100)
        else:
            self._made = item

    def _set_busy(self, busy: bool) -> None:
        self._rows.setEnabled(not busy)
        self.cancel.enabled = busy
        for button in (self.apply, self.amounts, self.save, self.save_amounts, self.save_reference):
            button.enabled = not busy

    def stop(self) -> None:
        """End what is being done after the step at work; nothing half-written stays."""
        if self._job is not None:
            self._job.cancel()
            self.cancel.enabled = False
            self.panel.say("Stopping after this step…")

    def _show_findings(self, transform: StainTransform) -> None:
        findings = transform.findings
        self.panel.flags.setVisible(bool(findings))
        if findings:
            self.panel.warn("\n".join(f"• {finding}" for finding in findings))

    def _fail(self, text: str) -> None:
        from napari.utils.notifications import show_error

        self._preview_off()
        self.panel.warn(text)
        show_error(text)

    # What is done with a transform

    def show_preview(self, _: Any = None) -> None:
        """Show what the fields ask for, or take the preview away."""
        if self.preview.value == OFF:
            if self._shown_preview.is_shown:
                self.panel.say("")
            self._shown_preview.hide()
        else:
            self._with_fit(self._preview)

    def _preview(self, choice: Choice, transform: StainTransform) -> None:
        from ..pipelines._stain import state_of
        from ..pipelines.normalise import normalise

        self._shown_preview.show(normalise(choice.slide, transform), choice.image)
        self._shown_preview.put(beside=self.preview.value == BESIDE)
        self.panel.say(f"What you see is normalised: {state_of(transform)}.")

    def _preview_off(self) -> None:
        if self.preview.value != OFF:
            self.preview.value = OFF

    def _add_normalised(self, choice: Choice, transform: StainTransform) -> None:
        from napari.layers import Layer

        from ..pipelines.normalise import normalise

        self._preview_off()
        name = f"{choice.image.name}: {transform.name}"
        data = stained_layer(normalise(choice.slide, transform), choice.image, name)
        self.viewer.add_layer(Layer.create(*data))
        self.panel.say(f"Added the layer {name!r}.")

    def _add_amounts(self, choice: Choice, transform: StainTransform) -> None:
        from napari.layers import Layer

        from ..pipelines.stain_amounts import separation_of

        self._preview_off()
        for data in amount_layers(choice.slide, separation_of(transform), choice.image):
            self.viewer.add_layer(Layer.create(*data))
        self.panel.say("Added a layer for each stain.")
        for _, image in slides_among(self.viewer.layers):
            own = image.metadata.get("slide")
            if own is not None and own.fingerprint == choice.slide.fingerprint:
                image.visible = False  # the darker of slide and stain would be the slide

    def _ask_save(self, what: str, write: Callable[[Path], None]) -> None:
        title, kind = f"Save the {what}", "OME-Zarr (*.ome.zarr)"
        name, _ = QFileDialog.getSaveFileName(self.native, title, "", kind)
        if name:
            write(Path(name if name.lower().endswith(SUFFIXES) else name + SUFFIXES[0]))

    def write(self, path: Path) -> None:
        """Write the whole slide, normalised, as OME-Zarr."""
        from ..pipelines.normalise import normalise

        self._write(path, normalise)

    def write_amounts(self, path: Path) -> None:
        """Write the amounts of haematoxylin and eosin all over the slide as OME-Zarr."""
        from ..pipelines.stain_amounts import amounts_of, separation_of

        self._write(path, lambda slide, transform: amounts_of(slide, separation_of(transform)))

    def _write(self, path: Path, image: Callable[[Slide, StainTransform], Any]) -> None:
        self._with_fit(
            lambda choice, transform: self._launch(
                saving_image(image(choice.slide, transform), path), self._say_saved
            )
        )

    def _ask_save_reference(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self.native, "Save the reference", "", KIND)
        if name:
            self.write_reference(Path(name if name.lower().endswith(SUFFIX) else name + SUFFIX))

    def write_reference(self, path: Path) -> None:
        """Write the reference that is chosen to a file."""
        if self.is_running:
            return
        try:
            goal = self._goal()
        except SteatosisError as error:
            self._fail(str(error))
            return
        self._launch(saving_reference(goal, path), self._say_saved)

    def _say_saved(self, path: Path) -> None:
        from napari.utils.notifications import show_info

        self.panel.say(f"Saved {path}.")
        show_info(f"Saved {path}.")

    def _closed(self, _: Any = None) -> None:
        if self._job is not None:
            self._job.abandon()
        self._job = None
