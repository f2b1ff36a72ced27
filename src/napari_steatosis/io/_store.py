"""The results store: an OME-Zarr label pyramid that fills tile by tile and survives a kill.

Layout (OME-NGFF 0.4, so other programs read it too)::

    liver_017.zarr/labels/fat/0, 1, 2 ...    uint8 pyramid, halved per level
    liver_017.zarr/labels/fat/.zattrs        multiscales, image-label, steatosis
    liver_017.zarr/labels/fat/ledger.jsonl   one line per finished tile

Chunks are replaced atomically (zarr writes beside and renames), the ledger line follows the
pixels, and one process at a time may write.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from ..core.errors import CannotOpenError, StoreBusyError, StoreMismatchError
from ..core.geometry import Frame, Region
from ..core.prediction import Prediction
from ..core.slide import Slide
from ._label_pyramid import LabelPyramid
from ._ledger import Entry, Ledger
from ._ngff.metadata import class_labels, label_metadata

FORMAT = 1


@dataclass(frozen=True)
class Header:
    """What a results store is for; two runs may share a store only if `identity` is equal.

    Parameters
    ----------
    name : str
        Name of the label image.
    shape : (int, int)
        Plane, px.
    frame : Frame
        Where its pixels lie in the tissue.
    classes : tuple of str
        Class names; ``classes[i]`` is stored as ``i + 1``.
    identity : mapping
        Everything the pixels depend on, as plain values.
    provenance : mapping
        Identity plus what does not change pixels (paths, versions).
    """

    name: str
    shape: tuple[int, int]
    frame: Frame
    classes: tuple[str, ...]
    identity: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)


class ResultStore:
    """An open results store, for one writer. Use it in a ``with`` block.

    Parameters
    ----------
    path : Path or str, optional
        Folder; None keeps the result in memory. A folder that holds an OME-Zarr image gets
        the labels beside the image.
    header : Header
        What is to be stored.
    slide : Slide, optional
        Passed on to the prediction.
    overwrite : bool
        Begin anew instead of resuming.

    Raises
    ------
    StoreMismatchError
        Where the folder was begun with another slide, model or setting.
    StoreBusyError
        Where another process is writing to it.
    """

    def __init__(
        self,
        path: Path | str | None,
        header: Header,
        *,
        slide: Slide | None = None,
        overwrite: bool = False,
    ) -> None:
        self.header, self.slide = header, slide
        self.path = None if path is None else Path(path)
        self._lock: FileLock | None = None
        if self.path is None:
            root = zarr.open_group(zarr.storage.MemoryStore(), mode="w", zarr_format=2)
            self.ledger = Ledger(None)
            group = root.create_group("labels").create_group(header.name)
        else:
            group = self._open_folder(self.path, overwrite=overwrite)
        self._group = group
        self._image_levels = _image_levels(self.path)
        self.pyramid = LabelPyramid.open(group, header.shape, self._image_levels)
        if "steatosis" not in group.attrs:
            self._describe(complete=False)
        self._restore_coarse_levels()

    def _open_folder(self, path: Path, *, overwrite: bool) -> zarr.Group:
        folder = path / "labels" / self.header.name
        root = _open_root(path)
        labels = root.require_group("labels")
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(folder / "writer.lock", path)
        try:
            if overwrite:
                _empty(folder)
            group = labels.require_group(self.header.name)
            attributes = _attributes(group)
            if "steatosis" in attributes:
                _refuse_other(path, attributes["steatosis"]["identity"], self.header.identity)
            elif "multiscales" in attributes:
                raise StoreMismatchError(
                    f"{path} already holds a label image {self.header.name!r} that was not "
                    f"written by this program. Choose another output folder."
                )
            listed = _attributes(labels).get("labels", [])
            labels.attrs["labels"] = [
                *(n for n in listed if n != self.header.name),
                self.header.name,
            ]
            self.ledger = Ledger(folder / "ledger.jsonl")
        except BaseException:
            self.close()
            raise
        return group

    def _describe(self, *, complete: bool) -> None:
        header = self.header
        metadata = label_metadata(
            class_labels(header.name, header.classes, header.frame),
            self.pyramid.count,
            image=None if self._image_levels is None else "../../",
        )
        metadata["steatosis"] = {
            "format": FORMAT,
            "identity": dict(header.identity),
            "provenance": dict(header.provenance),
            "classes": list(header.classes),
            "complete": complete,
            "content": self.ledger.content() if complete else "",
            "failed": [entry.error for entry in self.ledger.failed],
        }
        self._group.attrs.update(metadata)

    def _restore_coarse_levels(self) -> None:
        """Bring coarse levels, which a kill may have left behind, up to the finished tiles."""
        if self.ledger.entries and not self.complete:
            self.pyramid.rebuild()

    @property
    def complete(self) -> bool:
        """Whether a run has been finished in this store."""
        return bool(_attributes(self._group)["steatosis"]["complete"])

    def add(self, tile: int, inner: Region, classes: NDArray[np.uint8]) -> None:
        """Store the class map of a tile at every level, then record it as done."""
        self.pyramid.write(inner.y, inner.x, classes)
        content = hashlib.sha256(classes.tobytes()).hexdigest()
        self.ledger.add(Entry(tile, content))

    def add_failure(self, tile: int, error: str) -> None:
        """Record a tile that could not be read; its pixels stay *not analysed*."""
        self.ledger.add(Entry(tile, error=error))

    def finish(self) -> None:
        """Mark the run as finished; with failed tiles it stays open to be resumed."""
        self.pyramid.flush()
        self._describe(complete=not self.ledger.failed)

    def prediction(self) -> Prediction:
        """Return what is stored, as it fills."""
        header = self.header
        return Prediction(
            name=header.name,
            levels=self.pyramid.levels,
            classes=header.classes,
            frame=header.frame,
            provenance={**header.provenance, "content": self.ledger.content()},
            store=None if self.path is None else str(self.path),
            slide=self.slide,
            failed=tuple(entry.error for entry in self.ledger.failed),
        )

    def close(self) -> None:
        """Write what is held in memory and let another process write."""
        if hasattr(self, "pyramid"):
            self.pyramid.flush()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> ResultStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_results(path: Path | str, name: str = "fat", *, slide: Slide | None = None) -> Prediction:
    """Open a stored prediction, finished or not.

    Parameters
    ----------
    path : path
        The results store.
    name : str
        Which of its label images.
    slide : Slide, optional
        The slide it was made from; reports need it for pictures.

    Raises
    ------
    CannotOpenError
        Where there is no such result.

    Examples
    --------
    >>> import tempfile
    >>> import napari_steatosis as st
    >>> slide, folder = st.drawn_liver(512, 512, seed=1), tempfile.mkdtemp()
    >>> fat = st.segment(slide, st.load_model("steatosis-he"), store=folder)
    >>> open_results(folder).provenance["digest"] == fat.provenance["digest"]
    True
    """
    folder = Path(path) / "labels" / name
    try:
        group = zarr.open_group(str(folder), mode="r")
        attributes = _attributes(group)
        stated = attributes.get("ome", attributes)  # OME-NGFF 0.5, 0.4
        own, multiscale = attributes["steatosis"], stated["multiscales"][0]
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise CannotOpenError(
            f"{path} holds no result {name!r} of this program ({folder} is missing or foreign). "
            f"Give the folder that 'napari-steatosis analyse' wrote."
        ) from error
    levels: list[Any] = [group[dataset["path"]] for dataset in multiscale["datasets"]]
    transforms = multiscale["datasets"][0]["coordinateTransformations"]
    by_type = {t["type"]: t[t["type"]] for t in transforms}
    scale, shift = by_type["scale"], by_type.get("translation", [0.0, 0.0])
    return Prediction(
        name=name,
        levels=levels,
        classes=tuple(own["classes"]),
        frame=Frame((scale[0], scale[1]), (shift[0], shift[1])),
        provenance={**own["provenance"], "content": own["content"]},
        store=str(path),
        slide=slide,
        failed=tuple(own["failed"]),
    )


def _attributes(group: zarr.Group) -> dict[str, Any]:
    return dict(group.attrs.asdict())


def _open_root(path: Path) -> zarr.Group:
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


def _locked(file: Path, path: Path) -> FileLock:
    lock = FileLock(str(file))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StoreBusyError(
            f"Another process is writing to {path}. Wait for it, or choose another output folder."
        ) from None
    return lock


def _empty(folder: Path) -> None:
    for item in folder.iterdir():
        if item.name == "writer.lock":
            continue
        shutil.rmtree(item) if item.is_dir() else item.unlink()


def _image_levels(path: Path | None) -> int | None:
    """Return the number of levels of an image in the same group: labels must have as many."""
    if path is None:
        return None
    image = _attributes(zarr.open_group(str(path), mode="r", zarr_format=2))
    multiscales = image.get("multiscales")
    return len(multiscales[0]["datasets"]) if multiscales else None


def _refuse_other(path: Path, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    old, new = _flat(stored), _flat(wanted)
    differing = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if not differing:
        return
    shown = "; ".join(f"{k}: stored {old.get(k)!r}, now {new.get(k)!r}" for k in differing[:4])
    raise StoreMismatchError(
        f"{path} was begun with other inputs and is left as it is ({shown}). "
        f"Choose another output folder, or overwrite it (overwrite=True, --overwrite)."
    )


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
