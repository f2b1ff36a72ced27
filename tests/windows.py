"""Windows of napari on screen: what their canvas shows, and pictures of them for the pages."""

from __future__ import annotations

import os

import numpy as np

PICTURE = os.environ.get("STEATOSIS_PICTURE")
"""Where to keep a picture of the window."""
WAIT_MS = 240_000


def canvas(viewer, qtbot) -> np.ndarray:
    """Return ``(y, x, 3) uint8`` of what is on screen once it has settled."""
    qtbot.wait(500)
    return viewer.screenshot(flash=False)[..., :3]


def keep_picture(viewer, qtbot) -> None:
    """Write the window where `PICTURE` says, if it does, once it has settled."""
    if PICTURE:
        qtbot.wait(500)
        viewer.screenshot(PICTURE, canvas_only=False, flash=False)
