"""The folder of a results store: who may write there, and what must be there already."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from typing import Any

import zarr
from filelock import FileLock, Timeout

from ..core.errors import (
    CannotOpenError,
    SteatosisError,
    StoreBusyError,
    StoreMismatchError,
    StoreWriteError,
)
from ..core.geometry import Frame


def attributes_of(group: zarr.Group) -> dict[str, Any]:
    """Return the attributes of a group as plain values."""
    return dict(group.attrs.asdict())


def open_root(path: Path) -> zarr.Group:
    """Open the folder of a results store, or make it.

    Raises
    ------
    CannotOpenError
        It is a file.
    StoreMismatchError
        It holds something else.
    """
    if path.exists() and not path.is_dir():
        raise CannotOpenError(f"{path} is a file; a results store is a folder. Choose another.")
    if (path / "zarr.json").exists():
        raise StoreMismatchError(
            f"{path} is in zarr format 3 (OME-Zarr 0.5); results are stored as OME-Zarr 0.4. "
            f"Choose another output folder."
        )
    if path.is_dir() and any(path.iterdir()) and not (path / ".zgroup").exists():
        raise StoreMismatchError(
            f"{path} is a folder with other contents; nothing was written. "
            f"Choose a new or empty output folder."
        )
    return zarr.open_group(str(path), mode="a", zarr_format=2)


def lock_folder(folder: Path, path: Path) -> FileLock:
    """Take the right to write to a folder; `StoreBusyError` where another process has it.

    The system takes it from a process that ends, however it ends, so a file that such a
    process leaves behind is no obstacle.
    """
    lock = FileLock(str(folder / LOCK))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreBusyError(
            f"Another process is writing to {path}. Wait for it, or choose another output folder."
        ) from None
    return lock


LOCK = "writer.lock"


def remove_partial(folder: Path) -> None:
    """Remove the files that a killed process had not yet renamed into place."""
    for file in folder.glob("*.partial"):
        file.unlink()


def empty_folder(folder: Path) -> None:
    """Remove what a folder holds, but not the lock."""
    for item in folder.iterdir():
        if item.name == LOCK:
            continue
        shutil.rmtree(item) if item.is_dir() else item.unlink()


def is_finished(stated: Mapping[str, Any]) -> bool:
    """Say whether a run has come to its end.

    Parameters
    ----------
    stated : mapping
        What a store says of itself: it is complete, or lists what could not be read.
    """
    return bool(stated["complete"] or stated["failed"])


def stored_frame(multiscale: Mapping[str, Any]) -> Frame:
    """Return where the pixels of level 0 lie, as OME-NGFF states it for the axes y and x."""
    transforms = multiscale["datasets"][0]["coordinateTransformations"]
    by_type = {step["type"]: step[step["type"]] for step in transforms}
    scale, shift = by_type["scale"], by_type.get("translation", [0.0, 0.0])
    return Frame((scale[0], scale[1]), (shift[0], shift[1]))


def image_levels(path: Path | None) -> int | None:
    """Return the number of levels of an image in the same group: labels must have as many."""
    if path is None:
        return None
    image = attributes_of(zarr.open_group(str(path), mode="r", zarr_format=2))
    multiscales = image.get("multiscales")
    return len(multiscales[0]["datasets"]) if multiscales else None


def list_label(labels: zarr.Group, name: str) -> None:
    """Put a label image on the list that programs look for."""
    listed = attributes_of(labels).get("labels", [])
    names = [*(other for other in listed if other != name), name]
    if names != listed:
        labels.attrs["labels"] = names


def refuse_other(
    path: Path, group: zarr.Group, *, identity: Mapping[str, Any], probabilities: bool
) -> None:
    """Raise `StoreMismatchError`, which names what differs, where a store is of another run.

    Parameters
    ----------
    path : Path
        Of the store.
    group : zarr.Group
        Its label image; a new one is anybody's.
    identity : mapping
        Everything that the pixels depend on now.
    probabilities : bool
        Whether they are to be kept now.
    """
    attributes = attributes_of(group)
    stored = attributes.get("steatosis")
    if stored is None and "multiscales" in attributes:
        raise StoreMismatchError(
            f"{path} already holds a label image {group.basename!r} that was not written by this "
            f"program. Choose another output folder."
        )
    if stored is None:
        return
    old, new = _flat(stored["identity"]), _flat(identity)
    differing = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if differing:
        shown = "; ".join(f"{k}: stored {old.get(k)!r}, now {new.get(k)!r}" for k in differing[:4])
        raise StoreMismatchError(
            f"{path} was begun with other inputs and is left as it is ({shown}). "
            f"Choose another output folder, or overwrite it (overwrite=True, --overwrite)."
        )
    kept = stored.get("probabilities", False)
    if probabilities and not kept:
        raise StoreMismatchError(
            f"{path} was begun without probabilities, and those of its finished tiles are gone. "
            f"Go on without probabilities, choose another output folder, or overwrite it "
            f"(overwrite=True, --overwrite)."
        )
    if kept and not probabilities and not stored["complete"]:
        raise StoreMismatchError(
            f"{path} was begun with probabilities and is not finished. Ask for them again, "
            f"choose another output folder, or overwrite it (overwrite=True, --overwrite)."
        )


@contextmanager
def named_in_errors(path: Path | None, stored: str = "") -> Iterator[None]:
    """Turn what the system says while a store is written into our errors.

    Parameters
    ----------
    path : Path, optional
        Of the store.
    stored : str
        What is safe already, a sentence.
    """
    try:
        yield
    except SteatosisError:
        raise
    except JSONDecodeError as error:
        raise CannotOpenError(
            f"{path} has metadata that are damaged ({error}), as a power cut may leave them. "
            f"Choose another output folder, or overwrite it (overwrite=True, --overwrite)."
        ) from error
    except OSError as error:
        raise StoreWriteError(
            f"{path} cannot be written ({type(error).__name__}: {error}). {stored}Look at the "
            f"space on the disk and at the permissions of the folder, or choose another one; "
            f"the same call or command goes on with what is stored."
        ) from error


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(values, Mapping):
        return {
            k: v
            for key, value in values.items()
            for k, v in _flat(value, f"{prefix}{key}.").items()
        }
    if isinstance(values, list | tuple):
        return {prefix.rstrip("."): [list(v) if isinstance(v, tuple) else v for v in values]}
    return {prefix.rstrip("."): values}
