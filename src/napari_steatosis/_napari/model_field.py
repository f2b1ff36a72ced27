"""The field *Model*: what comes with the plugin, or the folder of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from magicgui.widgets import ComboBox
from qtpy.QtWidgets import QFileDialog

CHOOSE = "Choose folder…"


class ModelField(ComboBox):
    """A chooser of models whose last entry asks for a folder.

    Parameters
    ----------
    known : sequence of str
        What is always offered, the first by default.
    **options
        Of the widget (``label``).
    """

    def __init__(self, known: Sequence[str], **options: str) -> None:
        self._known = list(known)
        super().__init__(choices=[*known, CHOOSE], **options)
        self.changed.connect(self._asked)

    def offer(self, folder: str | Path) -> None:
        """Add the folder of a model, and choose it."""
        self.choices = [*self._known, str(folder), CHOOSE]
        self.value = str(folder)

    def _asked(self, value: str) -> None:
        if value != CHOOSE:
            return
        folder = QFileDialog.getExistingDirectory(self.native, "Folder of a trained model")
        if folder:
            self.offer(folder)
        else:
            self.value = self._known[0]
