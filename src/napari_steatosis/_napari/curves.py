"""Loss and score of a training as lines that grow, painted by Qt alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QWidget

LOSS, SCORE, LINES = QColor("#f0a030"), QColor("#50b0ff"), QColor(128, 128, 128, 110)
HEIGHT_PX, MARGIN_PX, TEXT_PX = 150, 6, 18
MOST_POINTS = 400
"""Steps are joined so that no more points than these are painted."""


class Curves(QWidget):
    """Loss of every step, and score after every epoch from 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.setMinimumHeight(HEIGHT_PX)
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.losses: list[tuple[float, float]] = []
        self.scores: list[tuple[float, float]] = []
        self._steps = 0
        self.update()

    def add_loss(self, loss: float) -> None:
        """Add the loss of a step."""
        self._steps += 1
        self.losses.append((self._steps, loss))
        if len(self.losses) > 2 * MOST_POINTS:
            pairs = zip(self.losses[::2], self.losses[1::2], strict=False)
            self.losses = [(one[0], (one[1] + two[1]) / 2) for one, two in pairs]
        self.update()

    def add_score(self, score: float) -> None:
        """Add the score of an epoch, which ends here."""
        self.scores.append((self._steps, score))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the lines."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(MARGIN_PX, TEXT_PX, -MARGIN_PX, -MARGIN_PX)
        painter.setPen(QPen(LINES, 1))
        painter.drawRect(box)
        for share in (0.25, 0.5, 0.75):
            y = box.bottom() - share * box.height()
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
        finite = [loss for _, loss in self.losses if math.isfinite(loss)]
        top = max(finite, default=1.0) or 1.0
        self._line(painter, box, self.losses, LOSS, top)
        self._line(painter, box, self.scores, SCORE, 1.0)
        self._words(painter, top)
        painter.end()

    def _line(
        self,
        painter: QPainter,
        box: QRectF,
        points: Sequence[tuple[float, float]],
        colour: QColor,
        top: float,
    ) -> None:
        places = [
            QPointF(
                box.left() + step / max(1, self._steps) * box.width(),
                box.bottom() - min(max(value / top, 0), 1) * box.height(),
            )
            for step, value in points
            if math.isfinite(value)
        ]
        painter.setPen(QPen(colour, 2))
        painter.drawPolyline(QPolygonF(places))
        if len(places) < 40:
            painter.setBrush(colour)
            for place in places:
                painter.drawEllipse(place, 2.5, 2.5)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    def _words(self, painter: QPainter, top: float) -> None:
        painter.setPen(LOSS)
        loss = f"loss {self.losses[-1][1]:.3f} (top {top:.2g})" if self.losses else "loss"
        painter.drawText(QPointF(MARGIN_PX, TEXT_PX - 5), loss)
        if not self.scores:
            return
        painter.setPen(SCORE)
        best = max(score for _, score in self.scores)
        said = f"score {self.scores[-1][1]:.3f}, best {best:.3f} (top 1)"
        wide = painter.fontMetrics().horizontalAdvance(said)
        painter.drawText(QPointF(self.width() - MARGIN_PX - wide, TEXT_PX - 5), said)
