"""What a network makes of a few validation samples, as small pictures beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from ..training.rows import Predicted

SIDE_PX, MOST = 88, 4
TRUTH, FOUND = (0, 220, 255), (255, 230, 0)
WORDS = (
    "<span style='color:#00dcff'>━ annotated</span> &nbsp; "
    "<span style='color:#ffe600'>━ found</span>"
)


class PredictedPictures(QWidget):
    """The samples of the last epoch, with what was annotated and what was found outlined."""

    def __init__(self) -> None:
        super().__init__()
        down, across = QVBoxLayout(self), QHBoxLayout()
        down.setContentsMargins(0, 0, 0, 0)
        self._words = QLabel(WORDS)
        down.addWidget(self._words)
        down.addLayout(across)
        self.pictures = [QLabel() for _ in range(MOST)]
        for one in self.pictures:
            across.addWidget(one)
        across.addStretch(1)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._epoch, self._names = 0, []
        for one in self.pictures:
            one.clear()
        self.hide()

    def show_sample(self, sample: Predicted) -> None:
        """Show a sample in its place; the first of an epoch begins anew."""
        if sample.epoch != self._epoch:
            self._epoch, self._names = sample.epoch, []
        if len(self._names) >= MOST:
            return
        picture = self.pictures[len(self._names)]
        self._names.append(sample.name)
        rgb, said = drawn(sample)
        height, width = rgb.shape[:2]
        image = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        keep = Qt.AspectRatioMode.KeepAspectRatio
        smooth = Qt.TransformationMode.SmoothTransformation
        picture.setPixmap(QPixmap.fromImage(image).scaled(SIDE_PX, SIDE_PX, keep, smooth))
        picture.setToolTip(f"{sample.name}, epoch {sample.epoch}{said}")
        self._words.setVisible(not said)
        self.show()


def drawn(sample: Predicted) -> tuple[NDArray[np.uint8], str]:
    """Return a sample with outlines, ``(y, x, 3) uint8``; of a classifier, what it said."""
    rgb = np.ascontiguousarray(sample.image).copy()
    found = sample.probability.argmax(0)
    if isinstance(sample.truth, int):
        return rgb, f": class {sample.truth}, found {int(found)}"
    for classes, colour in ((sample.truth, TRUTH), (found, FOUND)):
        rgb[edges(np.asarray(classes) % 255)] = colour
    return rgb, ""


def edges(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pixels lie at an edge of something that is not of the first class."""
    marked = np.pad(classes > 0, 2, mode="edge")
    high, width = classes.shape
    inner = np.ones(classes.shape, bool)
    for y, x in ((0, 2), (4, 2), (2, 0), (2, 4)):
        inner &= marked[y : y + high, x : x + width]
    found: NDArray[np.bool_] = (classes > 0) & ~inner
    return found
