"""What every model at the seam keeps to: the tiles it takes, how it travels to other processes."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError, ModelFileError
from ..core.model import Model, ModelSpec

_restored: dict[tuple[str, str, str, str], Model] = {}
_restoring = threading.Lock()


def restore(where: str, device: str, precision: str, sent: str) -> Model:
    """Load a model that another process sent, once per process.

    Raises
    ------
    ModelFileError
        Where the path holds another model here than it did there.
    """
    from . import load_model

    key = (where, device, precision, sent)
    with _restoring:
        if key not in _restored:
            model = load_model(where, device=device, precision=precision)
            if model.digest != sent:
                raise ModelFileError(
                    f"{where} holds model {model.digest[:12]} here, but {sent[:12]} was sent. "
                    f"Use the same version and the same files on every worker."
                )
            _restored.clear()  # a run has one model; an earlier one would only hold memory
            _restored[key] = model
        return _restored[key]


def check_tiles(tiles: NDArray[np.uint8], spec: ModelSpec) -> None:
    """Raise `BadValueError` where an array is not what a model takes."""
    if tiles.dtype != np.uint8 or tiles.ndim != 4 or tiles.shape[3] != 3 or not tiles.size:
        raise BadValueError(
            f"Model {spec.name!r} takes tiles (n, y, x, 3) uint8, got {tiles.shape} "
            f"{tiles.dtype}. Convert the image to 8-bit RGB."
        )
    multiple = spec.multiple_px
    if tiles.shape[1] % multiple or tiles.shape[2] % multiple:
        raise BadValueError(
            f"Model {spec.name!r} takes tiles whose sides are multiples of "
            f"{multiple} px, got {tiles.shape[1]} x {tiles.shape[2]}. Read a larger "
            f"region; outside a slide it is mirrored."
        )


def architecture_of(folder: Path) -> str:
    """Return the architecture that a model folder names; empty where that cannot be read."""
    try:
        values = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return str(values["spec"]["architecture"])
    except (OSError, ValueError, LookupError, TypeError):  # who reads the rest says what is wrong
        return ""
