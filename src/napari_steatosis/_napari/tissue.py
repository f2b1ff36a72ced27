"""The form *Find tissue*: a preview that follows its fields, and a mask that can be painted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, FloatSpinBox, PushButton
from qtpy.QtWidgets import QProgressBar
from superqt.utils import qdebounced

from ..core.errors import SteatosisError
from .job import Job, Outcome
from .layers import shapes_among, slide_of, slides_among, watch_layers
from .panel import MIND, Rows, wrapped_label
from .results import number
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

WIDTH_PX = 390


class TissueForm(Container):
    """Find where the tissue of a slide is, seen while the settings are chosen, and edited after.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Find tissue"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self.mask: napari.layers.Labels | None = None
        self.preview_layer: napari.layers.Labels | None = None
        self.previews = 0
        self._job: Job | None = None
        self._previewing: Job | None = None
        self._stale = self._gone = False
        self._seen: tuple[Any, TissueView] | None = None
        self._typed = qdebounced(self.show_preview, timeout=TYPED_MS)
        self._moved = qdebounced(self._view_moved, timeout=MOVED_MS)
        self._painted = qdebounced(self._show_area, timeout=PAINTED_MS)
        self._build()
        self._connect()
        self._layers_changed()

    def _build(self) -> None:
        self.slide = ComboBox(label="Slide", choices=self._slides, nullable=True)
        self.sensitivity = FloatSpinBox(label="Sensitivity", min=0, max=1, step=0.05, value=0.5)
        self.droplet = FloatSpinBox(
            label="Largest droplet (µm)", min=2, max=200, step=2, value=16.0
        )
        self.lumen = FloatSpinBox(label="Lumen (µm)", min=5, max=1000, step=5, value=55.0)
        self.exclude = ComboBox(label="Leave out", choices=self._shapes, nullable=True)
        self.preview = ComboBox(label="Preview", choices=[VIEW, WHOLE, OFF])
        self.run = PushButton(text="Find tissue")
        self.cancel = PushButton(text="Cancel", enabled=False)
        self.bar, self.status, self.area, self.mind = (
            QProgressBar(),
            wrapped_label(),
            wrapped_label(),
            wrapped_label(),
        )
        self.mind.setStyleSheet(MIND)
        self.mind.hide()
        self._rows = Rows()
        for field in (self.slide, self.sensitivity, self.droplet, self.lumen, self.exclude):
            self._rows.add(field)
        self._rows.add(self.preview)
        buttons = Container(widgets=[self.run, self.cancel], layout="horizontal", labels=False)
        buttons.margins = (0, 0, 0, 0)
        layout = self.native.layout()
        for part in (self._rows, buttons.native, self.bar, self.status, self.mind, self.area):
            layout.addWidget(part)
        layout.addStretch(1)
        self.native.setMinimumWidth(WIDTH_PX)
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
        for field in (self.sensitivity, self.droplet, self.lumen):
            field.changed.connect(self._rule_changed)
        self.slide.changed.connect(self._rule_changed)
        self.preview.changed.connect(self._rule_changed)
        self.run.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        self.native.destroyed.connect(self._closed)
        for event in (camera_of(self.viewer).events.center, camera_of(self.viewer).events.zoom):
            event.connect(self._moved_on)

    def _slides(self, _: Any = None) -> list[tuple[str, Any]]:
        return slides_among(self.viewer.layers)

    def _shapes(self, _: Any = None) -> list[tuple[str, Any]]:
        return shapes_among(self.viewer.layers)

    def _layers_changed(self, _: Any = None) -> None:
        self.slide.reset_choices()
        self.exclude.reset_choices()
        if self.slide.value is None and (slides := self._slides()):
            self.slide.value = slides[-1][1]
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
    def is_busy(self) -> bool:
        """Whether tissue is being found, in the preview or the whole slide."""
        return self._job is not None or self._previewing is not None

    def show_preview(self) -> None:
        """Show what the settings find in the view, or on the whole slide seen from afar."""
        if self._gone:  # a change from before the window was closed
            return
        if self._previewing is not None or self._job is not None:
            self._stale = True
            return
        self._stale = False
        if self.preview.value == OFF or self.slide.value is None:
            self._drop_preview()
            return
        try:
            slide, rule = slide_of(self.slide.value), self.rule()
            region = self._region(slide)
        except SteatosisError as error:
            self._drop_preview()
            self._warn(str(error))
            return
        self._image = self.slide.value
        steps = previewing(slide, region, rule, self._seen)
        self._previewing = Job(steps, "Tissue preview", on_item=self._show, on_end=self._shown)

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
        data, options, kind = tissue_layer(mask, self._image, slide_of(self._image))
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
        self.status.setText(
            f"Preview of {what} at {view.um_per_px:.2g} µm per pixel: {number(mask.area_mm2)} mm²"
        )

    def _shown(self, outcome: Outcome) -> None:
        self._previewing = None
        if outcome.error is not None:
            self._warn(outcome.said)
        if self._stale:
            self.show_preview()

    def _drop_preview(self) -> None:
        if self.preview_layer is not None and self.preview_layer in self.viewer.layers:
            self.viewer.layers.remove(self.preview_layer)
            self.status.setText("")
        self.preview_layer = None

    # The mask

    def start(self) -> None:
        """Find the tissue of the whole slide."""
        if self._job is not None:
            return
        try:
            slide = slide_of(self.slide.value)
            steps = finding(slide, self.rule(), self._left_out(slide))
        except SteatosisError as error:
            self._complain(str(error))
            return
        self._image = self.slide.value
        self.mind.hide()
        self.run.enabled, self.cancel.enabled = False, True
        self.status.setText("Finding tissue…")
        self.bar.setRange(0, 100)
        self._job = Job(steps, self.title, on_item=self._found, on_end=self._ended)

    def stop(self) -> None:
        """End the search after the block at work."""
        if self._job is not None:
            self._job.cancel()
            self.cancel.enabled = False

    def _found(self, item: float | Mask) -> None:
        from napari.layers import Layer

        if isinstance(item, float):
            self.bar.setValue(int(100 * item))
            return
        self.preview.value = OFF
        self._drop_preview()
        layer = Layer.create(*tissue_layer(item, self._image, slide_of(self._image)))
        layer.brush_size = BRUSH_PX
        self.mask = self.viewer.add_layer(layer)
        layer.events.paint.connect(self._painted_on)
        layer.events.set_data.connect(self._painted_on)
        self._warn(str(item.provenance.get("reason", "")))
        self._show_area()

    def _ended(self, outcome: Outcome) -> None:
        self._job = None
        self.run.enabled, self.cancel.enabled = True, False
        self.bar.reset()
        if outcome.error is not None:
            self.status.setText("")
            self._complain(outcome.said)
        elif outcome.status == "cancelled":
            self.status.setText("Stopped.")
        else:
            self.status.setText(
                "Done. Paint on it with the brush and the eraser of napari, then choose it under "
                "'Tissue' in Analyse slide or Classify slide."
            )

    def _painted_on(self, _: Any = None) -> None:
        self._painted()

    def _show_area(self) -> None:
        if self.mask is not None and self.mask in self.viewer.layers:
            self.area.setText(f"<b>Tissue: {number(area_mm2(self.mask))} mm²</b>")

    def _warn(self, text: str) -> None:
        self.mind.setText(text)
        self.mind.setVisible(bool(text))

    def _complain(self, text: str) -> None:
        from napari.utils.notifications import show_error

        self._warn(text)
        show_error(text)

    def _closed(self, _: Any = None) -> None:
        self._gone = True
        for event in (camera_of(self.viewer).events.center, camera_of(self.viewer).events.zoom):
            event.disconnect(self._moved_on)  # the camera outlives the fields
        for job in (self._job, self._previewing):
            if job is not None:
                job.abandon()
        self._job = self._previewing = self._seen = None


Steps = Callable[[Callable[[], bool]], Iterator[Any]]


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
