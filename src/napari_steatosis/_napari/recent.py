"""Folders that one form has written and others can take, for as long as napari runs."""

from __future__ import annotations

from pathlib import Path

from psygnal import Signal


class Recent:
    """Folders, the newest last; `added` tells the forms that are open."""

    added = Signal(str)

    def __init__(self) -> None:
        self.folders: list[str] = []

    def add(self, folder: str | Path) -> None:
        """Remember a folder."""
        path = str(folder)
        self.folders = [*(one for one in self.folders if one != path), path]
        self.added.emit(path)


TRAINED, ANNOTATED = Recent(), Recent()
"""Models, and datasets."""
