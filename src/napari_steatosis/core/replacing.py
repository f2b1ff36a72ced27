"""A file or folder that appears whole, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import CannotOpenError


@contextmanager
def replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary path beside `path`; when the block ends well it becomes `path`.

    Raises
    ------
    CannotOpenError
        Something stands at `path` and `overwrite` is False.
    """
    if path.exists() and not overwrite:
        raise CannotOpenError(
            f"{path} is there already. Choose another name, or allow it to be replaced "
            f"(overwrite=True, --overwrite)."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        if part.is_dir() and path.exists():
            gone = path.with_name(f".{path.name}.{os.getpid()}.gone")
            path.replace(gone)
            part.replace(path)
            _remove(gone)
        else:
            part.replace(path)
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
