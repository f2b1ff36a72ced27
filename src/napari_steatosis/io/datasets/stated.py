"""What the values of a mask stand for, stated in a text of its PNG."""

from __future__ import annotations

import io
import json
from typing import Any

from ...core.dataset import IGNORE
from .places import read_bytes

NOTE = "napari-steatosis"


def note_of(classes: tuple[str, ...]) -> Any:
    """Return the text of a PNG mask whose values are indices of classes, 255 = ignore."""
    from PIL.PngImagePlugin import PngInfo

    note = PngInfo()
    note.add_text(NOTE, json.dumps({"classes": list(classes), "ignore": IGNORE}))
    return note


def stated_classes(path: str) -> tuple[str, ...] | None:
    """Return the classes that a PNG mask of this program states; None for any other file."""
    from PIL import Image

    if not path.lower().endswith(".png"):
        return None
    try:
        with Image.open(io.BytesIO(read_bytes(path))) as image:
            about = json.loads(image.info.get(NOTE, "null"))
        return tuple(about["classes"]) if about["ignore"] == IGNORE else None
    except (OSError, ValueError, KeyError, TypeError, SyntaxError):  # told when it is read
        return None
