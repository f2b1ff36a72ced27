"""The results store: an OME-Zarr label pyramid that fills tile by tile and survives a kill.

Layout (OME-NGFF 0.4, so other programs read it too)::

    liver_017.zarr/labels/fat/0, 1, 2 ...      uint8 pyramid, halved per level
    liver_017.zarr/labels/fat/.zattrs          multiscales, image-label, steatosis
    liver_017.zarr/labels/fat/ledger.jsonl     one line per finished tile
    liver_017.zarr/fat-probability/0, 1 ...    where asked for: (class, y, x) uint8 pyramid

Chunks are replaced atomically (written beside and renamed), the ledger line follows the pixels,
and one process at a time may write. What is promised: a killed process loses no tile that it
has recorded. When the power fails, the system may lose pixels whose line it kept; so a run that
is taken up compares every recorded tile with its hash, and computes again what does not fit.
Only a store whose bytes the system has confirmed is marked as complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from filelock import FileLock
from numpy.typing import NDArray

from ..core.errors import BadValueError, CannotOpenError, StoreMismatchError, StoreWriteError
from ..core.geometry import Frame, Region
from ..core.prediction import Prediction
from ..core.slide import Slide
from ._growing_pyramid import GrowingPyramid
from ._ledger import Entry, Ledger
from ._ngff.chunk_writer import Part
from ._ngff.metadata import class_labels, label_metadata
from ._probability_pyramid import probability_metadata, probability_name, stored_probabilities
from ._store_folder import (
    attributes_of,
    empty_folder,
    image_levels,
    lock_folder,
    named_in_errors,
    open_root,
    refuse_other,
)
from ._stored_check import check_stored, hash_of

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
    probabilities : bool
        Whether the store keeps the probabilities beside the class map.
    """

    name: str
    shape: tuple[int, int]
    frame: Frame
    classes: tuple[str, ...]
    identity: Mapping[str, Any]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    probabilities: bool = False


@dataclass(frozen=True, eq=False)
class StoredTile:
    """A tile to be stored.

    Parameters
    ----------
    index : int
        In the grid.
    inner : Region
        The pixels that it owns, px of the plane.
    classes : (y, x) uint8, optional
        Their class map; None where the tile could not be read.
    probabilities : (class, y, x) uint8, optional
        As `quantised` gives them; needed where the store keeps them.
    error : str
        Why it could not be read.
    """

    index: int
    inner: Region
    classes: NDArray[np.uint8] | None
    probabilities: NDArray[np.uint8] | None = None
    error: str = ""

    def entry(self) -> Entry:
        """Return the line of the ledger."""
        if self.classes is None:
            return Entry(self.index, error=self.error)
        return Entry(self.index, self.inner, hash_of(self.classes), hash_of(self.probabilities))


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
    StoreWriteError
        Where the folder may not be written to, or the disk is full.
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
        try:
            with named_in_errors(self.path):
                self._open(overwrite=overwrite)
        except BaseException:
            self._let_go()
            raise

    def _open(self, *, overwrite: bool) -> None:
        header = self.header
        root = self._root()
        if self.path is None:
            self.ledger = Ledger(None)
            self._group = root.create_group("labels").create_group(header.name)
        else:
            self._group = self._open_labels(root, self.path, overwrite=overwrite)
        if not self.ledger.entries and (beside := probability_name(header.name)) in root:
            del root[beside]  # of a run that was overwritten
        self._image_levels = image_levels(self.path)
        self.pyramid = GrowingPyramid.open(
            self._group, header.shape, self._folder("labels", header.name), self._image_levels
        )
        self.probabilities = self._open_probabilities(root) if header.probabilities else None
        if "steatosis" not in self._group.attrs:
            self._describe(complete=False)
        if self.ledger.entries and not self.complete:
            check_stored(
                self.ledger,
                [self.pyramid]
                if self.probabilities is None
                else [self.pyramid, self.probabilities],
            )

    def _root(self) -> zarr.Group:
        if self.path is None:
            return zarr.open_group(zarr.storage.MemoryStore(), mode="w", zarr_format=2)
        return open_root(self.path)

    def _folder(self, *names: str) -> Path | None:
        return None if self.path is None else self.path.joinpath(*names)

    def _open_labels(self, root: zarr.Group, path: Path, *, overwrite: bool) -> zarr.Group:
        folder = path / "labels" / self.header.name
        labels = root.require_group("labels")
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(folder, path)
        if overwrite:
            empty_folder(folder)
        group = labels.require_group(self.header.name)
        attributes = attributes_of(group)
        if "steatosis" in attributes:
            refuse_other(
                path,
                attributes["steatosis"],
                identity=self.header.identity,
                probabilities=self.header.probabilities,
            )
        elif "multiscales" in attributes:
            raise StoreMismatchError(
                f"{path} already holds a label image {self.header.name!r} that was not "
                f"written by this program. Choose another output folder."
            )
        listed = attributes_of(labels).get("labels", [])
        names = [*(n for n in listed if n != self.header.name), self.header.name]
        if names != listed:
            labels.attrs["labels"] = names
        self.ledger = Ledger(folder / "ledger.jsonl")
        return group

    def _open_probabilities(self, root: zarr.Group) -> GrowingPyramid:
        name = probability_name(self.header.name)
        group = root.require_group(name)
        shape = (len(self.header.classes), *self.header.shape)
        pyramid = GrowingPyramid.open(group, shape, self._folder(name))
        if "multiscales" not in group.attrs:
            header = self.header
            group.attrs.update(
                probability_metadata(header.name, header.classes, header.frame, pyramid.count)
            )
        return pyramid

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
            "probabilities": header.probabilities,
            "complete": complete,
            "content": self.ledger.content() if complete else "",
            "failed": [entry.error for entry in self.ledger.failed],
        }
        self._group.attrs.update(metadata)

    @property
    def complete(self) -> bool:
        """Whether a run has been finished in this store."""
        return bool(attributes_of(self._group)["steatosis"]["complete"])

    def add_all(self, tiles: Sequence[StoredTile]) -> None:
        """Store tiles at every level, then record all of them as done, or as failed.

        Tiles beside each other are cheaper together: a chunk that several touch is written once.

        Raises
        ------
        StoreWriteError
            The disk is full, or the folder was removed or may not be written to any more. The
            tiles recorded so far are safe.
        """
        done = [tile for tile in tiles if tile.classes is not None]
        with self._writing():
            self.ledger.check_in_place()
            self.pyramid.write(
                [Part(t.inner.y, t.inner.x, t.classes) for t in done if t.classes is not None]
            )
            if self.probabilities is not None:
                self.probabilities.write(
                    [Part(tile.inner.y, tile.inner.x, _kept(tile)) for tile in done]
                )
            self.ledger.check_in_place()
            self.ledger.add_all([tile.entry() for tile in tiles])

    def finish(self) -> None:
        """Mark the run as finished; with failed tiles it stays open to be resumed."""
        with self._writing():
            self.ledger.check_in_place()
            self._flush()
            self.ledger.settle()
            if self.path is not None and hasattr(os, "sync"):
                os.sync()
            self._describe(complete=not self.ledger.failed)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        stored = f"{len(self.ledger.entries)} tiles are stored. "
        with named_in_errors(self.path, stored):
            yield

    def _flush(self) -> None:
        self.pyramid.flush()
        if self.probabilities is not None:
            self.probabilities.flush()

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
            probabilities=() if self.probabilities is None else self.probabilities.levels,
        )

    def close(self) -> None:
        """Write what is held in memory and let another process write."""
        try:
            with self._writing():
                self.ledger.check_in_place()
                self._flush()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> ResultStore:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except StoreWriteError:
            if kind is None:
                raise  # else the error that ended the run is the one to be told


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
        attributes = attributes_of(group)
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
    kept = own.get("probabilities", False)
    return Prediction(
        name=name,
        levels=levels,
        classes=tuple(own["classes"]),
        frame=Frame((scale[0], scale[1]), (shift[0], shift[1])),
        provenance={**own["provenance"], "content": own["content"]},
        store=str(path),
        slide=slide,
        failed=tuple(own["failed"]),
        probabilities=stored_probabilities(Path(path), name) if kept else (),
    )


def _kept(tile: StoredTile) -> NDArray[np.uint8]:
    if tile.probabilities is None:
        raise BadValueError(
            f"Tile {tile.index} comes without probabilities, which this results store keeps."
        )
    return tile.probabilities
