"""PNG: a view of a slide, or a mask."""

from __future__ import annotations

from pathlib import Path

from ..core.mask import Mask
from ..core.snapshot import Snapshot
from ._masks import write_mask_picture
from .write_snapshot import write_snapshot


def write_picture(value: Snapshot | Mask, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write a snapshot as `write_snapshot` does, or a mask: white is yes, a pixel each.

    Where a mask lies and how it was made stand in a text of the file, which other programs
    pass over.

    Raises
    ------
    UnreadableRegionError
        The slide of a snapshot cannot be read there.
    CannotOpenError
        Something stands at `path` and `overwrite` is False.
    """
    if isinstance(value, Mask):
        return write_mask_picture(value, path, overwrite=overwrite)
    return write_snapshot(value, path, overwrite=overwrite)
