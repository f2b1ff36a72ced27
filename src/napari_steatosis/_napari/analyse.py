"""The form *Analyse slide*: reads values, starts a job, hands back layers and a table."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox, FileEdit, PushButton
from qtpy.QtWidgets import QFileDialog
from superqt.utils import qthrottled

from ..models import SHIPPED
from .finding_fields import FindingFields
from .form import Form
from .job import Outcome, Steps
from .landmarks import Place
from .layers import is_shown, prediction_over, shapes_among, watch_layers
from .map_buttons import MapButtons
from .model_field import ModelField
from .panel import across
from .part_fields import PartFields
from .slide_field import SlideField
from .stain_field import stain_field
from .steps import run_steps
from .tissue_layers import tissue_field, tissue_in
from .view import Focus, camera_of, shapes_um
from .warm_up import start_warm_up

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.report import Report
    from ..core.slide import Slide
    from ..pipelines.analyse import Began, Event, Request
    from ..pipelines.estimate import Estimate
    from ..pipelines.segment import Progress

REDRAW_MS = 300
SHOW_EVERY_S = 0.1


class AnalyseForm(Form):
    """Segment the fat of a slide and measure it, while the result fills on screen.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Analyse slide"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer, with_table=True)
        self.report: Report | None = None
        self.labels: napari.layers.Labels | None = None
        self._focus: Focus | None = None
        self.tiles_done, self._shown_at = 0, 0.0
        self._redraw = qthrottled(self._refresh, timeout=REDRAW_MS)
        self._build()
        self._connect()
        self._layers_changed()
        self.warming = start_warm_up()

    def _build(self) -> None:
        self._which = SlideField(self.viewer, self._rows)
        self.slide, self.pixel_size = self._which.slide, self._which.pixel_size
        self.model, self.stain = self._model_field(), stain_field()
        self.tissue = tissue_field(self.viewer)
        for field in (self.tissue, self.model, *self._own_fields(), self.stain):
            self._rows.add(field)
        self.part = PartFields(self.viewer, self._rows, with_whole=True)
        self.exclude = ComboBox(label="Leave out", choices=self._shapes, nullable=True)
        self.folder = FileEdit(label="Results folder", mode="d", nullable=True, value=None)
        self.replace = CheckBox(text="Replace earlier results there", value=False)
        self.pdf = CheckBox(text="Report as PDF, too", value=False)
        self.findings, self.maps = FindingFields(self.viewer), MapButtons(self.viewer, self._shown)
        written = (self.folder, self.replace, *self._kinds())
        for field in (self.exclude, *self._findings(), *written):
            self._rows.add(field)
        self.run = PushButton(text="Run")
        self.save = PushButton(text="Save report…", enabled=False)
        self._starts = (self.run,)
        buttons, showing = across(self.run, self.cancel), across(*self._maps(), self.save)
        self._lay_out(self._rows, buttons, self.panel, showing, growing=self.panel)
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
        self.part.region.tooltip = "Where to look for tissue; glass is never analysed"
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
        self.run.changed.connect(self.start)
        self.save.changed.connect(self._ask_save)
        self.native.destroyed.connect(self._closed)
        camera_of(self.viewer).events.center.connect(self._look)
        camera_of(self.viewer).events.zoom.connect(self._look)

    # What the fields offer

    def _shapes(self, _: Any = None) -> list[tuple[str, Any]]:
        return shapes_among(self.viewer.layers)

    def _layers_changed(self, _: Any = None) -> None:
        self._which.refresh()
        self.part.refresh()
        for chooser in (self.exclude, self.tissue):
            chooser.reset_choices()

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

        slide = self._which.chosen()
        outlines = self.part.outlines(self.slide.value, slide)
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

    def _check_written(self) -> None:
        from ..io._pdf import check_pdf

        if self.pdf.value:
            check_pdf()

    def _outlines_of(self, shapes: Any, slide: Slide) -> list[Any]:
        return [] if shapes is None else shapes_um(shapes, self.slide.value, slide)

    def start(self) -> None:
        """Begin what the fields ask for."""
        self.launch(self._steps, then=self._analysed, on_item=self._happened, otherwise=self._left)

    def _steps(self) -> Steps:
        request = self.request()
        self._check_written()
        self.report, self.labels, self.tiles_done, self._shown_at = None, None, 0, 0.0
        self._image, self._focus = self.slide.value, Focus(request.slide)
        self._look()
        begin = self._beginning(request)
        shown = self._layer_shown = threading.Event()
        return run_steps(request, self._focus, shown, begin=begin, write=self._writer())

    def _closed(self, _: Any = None) -> None:
        self._focus = self.report = self.labels = None

    def _show_running(self, running: bool) -> None:
        super()._show_running(running)
        self.save.enabled = not running and self.report is not None
        self.maps.enable(None if running else self.report)
        if not running:
            self._focus = None
            self._which.refresh_size()

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

    def _happened(self, event: Began | Progress | Estimate | Report) -> None:
        from ..core.report import Report
        from ..pipelines.analyse import Began
        from ..pipelines.estimate import Estimate

        if isinstance(event, Estimate):
            self.panel.show_estimate(event)
        elif isinstance(event, Began):
            self._add_labels(event)
            self._layer_shown.set()
        elif isinstance(event, Report):
            self.report = event
            self.deliver(event)
        else:
            self._advance(event)

    def _advance(self, progress: Progress) -> None:
        self.tiles_done = progress.done
        self._look()  # the canvas may have another size by now
        now = time.monotonic()
        if now - self._shown_at > SHOW_EVERY_S or progress.done == progress.total:
            self._shown_at = now
            self.panel.show_progress(progress)
            self._slot.show(progress.done, progress.total)
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

    def _analysed(self, report: Report) -> None:
        self._redraw()
        self.panel.show_report(report)
        if self._labels_alive():
            self.labels.metadata = {"prediction": report.prediction, "report": report}

    def _left(self, outcome: Outcome) -> None:
        self._redraw()
        self._drop_empty_labels()
        if outcome.error is None:
            self.panel.say("Stopped. What was done is shown; it is not measured.")

    def _shown(self) -> tuple[Report, Any] | None:
        return (self.report, self.labels) if self.report and self._labels_alive() else None

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

        self.launch(lambda: steps, anew=False)
