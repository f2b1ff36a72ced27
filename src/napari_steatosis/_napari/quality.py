"""The form *Quality of a slide*: what it is judged by, and where it is out of focus."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container, PushButton
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QLabel, QTableWidget, QTableWidgetItem

from ..core.duration import duration
from ..core.errors import SteatosisError
from ..core.report import RESEARCH_USE
from .heat_layers import heat_layer
from .job import Job, Outcome
from .layers import slide_of, slides_among, watch_layers
from .panel import Panel, Rows
from .pixel_size import PixelSize
from .results import UNITS, number, words
from .tissue_layers import tissue_field, tissue_in

if TYPE_CHECKING:
    import napari

    from ..core.heat_map import HeatMap
    from ..core.mask import Mask
    from ..core.quality import Aspect, SlideQuality
    from ..core.slide import Slide

WIDTH_PX = 390
SHARP = 0.4
"""Of a focus map, whose places are out of focus from 0.5 on: up to here it is clear."""

COLOURS = {"good": "#6fbf73", "flagged": "#ff8a65", "not judged": "#9e9e9e"}


class QualityForm(Container):
    """Judge whether a slide is fit to be measured, and show where it is out of focus.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Quality of a slide"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(labels=False)
        self.viewer = napari_viewer
        self.found: SlideQuality | None = None
        self.layer: napari.layers.Image | None = None
        self._job: Job | None = None
        self._build()
        self._connect()
        self._layers_changed()

    def _build(self) -> None:
        self.slide = ComboBox(label="Slide", choices=self._slides, nullable=True)
        self._size = PixelSize()
        self.pixel_size = self._size.field
        self.tissue = tissue_field(self.viewer)
        self.judge = PushButton(text="Judge")
        self.focus = PushButton(text="Focus map")
        self.cancel = PushButton(text="Cancel", enabled=False)
        self._rows = Rows()
        self._rows.add(self.slide)
        self._rows.add(self.pixel_size, self._size.source)
        self._rows.add(self.tissue)
        self.panel = Panel()
        self.panel.table.hide()
        self.table = AspectTable()
        buttons = Container(
            widgets=[self.judge, self.focus, self.cancel], layout="horizontal", labels=False
        )
        buttons.margins = (0, 0, 0, 0)
        layout = self.native.layout()
        for part in (self._rows, buttons.native, self.panel):
            layout.addWidget(part)
        layout.addWidget(self.table, 1)
        layout.addWidget(QLabel(RESEARCH_USE))
        self.native.setMinimumWidth(WIDTH_PX)
        self.judge.tooltip = "Focus, folds, bubbles, ink, light and stain, from a sample"
        self.focus.tooltip = (
            "Look at the focus all over the tissue: clear where it is sharp, bright where it is "
            "not. Reads the slide at about 0.5 µm per pixel"
        )

    def _connect(self) -> None:
        watch_layers(self.viewer, self._layers_changed)
        self.slide.changed.connect(self._slide_changed)
        self.judge.changed.connect(lambda: self.start(judging, "Judging"))
        self.focus.changed.connect(lambda: self.start(mapping, "Looking at the focus"))
        self.cancel.changed.connect(self.stop)
        self.native.destroyed.connect(self._closed)

    def _slides(self, _: Any = None) -> list[tuple[str, Any]]:
        return slides_among(self.viewer.layers)

    def _layers_changed(self, _: Any = None) -> None:
        self.slide.reset_choices()
        self.tissue.reset_choices()
        if self.slide.value is None and (slides := self._slides()):
            self.slide.value = slides[-1][1]
        self._slide_changed()

    def _slide_changed(self, _: Any = None) -> None:
        slide = None if self.slide.value is None else self.slide.value.metadata.get("slide")
        self._size.show(slide)

    @property
    def is_busy(self) -> bool:
        """Whether a slide is being looked at."""
        return self._job is not None

    def start(self, steps: Callable[[Slide, Mask | None], Steps], stage: str) -> None:
        """Look at the slide as `judging` or `mapping` does."""
        if self.is_busy:
            return
        try:
            slide = slide_of(self.slide.value, self._size.um)
            tissue = tissue_in(self.tissue.value, self.slide.value, slide)
        except SteatosisError as error:
            self.panel.complain(str(error))
            return
        self._image, self._slide, self._began = self.slide.value, slide, time.monotonic()
        self.panel.begin()
        self.panel.begin_stage(stage)
        self._set_running(True)
        self._job = Job(
            steps(slide, tissue), self.title, on_item=self._happened, on_end=self._ended
        )

    def stop(self) -> None:
        """End it after the row at work; nothing is shown then."""
        if self._job is not None:
            self._job.cancel()
            self.cancel.enabled = False

    def _set_running(self, running: bool) -> None:
        self.judge.enabled = self.focus.enabled = not running
        self.cancel.enabled = running
        self._rows.setEnabled(not running)

    def _happened(self, item: float | SlideQuality | HeatMap) -> None:
        from napari.layers import Layer

        from ..core.quality import SlideQuality

        if isinstance(item, float):
            self.panel.show_share(item)
        elif isinstance(item, SlideQuality):
            self.found = item
            self.table.show_aspects(item.aspects)
        elif self._image in self.viewer.layers:
            data, options, kind = heat_layer(item, self._image, self._slide)
            options["contrast_limits"] = (SHARP, 1.0)
            layer = Layer.create(data, options, kind)
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
            self.panel.say(f"Done in {duration(time.monotonic() - self._began)}.")

    def _closed(self, _: Any = None) -> None:
        if self._job is not None:
            self._job.abandon()
        self._job = None


class AspectTable(QTableWidget):
    """One row per aspect, with its sentence; those that are flagged stand out."""

    def __init__(self) -> None:
        super().__init__(0, 3)
        self.setHorizontalHeaderLabels(("Aspect", "Figure", "What it says"))
        self.verticalHeader().hide()
        self.setWordWrap(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)

    def show_aspects(self, aspects: tuple[Aspect, ...]) -> None:
        """Fill the table."""
        self.setRowCount(len(aspects))
        for row, aspect in enumerate(aspects):
            for column, text in enumerate((words(aspect.name), figure(aspect), aspect.text)):
                item = QTableWidgetItem(text.replace("mm^2", "mm²"))
                item.setForeground(QColor(COLOURS[aspect.verdict]))
                item.setToolTip(aspect.verdict)
                item.setTextAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
                self.setItem(row, column, item)


def figure(aspect: Aspect) -> str:
    """Return the figure of an aspect with its unit; empty where it has none."""
    if aspect.value is None:
        return ""
    return f"{number(aspect.value)} {UNITS.get(aspect.unit, aspect.unit)}"


Steps = Callable[[Callable[[], bool]], Iterator[Any]]


def judging(slide: Slide, tissue: Mask | None) -> Steps:
    """Return the steps that judge a slide; they yield what was found."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[SlideQuality]:
        from ..imaging.quality import quality

        yield quality(slide, tissue)

    return steps


def mapping(slide: Slide, tissue: Mask | None) -> Steps:
    """Return the steps that map the focus; they yield shares from 0 to 1, then the map."""

    def steps(should_stop: Callable[[], bool]) -> Iterator[float | HeatMap]:
        from ..imaging.focus_map import focus_steps

        yield (yield from focus_steps(slide, tissue))

    return steps
