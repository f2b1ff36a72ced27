"""The form *Quality of a slide*: what it is judged by, and where it is out of focus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import PushButton
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableWidget, QTableWidgetItem

from .form import Form
from .heat_layers import heat_layer
from .job import Steps
from .layers import watch_layers
from .panel import across
from .results import UNITS, number, words
from .slide_field import SlideField
from .tissue_layers import tissue_field, tissue_in

if TYPE_CHECKING:
    import napari

    from ..core.heat_map import HeatMap
    from ..core.mask import Mask
    from ..core.quality import Aspect, SlideQuality
    from ..core.slide import Slide

FIGURE_PX = 86
"""Width of the column of figures, whose units go on in a second line."""

COLOURS = {"good": "#6fbf73", "flagged": "#ff8a65", "not judged": "#9e9e9e"}


class QualityForm(Form):
    """Judge whether a slide is fit to be measured, and show where it is out of focus.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window.
    """

    title = "Quality of a slide"

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__(napari_viewer)
        self.found: SlideQuality | None = None
        self.layer: napari.layers.Image | None = None
        self._build()
        watch_layers(self.viewer, self._layers_changed)
        self.judge.changed.connect(self.start_judging)
        self.focus.changed.connect(self.start_mapping)
        self._layers_changed()

    def _build(self) -> None:
        self._which = SlideField(self.viewer, self._rows)
        self.slide, self.pixel_size = self._which.slide, self._which.pixel_size
        self.tissue = tissue_field(self.viewer)
        self._rows.add(self.tissue)
        self.judge, self.focus = PushButton(text="Judge"), PushButton(text="Focus map")
        self._starts = (self.judge, self.focus)
        self.table = AspectTable()
        buttons = across(*self._starts, self.cancel)
        self._lay_out(self._rows, buttons, self.panel, self.table, growing=self.table)
        self.judge.tooltip = "Focus, folds, bubbles, ink, light and stain, from a sample"
        self.focus.tooltip = (
            "Look at the focus all over the tissue: clear where it is sharp, bright where it is "
            "not. Reads the slide at about 0.5 µm per pixel"
        )

    def _layers_changed(self, _: Any = None) -> None:
        self._which.refresh()
        self.tissue.reset_choices()

    def _asked(self) -> tuple[Slide, Mask | None]:
        slide = self._which.chosen()
        self._image, self._slide = self._which.layer, slide
        return slide, tissue_in(self.tissue.value, self._image, slide)

    def start_judging(self) -> None:
        """Judge the slide."""
        self.launch(lambda: judging(*self._asked()), then=self._judged, stage="Judging")

    def start_mapping(self) -> None:
        """Look at the focus all over the tissue."""
        stage = "Looking at the focus"
        self.launch(lambda: mapping(*self._asked()), then=self._mapped, stage=stage)

    def _judged(self, found: SlideQuality) -> None:
        self.found = found
        self.table.show_aspects(found.aspects)

    def _mapped(self, heat: HeatMap) -> None:
        from napari.layers import Layer

        if reason := heat.provenance.get("reason"):
            self.panel.complain(f"The focus could be judged nowhere: {reason}.")
        elif self._image in self.viewer.layers:
            layer = Layer.create(*heat_layer(heat, self._image, self._slide))
            self.layer = self.viewer.add_layer(layer)


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
        header.setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self.setColumnWidth(1, FIGURE_PX)
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
