"""The question for the pixel size of a slide that states none: a strip above the canvas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from ..core.slide import PLAUSIBLE_UM_PER_PX
from .panel import MIND, wrapped_label
from .scale import give_scale, layers_in_px, no_scale_warning, remember_or_warn

if TYPE_CHECKING:
    import napari

    from ..core.slide import Slide

USUAL = {"40x: 0.25": 0.25, "20x: 0.5": 0.5}
NAME = "Pixel size"
_asked: set[str] = set()
"""Fingerprints of the slides that were asked about in this session."""


class ScaleQuestion(QWidget):
    """Asks for a pixel size; emits `answered` with um and whether to keep it, or `declined`.

    Parameters
    ----------
    slide : Slide
        Without a pixel size.
    """

    answered = Signal(float, bool)
    declined = Signal()

    def __init__(self, slide: Slide) -> None:
        super().__init__()
        self.text = wrapped_label()
        self.text.setStyleSheet(MIND)
        self.text.setText(
            f"{Path(slide.path).name}: {slide.scale_source}. It is shown in pixels; lengths and "
            f"areas need the size of a pixel. What was the objective of the scan?"
        )
        self.size = QDoubleSpinBox()
        self.size.setDecimals(4)
        self.size.setRange(0, PLAUSIBLE_UM_PER_PX[1])
        self.size.setSingleStep(0.05)
        self.size.setSuffix(" µm")
        self.size.setSpecialValueText("unknown")
        self.size.setMinimumWidth(110)
        self.keep = QCheckBox("Remember for this slide")
        self.keep.setChecked(True)
        self.keep.setToolTip(
            "In a small file beside the slide, or among your own data where the folder is read-only"
        )
        self.ok, self.later = QPushButton("OK"), QPushButton("Not now")
        self.ok.setEnabled(False)
        self.usual = [self._button(name, um) for name, um in USUAL.items()]
        fields = QHBoxLayout()
        fields.addWidget(QLabel("Pixel size"))
        for widget in (self.size, *self.usual, self.keep, self.ok, self.later):
            fields.addWidget(widget)
        fields.addStretch(1)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addLayout(fields)
        least = PLAUSIBLE_UM_PER_PX[0]
        self.size.valueChanged.connect(lambda um: self.ok.setEnabled(um >= least))
        self.ok.clicked.connect(
            lambda: self.answered.emit(self.size.value(), self.keep.isChecked())
        )
        self.later.clicked.connect(lambda: self.declined.emit())

    def _button(self, name: str, um: float) -> QPushButton:
        button = QPushButton(f"{name} µm")
        button.clicked.connect(lambda: self.size.setValue(um))
        return button


def ask_scale(viewer: napari.Viewer, slide: Slide) -> None:
    """Ask for the pixel size of a slide once its layers are in the viewer. Returns at once.

    Each slide is asked about once in a session; after that, and where the layers went
    elsewhere, a warning has to do.
    """
    QTimer.singleShot(0, lambda: show_question(viewer, slide))


def show_question(viewer: napari.Viewer, slide: Slide) -> ScaleQuestion | None:
    """Show the question above the canvas and return it; or warn, and return None."""
    from napari.utils.notifications import show_warning

    if slide.fingerprint in _asked or not layers_in_px(viewer, slide):
        show_warning(no_scale_warning(slide))
        return None
    _asked.add(slide.fingerprint)
    question = ScaleQuestion(slide)
    dock = viewer.window.add_dock_widget(question, name=NAME, area="top")

    def answer(um_per_px: float, keep: bool) -> None:
        give_scale(viewer, slide, um_per_px)
        if keep:
            remember_or_warn(slide, um_per_px)

    def close() -> None:
        QTimer.singleShot(0, lambda: viewer.window.remove_dock_widget(dock))

    question.answered.connect(answer)
    question.answered.connect(close)
    question.declined.connect(close)
    return question
