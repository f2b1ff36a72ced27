"""The form *Find tissue*: a preview that follows its fields, and a mask that can be painted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, FloatSpinBox, PushButton
from superqt.utils import qdebounced

from ..core.errors import SteatosisError
from .form import Form
from .job import JobSlot, Outcome, Steps
from .layers import shapes_among, watch_layers
from .panel import across, wrapped_label
from .results import number
from .slide_field import SlideField
from .tissue_layers import BRUSH_PX, PREVIEW, area_mm2, tissue_layer
from .view import camera_of, shapes_um, view_px

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.geometry import Region
    from ..core.mask import Mask
    from ..core.slide import Slide
    from ..imaging.tissue import TissueRule
    from ..imaging.tissue_view import TissueView

VIEW, WHOLE, OFF = "Current view", "Whole slide", "Off"
TYPED_MS, MOVED_MS, PAINTED_MS = 80, 300, 200
"""How long the form waits after the last change of a field, of the view, of the mask."""


class TissueForm(Form):
    """Find where the tissue of a slide is, seen while the settings are chosen, and edited after.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Find tissue"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.mask: napari.layers.Labels | None = None
        self.preview_layer: napari.layers.Labels | None = None
        self.previews = 0
        self._previewing = JobSlot(self.native)
        self._stale = self._gone = False
        self._seen: tuple[Any, TissueView] | None = None
        self._typed = qdebounced(self.show_preview, timeout=TYPED_MS)
        self._moved = qdebounced(self._view_moved, timeout=MOVED_MS)
        self._painted = qdebounced(self._show_area, timeout=PAINTED_MS)
        self._build()
        self._connect()
        self._layers_changed()

    def _build(self) -> None:
        self._which = SlideField(self.viewer, self._rows)
        self.slide, self.pixel_size = self._which.slide, self._which.pixel_size
        self.sensitivity = FloatSpinBox(label="Sensitivity", min=0, max=1, step=0.05, value=0.5)
        self.droplet = FloatSpinBox(
            label="Largest droplet (µm)", min=2, max=200, step=2, value=16.0
        )
        self.lumen = FloatSpinBox(label="Lumen (µm)", min=5, max=1000, step=5, value=55.0)
        self.exclude = ComboBox(label="Leave out", choices=self._shapes, nullable=True)
        self.preview = ComboBox(label="Preview", choices=[VIEW, WHOLE, OFF])
        self.run = PushButton(text="Find tissue")
        self._starts = (self.run,)
        self.area = wrapped_label()
        for field in (self.sensitivity, self.droplet, self.lumen, self.exclude, self.preview):
            self._rows.add(field)
        self._lay_out(self._rows, across(self.run, self.cancel), self.panel, self.area)
        self._explain()

    def _explain(self) -> None:
        self.sensitivity.tooltip = (
            "How little stain is enough. More keeps paler tissue, and more dirt on the glass."
        )
        self.droplet.tooltip = (
            "Diameter of the largest droplet that is kept wherever it lies, also at an edge or in "
            "a cluster. Droplets inside the tissue are kept up to the size of a lumen."
        )
        self.lumen.tooltip = (
            "White places with the area of a circle of this diameter, or more, are vessels, tears "
            "or glass"
        )
        self.exclude.tooltip = "Shapes to leave out: portal tracts, large vessels, damage"
        self.preview.tooltip = "What is shown while the settings are chosen"
        self.run.tooltip = "Find the tissue of the whole slide, as labels that can be painted on"

    def _connect(self) -> None:
        watch_layers(self.viewer, self._layers_changed)
        rule = (self.sensitivity, self.droplet, self.lumen)
        for field in (*rule, self.slide, self.pixel_size, self.preview):
            field.changed.connect(self._rule_changed)
        self.run.changed.connect(self.start)
        self.native.destroyed.connect(self._closed)
        for event in (camera_of(self.viewer).events.center, camera_of(self.viewer).events.zoom):
            event.connect(self._moved_on)

    def _shapes(self, _: Any = None) -> list[tuple[str, Any]]:
        return shapes_among(self.viewer.layers)

    def _layers_changed(self, _: Any = None) -> None:
        self._which.refresh()
        self.exclude.reset_choices()
        if self.mask is not None and self.mask not in self.viewer.layers:
            self.mask = None
            self.area.setText("")

    # What the fields ask for

    def rule(self) -> TissueRule:
        """Return what counts as tissue, as the fields say."""
        from ..imaging.tissue import TissueRule

        return TissueRule(
            sensitivity=float(self.sensitivity.value),
            gap_um=float(self.droplet.value),
            lumen_um=float(self.lumen.value),
        )

    def _left_out(self, slide: Slide) -> Mask | None:
        from ..imaging import mask_of_polygons

        if self.exclude.value is None:
            return None
        return mask_of_polygons(shapes_um(self.exclude.value, self.slide.value, slide))

    # The preview

    def _rule_changed(self, _: Any = None) -> None:
        self._typed()

    def _moved_on(self, _: Any = None) -> None:
        if self.preview.value == VIEW:
            self._moved()

    def _view_moved(self) -> None:
        if self.preview_layer is not None and self.preview.value == VIEW:
            self.show_preview()

    @property
    def is_running(self) -> bool:
        """Whether tissue is being found, in the preview or the whole slide."""
        return super().is_running or self._previewing.is_taken

    def show_preview(self) -> None:
        """Show what the settings find in the view, or on the whole slide seen from afar."""
        if self._gone:  # a change from before the window was closed
            return
        if self.is_running:
            self._stale = True
            return
        self._stale = False
        if self.preview.value == OFF or self.slide.value is None:
            self._drop_preview()
            return
        try:
            slide, rule = self._which.chosen(), self.rule()
            region = self._region(slide)
        except SteatosisError as error:
            self._drop_preview()
            self._warn(str(error))
            return
        self._image, self._slide = self.slide.value, slide
        steps = previewing(slide, region, rule, self._seen)
        self._previewing.start(steps, "Preview", on_item=self._show, on_end=self._shown)

    def _region(self, slide: Slide) -> Region | None:
        from ..core.geometry import Region

        if self.preview.value == WHOLE:
            return None
        corners = view_px(self.viewer, self.slide.value, slide)
        (y, x), (y_end, x_end) = corners.min(0).astype(int), corners.max(0).astype(int)
        return Region(y=int(y), x=int(x), height=int(y_end - y) + 1, width=int(x_end - x) + 1)

    def _show(self, found: tuple[tuple[Any, TissueView], Mask]) -> None:
        from napari.layers import Layer

        self._seen, mask = found
        if self.preview.value == OFF or self._image not in self.viewer.layers:
            return
        view = self._seen[1]
        data, options, kind = tissue_layer(mask, self._image, self._slide)
        options |= {"name": "tissue preview", "metadata": {PREVIEW: True}}
        old = self.preview_layer
        if old is not None and old in self.viewer.layers:
            old.data = data
            for name in ("scale", "translate", "affine"):
                if name in options:
                    setattr(old, name, options[name])
        else:
            chosen = self.viewer.layers.selection.active
            layer = Layer.create(data, options, kind)
            layer.editable = False
            self.preview_layer = self.viewer.add_layer(layer)
            self.viewer.layers.selection.active = chosen
        self.previews += 1
        self._warn(str(mask.provenance.get("reason", "")))
        what = "the view" if self.preview.value == VIEW else "the whole slide"
        self.panel.say(
            f"Preview of {what} at {view.um_per_px:.2g} µm per pixel: {number(mask.area_mm2)} mm²"
        )

    def _shown(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._warn(outcome.said)
        if self._stale:
            self.show_preview()

    def _drop_preview(self) -> None:
        if self.preview_layer is not None and self.preview_layer in self.viewer.layers:
            self.viewer.layers.remove(self.preview_layer)
            self.panel.say("")
        self.preview_layer = None

    # The mask

    def start(self) -> None:
        """Find the tissue of the whole slide."""
        self.launch(self._steps, then=self._found, stage="Finding tissue")

    def _steps(self) -> Steps:
        slide = self._which.chosen()
        steps = finding(slide, self.rule(), self._left_out(slide))
        self._image, self._slide = self.slide.value, slide
        return steps

    def _found(self, found: Mask) -> None:
        from napari.layers import Layer

        self.preview.value = OFF
        self._drop_preview()
        layer = Layer.create(*tissue_layer(found, self._image, self._slide))
        layer.brush_size = BRUSH_PX
        self.mask = self.viewer.add_layer(layer)
        layer.events.paint.connect(self._painted_on)
        layer.events.set_data.connect(self._painted_on)
        self._warn(str(found.provenance.get("reason", "")))
        self._show_area()
        self.panel.say(
            "Done. Paint on it with the brush and the eraser of napari, then choose it under "
            "'Tissue' in Analyse slide or Classify slide."
        )

    def _painted_on(self, _: Any = None) -> None:
        self._painted()

    def _show_area(self) -> None:
        if self.mask is not None and self.mask in self.viewer.layers:
            self.area.setText(f"<b>Tissue: {number(area_mm2(self.mask))} mm²</b>")

    def _warn(self, text: str) -> None:
        self.panel.warn(text)
        self.panel.flags.setVisible(bool(text))

    def _closed(self, _: Any = None) -> None:
        self._gone = True
        for event in (camera_of(self.viewer).events.center, camera_of(self.viewer).events.zoom):
            event.disconnect(self._moved_on)  # the camera outlives the fields
        self._seen = None


def previewing(
    slide: Slide, region: Region | None, rule: TissueRule, seen: tuple[Any, TissueView] | None
) -> Steps:
    """Return the steps that look at a part of a slide, unless it was `seen`, and try a rule."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[tuple[tuple[Any, TissueView], Mask]]:
        from ..imaging.tissue_view import TissueView

        what = (slide.fingerprint, slide.um_per_px, slide.colour, region)
        if seen is not None and seen[0] == what:
            view = seen[1]
        else:
            known = seen is not None and seen[0][:3] == what[:3]
            view = TissueView.of(slide, region, light=seen[1].light if seen and known else None)
        yield (what, view), view.find(rule)

    return steps


def finding(slide: Slide, rule: TissueRule, left_out: Mask | None) -> Steps:
    """Return the steps that find the tissue of a slide; they yield shares, then the mask."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[float | Mask]:
        from ..imaging.parenchyma import parenchyma
        from ..imaging.tissue import tissue_steps

        mask = yield from tissue_steps(slide, rule)
        yield mask if left_out is None else parenchyma(mask, exclude=left_out)

    return steps
