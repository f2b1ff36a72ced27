"""The form *Analyse slide*: reads values, starts a job, hands back layers and a table."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox, Container, FileEdit, PushButton
from qtpy.QtWidgets import QFileDialog, QLabel
from superqt.utils import qthrottled

from ..core.duration import duration
from ..core.errors import BadValueError, SteatosisError
from ..core.report import RESEARCH_USE
from ..models import SHIPPED
from .finding_fields import FindingFields
from .job import Job, Outcome
from .landmarks import Place
from .layers import is_shown, prediction_over, shapes_among, slide_of, slides_among, watch_layers
from .map_buttons import MapButtons
from .model_field import ModelField
from .panel import Panel, Rows, across
from .pixel_size import PixelSize
from .stain_field import stain_field
from .steps import run_steps
from .tissue_layers import tissue_field, tissue_in
from .view import Focus, camera_of, shapes_um, view_um
from .warm_up import start_warm_up

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.report import Report
    from ..core.slide import Slide
    from ..pipelines.analyse import Began, Event, Request
    from ..pipelines.estimate import Estimate
    from ..pipelines.segment import Progress

WHOLE, VIEW, SHAPES = "Whole slide", "Current view", "Shapes layer"
REDRAW_MS = 300
SHOW_EVERY_S = 0.1
WIDTH_PX = 390


class AnalyseForm(Container):
    """Segment the fat of a slide and measure it, while the result fills on screen.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Analyse slide"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self.report: Report | None = None
        self.labels: napari.layers.Labels | None = None
        self._job: Job | None = None
        self._focus: Focus | None = None
        self.tiles_done, self._shown_at, self._began = 0, 0.0, 0.0
        self._redraw = qthrottled(self._refresh, timeout=REDRAW_MS)
        self._build()
        self._connect()
        self._layers_changed()
        self.warming = start_warm_up()

    def _build(self) -> None:
        self.slide = ComboBox(label="Slide", choices=self._slides, nullable=True)
        self._size = PixelSize()
        self.pixel_size, self.scale_source = self._size.field, self._size.source
        self.model = self._model_field()
        self.region = ComboBox(label="Region", choices=[WHOLE, VIEW, SHAPES])
        self.shapes = ComboBox(label="Shapes", choices=self._shapes, nullable=True)
        self.exclude = ComboBox(label="Leave out", choices=self._shapes, nullable=True)
        self.tissue = tissue_field(self.viewer)
        self.folder = FileEdit(label="Results folder", mode="d", nullable=True, value=None)
        self.replace = CheckBox(text="Replace earlier results there", value=False)
        self.pdf = CheckBox(text="Report as PDF, too", value=False)
        self.run = PushButton(text="Run")
        self.cancel = PushButton(text="Cancel", enabled=False)
        self.save = PushButton(text="Save report…", enabled=False)
        self._rows = Rows()
        self._rows.add(self.slide)
        self._rows.add(self.pixel_size, self.scale_source)
        self.stain = stain_field()
        fields = (self.model, *self._own_fields(), self.stain, self.region, self.shapes)
        self.findings, self.maps = FindingFields(self.viewer), MapButtons(self.viewer, self._shown)
        for widget in (self.tissue, *fields, self.exclude, *self._findings(), self.folder):
            self._rows.add(widget)
        self._rows.add(self.replace)
        for widget in self._kinds():
            self._rows.add(widget)
        self.panel = Panel()
        layout = self.native.layout()
        for part in (self._rows, across(self.run, self.cancel)):
            layout.addWidget(part)
        layout.addWidget(self.panel, 1)
        layout.addWidget(across(*self._maps(), self.save))
        layout.addWidget(QLabel(RESEARCH_USE))
        self.native.setMinimumWidth(WIDTH_PX)
        self._explain()

    def _model_field(self) -> Any:
        return ModelField(SHIPPED, label="Model")

    def _own_fields(self) -> tuple[Any, ...]:
        """Return the fields that only a form derived from this one has."""
        return ()

    def _findings(self) -> tuple[Any, ...]:
        """Return the fields for what is found beside the fat."""
        return self.findings.all

    def _maps(self) -> tuple[Any, ...]:
        """Return the buttons that show what was found as layers."""
        return self.maps.all

    def _kinds(self) -> tuple[Any, ...]:
        """Return the boxes for what is written beside the usual files."""
        return (self.pdf,)

    def _explain(self) -> None:
        self.folder.line_edit.native.setPlaceholderText("none: kept in memory")
        self.folder.choose_btn.text = "Choose…"
        self.model.tooltip = "A model that comes with the plugin, or the folder of your own"
        self.region.tooltip = "Where to look for tissue; glass is never analysed"
        self.exclude.tooltip = "Shapes to leave out of the fat and of the tissue"
        self.folder.tooltip = (
            "Gets the class map as OME-Zarr and the report; a run that was stopped goes on "
            "there. Without a folder the result is gone when napari closes: use Save report."
        )
        self.replace.tooltip = "Begin anew instead of taking up what the folder holds"
        self.pdf.tooltip = "Print the page of the report beside it; needs the extra pdf"
        self.save.tooltip = "HTML, JSON, CSV and GeoJSON (QuPath) into a folder"

    def _connect(self) -> None:
        watch_layers(self.viewer, self._layers_changed)
        self.slide.changed.connect(self._slide_changed)
        self.region.changed.connect(self._region_changed)
        self.run.changed.connect(self.start)
        self.cancel.changed.connect(self.stop)
        self.save.changed.connect(self._ask_save)
        self.native.destroyed.connect(self._closed)
        camera_of(self.viewer).events.center.connect(self._look)
        camera_of(self.viewer).events.zoom.connect(self._look)

    # What the fields offer

    def _slides(self, _: Any = None) -> list[tuple[str, Any]]:
        return slides_among(self.viewer.layers)

    def _shapes(self, _: Any = None) -> list[tuple[str, Any]]:
        return shapes_among(self.viewer.layers)

    def _layers_changed(self, _: Any = None) -> None:
        for chooser in (self.slide, self.shapes, self.exclude, self.tissue):
            chooser.reset_choices()
        if self.slide.value is None and (slides := self._slides()):
            self.slide.value = slides[-1][1]
        self._slide_changed()
        self._region_changed()

    def _slide_changed(self, _: Any = None) -> None:
        slide = None if self.slide.value is None else self.slide.value.metadata.get("slide")
        if slide is not None:  # which may be given its pixel size elsewhere
            self.slide.value.events.metadata.connect(self._slide_changed)
        self._size.show(slide)

    def _region_changed(self, _: Any = None) -> None:
        wanted, there = self.region.value == SHAPES, self._shapes()
        self._rows.set_visible(self.shapes, wanted)
        if wanted and self.shapes.value is None and there:
            self.shapes.value = there[-1][1]

    # A run

    def request(self) -> Request:
        """Return what the fields ask for.

        Raises
        ------
        SteatosisError
            Where something is missing, with what to do about it.
        """
        from ..imaging import mask_of_polygons
        from ..pipelines.analyse import Request, stem

        slide = slide_of(self.slide.value, self._size.um)
        outlines = self._region_outlines(slide)
        left_out = self._outlines_of(self.exclude.value, slide)
        folder = self.folder.value
        return Request(
            slide,
            str(self.model.value),
            region=mask_of_polygons(outlines) if outlines else None,
            exclude=mask_of_polygons(left_out) if left_out else None,
            tissue=tissue_in(self.tissue.value, self.slide.value, slide),
            store=folder and Path(folder) / f"{stem(slide)}.zarr",
            overwrite=bool(self.replace.value),
            stain=self.stain.value,
            landmarks=self.findings.landmarks(Place(self.slide.value, slide.frame(), slide)),
            hepatocytes=self.findings.counting,
        )

    def _region_outlines(self, slide: Slide) -> list[Any]:
        if self.region.value == VIEW:
            return [view_um(self.viewer, self.slide.value, slide)]
        if self.region.value == WHOLE:
            return []
        if self.shapes.value is None:
            raise BadValueError(
                "The region is a Shapes layer, but none is chosen. Add one (the button with the "
                "polygon above the layer list), draw in it, and choose it under 'Shapes'."
            )
        return self._outlines_of(self.shapes.value, slide)

    def _check_written(self) -> None:
        from ..io._pdf import check_pdf

        if self.pdf.value:
            check_pdf()

    def _outlines_of(self, shapes: Any, slide: Slide) -> list[Any]:
        return [] if shapes is None else shapes_um(shapes, self.slide.value, slide)

    def start(self) -> None:
        """Begin what the fields ask for."""
        if self._job is not None:
            return
        try:
            request = self.request()
            self._check_written()
        except SteatosisError as error:
            self.panel.complain(str(error))
            return
        self.report, self.labels, self.tiles_done, self._shown_at = None, None, 0, 0.0
        self._image, self._focus = self.slide.value, Focus(request.slide)
        self._look()
        self.panel.begin()
        begin = self._beginning(request)
        shown = self._layer_shown = threading.Event()
        steps = run_steps(request, self._focus, shown, begin=begin, write=self._writer())
        self._launch(steps, self.title, self._analysed)

    @property
    def is_running(self) -> bool:
        """Whether a run, or the writing of a report, is under way."""
        return self._job is not None

    def stop(self) -> None:
        """End the run after the tile at work; what is stored can be taken up again."""
        if self._job is not None:
            self._job.cancel()
            self.cancel.enabled = False
            self.panel.say("Stopping after this step…")

    def _closed(self, _: Any = None) -> None:
        if self._job is not None:
            self._job.abandon()
        self._job = self._focus = self.report = self.labels = None

    def _launch(self, steps: Any, text: str, on_end: Callable[[Outcome], None]) -> None:
        self.run.enabled, self.cancel.enabled, self.save.enabled = False, True, False
        self._rows.setEnabled(False)
        self.maps.enable(None)
        self._began = time.monotonic()
        self._job = Job(steps, text, on_item=self._happened, on_end=on_end)

    def _beginning(self, request: Request) -> Callable[..., Iterator[Event]]:
        """Return what begins a run, as it is asked for now; it is called in the worker."""

        def begin(**options: Any) -> Iterator[Event]:
            from ..pipelines.analyse import analyse_steps

            return analyse_steps(request, **options)

        return begin

    def _writer(self) -> Callable[..., Iterator[Event]]:
        """Return what writes a report as it is asked for now; it is called in the worker."""
        pdf = bool(self.pdf.value)

        def write(report: Report, folder: str | Path, *, overwrite: bool) -> Iterator[Event]:
            from ..pipelines.analyse import Stage, write_all, writing

            yield Stage(writing(report))
            write_all(report, folder, overwrite=overwrite, pdf=pdf)

        return write

    def _happened(self, event: Event | Estimate | Report) -> None:
        from ..core.report import Report
        from ..pipelines.analyse import Began, Ended, Share, Stage
        from ..pipelines.estimate import Estimate

        if isinstance(event, Stage):
            self.panel.begin_stage(event.text)
        elif isinstance(event, Share):
            self.panel.show_share(event.done)
        elif isinstance(event, Estimate):
            self.panel.show_estimate(event)
        elif isinstance(event, Began):
            self._add_labels(event)
            self._layer_shown.set()
        elif isinstance(event, Ended | Report):
            self.report = event.report if isinstance(event, Ended) else event
        else:
            self._advance(event)

    def _advance(self, progress: Progress) -> None:
        self.tiles_done = progress.done
        self._look()  # the canvas may have another size by now
        now = time.monotonic()
        if now - self._shown_at > SHOW_EVERY_S or progress.done == progress.total:
            self._shown_at = now
            self.panel.show_progress(progress)
            self._job.show(progress.done, progress.total)
        inner = progress.inner
        if self._labels_alive() and inner and is_shown(self.labels, inner):
            self._redraw()

    def _add_labels(self, event: Began) -> None:
        from napari.layers import Layer

        data = prediction_over(event.prediction, self._image, event.plan.slide.frame())
        layer = Layer.create(*data)
        layer.name = f"{event.prediction.name}: {self._image.name}"
        layer.editable = False
        self.labels = self.viewer.add_layer(layer)

    def _labels_alive(self) -> bool:
        return self.labels is not None and self.labels in self.viewer.layers

    def _drop_empty_labels(self) -> None:
        if self._labels_alive() and not self.tiles_done:
            self.viewer.layers.remove(self.labels)

    def _refresh(self) -> None:
        if self._labels_alive():
            self.labels.refresh(extent=False, highlight=False)

    def _look(self, _: Any = None) -> None:
        """Tell the engine where the user looks."""
        if self._focus is not None:
            self._focus.look(self.viewer, self._image)

    def _analysed(self, outcome: Outcome) -> None:
        whole = self.report is not None  # a cancel that came after the last step changes nothing
        stopped = "Stopped. What was done is shown; it is not measured."
        self._finish(Outcome("done") if whole else outcome, stopped)
        self._redraw()
        if not whole:
            self.panel.end()
            self._drop_empty_labels()
            return
        self.panel.show_report(self.report)
        if self._labels_alive():
            self.labels.metadata = {"prediction": self.report.prediction, "report": self.report}

    def _shown(self) -> tuple[Report, Any] | None:
        return (self.report, self.labels) if self.report and self._labels_alive() else None

    def _finish(self, outcome: Outcome, cancelled: str) -> None:
        self._job, self._focus = None, None
        self.run.enabled, self.cancel.enabled = True, False
        self.save.enabled = self.report is not None
        self.maps.enable(self.report)
        self._rows.setEnabled(True)
        self._slide_changed()
        if outcome.error is not None:
            self.panel.complain(outcome.said)
        elif outcome.status == "cancelled":
            self.panel.say(cancelled)
        else:
            self.panel.say(f"Done in {duration(time.monotonic() - self._began)}.")

    # The report

    def _ask_save(self) -> None:
        folder = QFileDialog.getExistingDirectory(self.native, "Folder for the report")
        if folder:
            self.write_report(folder)

    def write_report(self, folder: str | Path) -> None:
        """Write the report of the last run into a folder, in every format."""
        report, write = self.report, self._writer()

        def steps(should_stop: Callable[[], bool]) -> Iterator[Event]:
            yield from write(report, folder, overwrite=False)

        self._launch(steps, "Save report", lambda outcome: self._finish(outcome, "Stopped."))
