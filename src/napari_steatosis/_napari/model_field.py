"""The field *Model*: what comes with the plugin, what was trained here, or a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QComboBox, QFileDialog

from .recent import TRAINED

CHOOSE = "Choose folder…"


class ModelField(ComboBox):
    """A chooser of models whose last entry asks for a folder.

    Parameters
    ----------
    known : sequence of str
        What is always offered, the first by default.
    typed : bool
        Whether another name may be typed, too.
    **options
        Of the widget (``label``).
    """

    def __init__(self, known: Sequence[str], *, typed: bool = False, **options: Any) -> None:
        self._known, self._own = list(known), [*TRAINED.folders]
        super().__init__(choices=self._all(), **options)
        if typed:
            self.native.setEditable(True)
            self.native.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
            self.native.lineEdit().editingFinished.connect(self.take_typed)
        self.changed.connect(self._asked)
        TRAINED.added.connect(self._trained)
        self.native.destroyed.connect(self._gone)

    def offer(self, folder: str | Path) -> None:
        """Add a name or the folder of a model, and choose it."""
        self._trained(str(folder))
        self.value = str(folder)

    def take_typed(self) -> None:
        """Choose what was typed; a button need not take the focus from the field."""
        text = self.native.currentText().strip()
        if text in ("", CHOOSE):
            self.native.setEditText(str(self.value))
        elif text != self.value:
            self.offer(text)

    def _all(self) -> list[str]:
        return [*self._known, *self._own, CHOOSE]

    def _trained(self, folder: str) -> None:
        if folder not in self._all():
            self._own.append(folder)
            self.choices = self._all()

    def _gone(self, _: Any = None) -> None:
        TRAINED.added.disconnect(self._trained, missing_ok=True)

    def _asked(self, value: str) -> None:
        if value != CHOOSE:
            return
        folder = QFileDialog.getExistingDirectory(self.native, "Folder of a trained model")
        if folder:
            self.offer(folder)
        else:
            self.value = self._known[0]
