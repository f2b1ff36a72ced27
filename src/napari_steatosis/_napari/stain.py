"""The form *Normalise stain*: a slide in the colours of a reference, seen before it is done."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, LineEdit, PushButton
from qtpy.QtWidgets import QFileDialog

from ..core.errors import SteatosisError
from ..core.stain import StainTransform
from ..imaging.stain import STAINS
from .form import Form
from .job import Outcome, Steps
from .layers import slides_among, watch_layers
from .panel import across
from .save import SUFFIXES
from .slide_field import SlideField
from .stain_choice import Choice, Known
from .stain_layers import amount_layers, stained_layer
from .stain_preview import BESIDE, OFF, OVER, Preview
from .stain_reference import CHOOSE, KIND, SUFFIX, goal_of, parts, references, saving_reference
from .written import saving_image

if TYPE_CHECKING:
    import napari

    from ..core.slide import Slide
    from ..pipelines.normalise import Goal

DEFAULT_REFERENCE = "he"


class StainForm(Form):
    """Fit a stain transform to a slide, look at it, and apply it to the whole slide or save it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Normalise stain"
    in_dock = True

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.transform: StainTransform | None = None
        self._fits: dict[Hashable, StainTransform] = {}
        self._known = Known()
        self._saved: list[Path] = []
        self._shown_preview = Preview(napari_viewer)
        self._build()
        self._explain()
        self._connect()
        self._layers_changed()

    def _build(self) -> None:
        self._which = SlideField(self.viewer, self._rows, offered=unstained)
        self.slide, self.pixel_size = self._which.slide, self._which.pixel_size
        self.method = ComboBox(label="Method", choices=list(STAINS))
        self.vectors = LineEdit(label="Stain vectors", value="H&E")
        self.reference = ComboBox(label="Reference", choices=self._references)
        self.part = ComboBox(label="Only inside", choices=self._parts, nullable=True)
        self.preview = ComboBox(label="Preview", choices=[OFF, OVER, BESIDE])
        self.apply, self.amounts = PushButton(text="Apply"), PushButton(text="H and E")
        self.save = PushButton(text="Save slide…")
        self.save_amounts = PushButton(text="Save H and E…")
        self.save_reference = PushButton(text="Save reference…")
        for field in (self.method, self.vectors, self.reference, self.part, self.preview):
            self._rows.add(field)
        saving = self.save, self.save_amounts, self.save_reference
        self._starts = (self.apply, self.amounts, *saving)
        adding = across(self.apply, self.amounts, self.cancel)
        self._lay_out(self._rows, adding, across(*saving), self.panel)

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
        self.slide.changed.connect(self.show_preview)
        self.reference.changed.connect(self._reference_changed)
        for field in (self.pixel_size, self.method, self.part, self.preview):
            field.changed.connect(self.show_preview)
        self.vectors.native.editingFinished.connect(self.show_preview)
        self.method.changed.connect(self._show_fields)
        self.apply.changed.connect(lambda: self._with_fit(self._add_normalised))
        self.amounts.changed.connect(lambda: self._with_fit(self._add_amounts))
        self.save.changed.connect(lambda: self._ask_save("normalised slide", self.write))
        self.save_amounts.changed.connect(lambda: self._ask_save("stains", self.write_amounts))
        self.save_reference.changed.connect(self._ask_save_reference)

    # What the fields offer

    def _references(self, _: Any = None) -> list[tuple[str, Any]]:
        return references(self.viewer, self._saved)

    def _parts(self, _: Any = None) -> list[tuple[str, Any]]:
        return parts(self.viewer)

    def _layers_changed(self, _: Any = None) -> None:
        if not self._shown_preview.is_shown and not self.is_running:
            self._preview_off()  # its layer, or that of the slide, was taken away
        for chooser in (self.reference, self.part):
            chooser.reset_choices()
        self._which.refresh()
        self._show_fields()

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
        slide = self._which.chosen()
        vectors = str(self.vectors.value) if self._by_hand else ""
        asked = (str(self.method.value), self._goal(), vectors)
        return Choice(self.slide.value, slide, *asked, self._known)

    def _goal(self) -> Goal:
        own = self.reference.value == self.slide.value
        return goal_of(self.reference.value, self.part.value, self._which.um_per_px if own else 0.0)

    # Fitting

    def _with_fit(self, act: Callable[[Choice, StainTransform], None]) -> None:
        """Do something with the transform that is asked for; fit it first where it is new."""
        if self.is_running:
            return
        try:
            choice = self.choice()
        except SteatosisError as error:
            self._preview_off()
            self.panel.complain(str(error))
            return
        if choice.key in self._fits:
            self._act(act, choice)
            return

        def fitted(transform: StainTransform) -> None:
            self._fits[choice.key] = transform
            self._act(act, choice)

        self._begin(lambda: choice.steps, fitted)

    def _act(self, act: Callable[[Choice, StainTransform], None], choice: Choice) -> None:
        self.transform = self._fits[choice.key]
        self._show_findings(self.transform)
        if choice.image in self.viewer.layers:
            act(choice, self.transform)
        else:
            self._preview_off()

    def _begin(self, prepare: Callable[[], Steps], then: Callable[[Any], None]) -> None:
        self.launch(prepare, then=then, otherwise=self._preview_off)

    def _show_findings(self, transform: StainTransform) -> None:
        findings = transform.findings
        self.panel.flags.setVisible(bool(findings))
        if findings:
            self.panel.warn("\n".join(f"• {finding}" for finding in findings))

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

    def _preview_off(self, _: Outcome | None = None) -> None:
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
            lambda choice, transform: self._begin(
                lambda: saving_image(image(choice.slide, transform), path), self._say_saved
            )
        )

    def _ask_save_reference(self) -> None:
        name, _ = QFileDialog.getSaveFileName(self.native, "Save the reference", "", KIND)
        if name:
            self.write_reference(Path(name if name.lower().endswith(SUFFIX) else name + SUFFIX))

    def write_reference(self, path: Path) -> None:
        """Write the reference that is chosen to a file."""
        self._begin(lambda: saving_reference(self._goal(), path), self._say_saved)

    def _say_saved(self, path: Path) -> None:
        from napari.utils.notifications import show_info

        self.panel.say(f"Saved {path}.")
        show_info(f"Saved {path}.")


def unstained(layers: Iterable[Any]) -> list[tuple[str, Any]]:
    """Return name and layer of the slides among layers that are not normalised already."""
    offered = slides_among(layers)
    known = [(layer.metadata.get("slide"), name, layer) for name, layer in offered]
    return [(name, layer) for own, name, layer in known if own is None or own.stain is None]
