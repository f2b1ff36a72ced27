"""How many droplets there are of each diameter, with a cut that can be dragged."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

from ..io._palette import DROPLET_COLOURS
from .results import number

BARS = 60
TICKS = 6
WIDEST = 0.999
"""Share of the droplets that fits the axis; larger ones are counted in the last bar."""

MARGIN_PX = (10.0, 22.0, 12.0, 30.0)
"""Left, top, right, bottom."""

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def diameter_of(area_um2: float) -> float:
    """Return the diameter of the disc of an area, um."""
    return 2 * math.sqrt(area_um2 / math.pi)


class Histogram(QWidget):
    """Bars of diameters in the colours of the two size classes."""

    cut_moved = Signal(float)
    """The cut was dragged to another diameter, um."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self.widest_um, self.cut_um, self.marked_um = 1.0, 0.0, 0.0
        self._beyond = False
        self.setMinimumHeight(130)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.SizeHorCursor)
        self.setToolTip("Droplets by diameter. Drag to move the cut between micro and macro.")

    def show_diameters(self, diameters: NDArray[np.float64]) -> None:
        """Count and show diameters, um."""
        self.counts, self.marked_um, self._beyond = np.zeros(0, np.int64), 0.0, False
        if len(diameters):
            place = int(WIDEST * (len(diameters) - 1))
            self.widest_um = float(np.partition(diameters, place)[place]) * 1.02
            bar = (diameters * (BARS / self.widest_um)).astype(np.int64)
            self._beyond = bool(diameters.max() > self.widest_um)
            self.counts = np.bincount(np.minimum(bar, BARS - 1), minlength=BARS)
        self.update()

    def show_cut(self, cut_um: float) -> None:
        """Colour the bars by another cut, um."""
        self.cut_um = cut_um
        self.update()

    def mark(self, diameter_um: float) -> None:
        """Point at the diameter of the chosen droplet, um; 0 is none."""
        self.marked_um = diameter_um
        self.update()

    @property
    def _plot(self) -> QRectF:
        left, top, right, bottom = MARGIN_PX
        return QRectF(left, top, self.width() - left - right, self.height() - top - bottom)

    def place_of(self, diameter_um: float) -> float:
        """Return where a diameter stands across the widget, px."""
        plot = self._plot
        return plot.left() + plot.width() * min(diameter_um / self.widest_um, 1.0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        grey = self.palette().text().color()
        grey.setAlphaF(0.7)
        if not self.counts.any():
            painter.setPen(grey)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "No droplets")
            return
        self._draw_bars(painter)
        self._draw_axis(painter, grey)
        self._draw_cut(painter)

    def _draw_bars(self, painter: QPainter) -> None:
        plot, cut = self._plot, self.place_of(self.cut_um)
        wide, most = plot.width() / BARS, int(self.counts.max())
        painter.setPen(Qt.PenStyle.NoPen)
        for name, low, high in (("micro", plot.left(), cut), ("macro", cut, plot.right())):
            painter.setClipRect(QRectF(low, 0, max(high - low, 0), self.height()))
            painter.setBrush(QColor(*DROPLET_COLOURS[name]))
            for bar in np.flatnonzero(self.counts).tolist():
                tall = max(plot.height() * self.counts[bar] / most, 1.0)
                left = plot.left() + bar * wide
                painter.drawRect(QRectF(left, plot.bottom() - tall, max(wide - 1, 1), tall))
        painter.setClipping(False)

    def _draw_axis(self, painter: QPainter, grey: QColor) -> None:
        plot = self._plot
        painter.setPen(QPen(grey, 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        step = next((s for s in STEPS if self.widest_um / s <= TICKS), STEPS[-1])
        for tick in range(0, int(self.widest_um) + 1, step):
            across = self.place_of(tick)
            painter.drawLine(QPointF(across, plot.bottom()), QPointF(across, plot.bottom() + 3))
            box = QRectF(across - 25, plot.bottom() + 3, 50, 14)
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(tick))
        box = QRectF(plot.left(), plot.bottom() + 15, plot.width(), 15)
        more = "; the last bar holds all larger ones" if self._beyond else ""
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, f"diameter, µm{more}")
        total = f"{number(float(self.counts.sum()), whole=True)} droplets"
        head = QRectF(plot.left(), 2, plot.width(), 16)
        painter.drawText(head, Qt.AlignmentFlag.AlignRight, total)

    def _draw_cut(self, painter: QPainter) -> None:
        plot, across = self._plot, self.place_of(self.cut_um)
        line = self.palette().text().color()
        painter.setPen(QPen(line, 1.5))
        painter.drawLine(QPointF(across, plot.top() - 4), QPointF(across, plot.bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(line)
        handle = ((-5.0, -12.0), (5.0, -12.0), (0.0, -4.0))
        top = plot.top()
        painter.drawPolygon(QPolygonF([QPointF(across + x, top + y) for x, y in handle]))
        painter.setPen(line)
        painter.drawText(QPointF(across + 9, top - 4), f"Ø {self.cut_um:.1f} µm")
        if self.marked_um:
            painter.setBrush(QColor(255, 60, 200))
            across, foot = self.place_of(self.marked_um), plot.bottom()
            painter.drawPolygon(
                QPolygonF([QPointF(across + x, foot + y) for x, y in ((-5, 8), (5, 8), (0, 0))])
            )

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._drag(event)

    def _drag(self, event: QMouseEvent) -> None:
        plot = self._plot
        share = (event.pos().x() - plot.left()) / max(plot.width(), 1.0)
        if self.counts.any():
            self.cut_moved.emit(float(np.clip(share, 0, 1)) * self.widest_um)
