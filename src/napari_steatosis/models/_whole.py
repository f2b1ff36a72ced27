"""Exported models appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..core.errors import BadValueError
from ._foreign import content_digest
from ._sidecar import Description, sidecar_of


@contextmanager
def written_whole(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a place beside `path` to write a file or folder to; it takes its name when done.

    Raises
    ------
    BadValueError
        Where something is there already and may not be replaced, or is a folder with more in it
        than the new one has.
    """
    if path.exists() and not overwrite:
        raise BadValueError(f"{path} exists already. Choose another name, or allow overwriting.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    _remove(partial)
    try:
        yield partial
        if path.is_dir():
            new = {item.name for item in partial.iterdir()} if partial.is_dir() else set()
            if other := sorted({item.name for item in path.iterdir()} - new):
                raise BadValueError(
                    f"{path} is a folder that holds other things ({', '.join(other[:3])}), so it "
                    f"is not replaced. Choose another name."
                )
            _remove(path)
        os.replace(partial, path)
    finally:
        _remove(partial)


def write_with_sidecar(
    path: Path, make: Callable[[], bytes], described: Description, *, overwrite: bool
) -> None:
    """Write a model file and its description, which states whose it is.

    The description comes first: a model without it is not opened, and one with a description
    of other content neither.

    Parameters
    ----------
    path : Path
        The file.
    make : callable
        Gives its content; called once it is known that it may be written.
    described : Description
        Of the model.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    BadValueError
        Where something is there already and may not be replaced, or is a folder.
    """
    if path.is_dir():
        held = ", ".join(sorted(item.name for item in path.iterdir())[:3])
        raise BadValueError(
            f"{path} is a folder ({held}), but this format is a file. Choose another name."
        )
    with (
        written_whole(path, overwrite=overwrite) as model,
        written_whole(sidecar_of(path), overwrite=overwrite) as sidecar,
    ):
        content = make()
        model.write_bytes(content)
        values = described.to_json() | {"sha256": content_digest(content)}
        text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        sidecar.write_text(text, encoding="utf-8")


def refuse_suffix(path: Path, suffixes: tuple[str, ...]) -> None:
    """Raise `BadValueError` where a file could not be recognised by its name later."""
    if path.suffix.lower() not in suffixes:
        raise BadValueError(
            f"{path}: the name of such a file ends in {' or '.join(suffixes)}, not "
            f"{path.suffix!r}. Choose another name."
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
