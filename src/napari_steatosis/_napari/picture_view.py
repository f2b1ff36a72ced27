"""A figure in a form, as wide as the form; a click shows it at its own size."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QMouseEvent, QPixmap, QResizeEvent
from qtpy.QtWidgets import QDialog, QLabel, QScrollArea, QSizePolicy, QVBoxLayout


class PictureView(QLabel):
    """A figure that fits the width; hidden while there is none.

    Parameters
    ----------
    title : str
        Of the window that shows it at its own size.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title, self.whole = title, QPixmap()
        self._dialog: QDialog | None = None
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip("Click for the whole size")
        self.clear()

    def clear(self) -> None:
        """Forget the figure."""
        super().clear()
        self.whole = QPixmap()
        self.hide()

    def show_picture(self, png: bytes) -> None:
        """Show a PNG file."""
        self.whole.loadFromData(png, "PNG")
        self.show()
        self._fit()

    def _fit(self) -> None:
        if self.whole.isNull() or not self.width():
            return
        wide = self.whole.scaledToWidth(self.width(), Qt.TransformationMode.SmoothTransformation)
        self.setPixmap(wide)
        self.setFixedHeight(wide.height())

    def minimumSizeHint(self) -> QSize:
        """Ask for no width: the figure takes what there is."""
        return QSize(0, 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fit the figure anew."""
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._fit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Show the figure at its own size."""
        self._dialog = QDialog(self)
        self._dialog.setWindowTitle(self._title)
        area, picture = QScrollArea(), QLabel()
        picture.setPixmap(self.whole)
        area.setWidget(picture)
        QVBoxLayout(self._dialog).addWidget(area)
        self._dialog.resize(min(1440, self.whole.width() + 50), min(900, self.whole.height() + 50))
        self._dialog.show()
