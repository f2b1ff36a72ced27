"""The results store: an OME-Zarr label pyramid that fills tile by tile and survives a kill.

Layout (OME-NGFF 0.4, so other programs read it too)::

    liver_017.zarr/labels/fat/0, 1, 2 ...      uint8 pyramid, halved per level
    liver_017.zarr/labels/fat/.zattrs          multiscales, image-label, steatosis
    liver_017.zarr/labels/fat/ledger.jsonl     one line per finished tile
    liver_017.zarr/fat-probability/0, 1 ...    where asked for: (class, y, x) uint8 pyramid

Chunks are replaced atomically (written beside and renamed), the ledger line follows the pixels,
one process at a time may write. A killed process loses no tile that it has recorded. When the
power fails, the system may lose pixels whose line it kept: a run that is taken up compares every
recorded tile with its hash. A store is marked as complete when its bytes are on the disk.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from filelock import FileLock
from numpy.typing import NDArray

from ..core.errors import (
    BadValueError,
    CannotOpenError,
    SlideChangedError,
    StoreWriteError,
)
from ..core.geometry import Frame, Region
from ..core.prediction import Prediction
from ..core.slide import Slide
from ._growing_pyramid import GrowingPyramid
from ._ledger import Entry, Ledger
from ._ngff.chunk_writer import Part
from ._ngff.metadata import class_labels, label_metadata
from ._probability_pyramid import probability_metadata, probability_name, stored_probabilities
from ._slide_watch import SlideWatch
from ._store_folder import (
    attributes_of,
    empty_folder,
    image_levels,
    is_finished,
    list_label,
    lock_folder,
    named_in_errors,
    open_root,
    refuse_other,
    remove_partial,
    stored_frame,
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
        self._watch, self._added = SlideWatch(slide), set[int]()
        self._lock: FileLock | None = None
        try:
            with named_in_errors(self.path):
                self._open(overwrite=overwrite)
        except BaseException:
            self._let_go()
            raise

    def _open(self, *, overwrite: bool) -> None:
        header = self.header
        if self.path is None:
            root = zarr.open_group(zarr.storage.MemoryStore(), mode="w", zarr_format=2)
            self.ledger = Ledger(None)
            self._group = root.create_group("labels").create_group(header.name)
        else:
            root = open_root(self.path)
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
            check_stored(self.ledger, self._pyramids())

    def _folder(self, *names: str) -> Path | None:
        return None if self.path is None else self.path.joinpath(*names)

    def _open_labels(self, root: zarr.Group, path: Path, *, overwrite: bool) -> zarr.Group:
        header, labels = self.header, root.require_group("labels")
        folder = path / "labels" / header.name
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = lock_folder(folder, path)
        if overwrite:
            empty_folder(folder)
        remove_partial(folder)
        group = labels.require_group(header.name)
        refuse_other(path, group, identity=header.identity, probabilities=header.probabilities)
        list_label(labels, header.name)
        self.ledger = Ledger(folder / "ledger.jsonl")
        return group

    def _open_probabilities(self, root: zarr.Group) -> GrowingPyramid:
        header, name = self.header, probability_name(self.header.name)
        group, folder = root.require_group(name), self._folder(name)
        if folder is not None:
            remove_partial(folder)
        shape = (len(header.classes), *header.shape)
        pyramid = GrowingPyramid.open(group, shape, folder)
        if "multiscales" not in group.attrs:
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
        return bool(self._stated["complete"])

    @property
    def _stated(self) -> dict[str, Any]:
        return dict(attributes_of(self._group)["steatosis"])

    def add_all(self, tiles: Sequence[StoredTile]) -> None:
        """Store tiles at every level, then record all of them as done, or as failed.

        Tiles beside each other are cheaper together: a chunk that several touch is written once.

        Raises
        ------
        StoreWriteError
            The disk is full, or the folder was removed or may not be written to any more.
        SlideChangedError
            The slide is no longer the same file: nothing of these tiles is stored.
        """
        self._watch.check()
        done = [tile for tile in tiles if tile.classes is not None]
        with self._writing():
            self.ledger.check_in_place()
            self.pyramid.write([_part(tile, tile.classes) for tile in done])
            if self.probabilities is not None:
                self.probabilities.write([_part(tile, tile.probabilities) for tile in done])
            self.ledger.check_in_place()
            self.ledger.add_all([tile.entry() for tile in tiles])
        self._added.update(tile.index for tile in tiles)

    def finish(self) -> None:
        """Mark the run as finished; with failed tiles it stays open to be resumed.

        The errors are those of `add_all`; where the slide changed, what was added is forgotten.
        """
        try:
            self._watch.check_content()
        except SlideChangedError:
            self.ledger.drop(self._added)
            raise
        with self._writing():
            self.ledger.check_in_place()
            self._flush()
            self.ledger.settle()
            if self.path is not None and hasattr(os, "sync"):
                os.sync()
            self._describe(complete=not self.ledger.failed)

    def _writing(self) -> AbstractContextManager[None]:
        return named_in_errors(self.path, f"{len(self.ledger.entries)} tiles are stored. ")

    def _pyramids(self) -> list[GrowingPyramid]:
        return [one for one in (self.pyramid, self.probabilities) if one is not None]

    def _flush(self) -> None:
        for pyramid in self._pyramids():
            pyramid.flush()

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
            finished=is_finished(self._stated),
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
    """Open a stored prediction; one that is not finished says so (`Prediction.finished`).

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
        there = ", ".join(sorted(one.name for one in Path(path).glob("labels/[!.]*"))) or "none"
        raise CannotOpenError(
            f"{path} holds no result {name!r} of this program ({folder} is missing or foreign); "
            f"labels that are there: {there}. Give the folder of a results store, and such a name."
        ) from error
    levels: list[Any] = [group[dataset["path"]] for dataset in multiscale["datasets"]]
    return Prediction(
        name=name,
        levels=levels,
        classes=tuple(own["classes"]),
        frame=stored_frame(multiscale),
        provenance={**own["provenance"], "content": own["content"]},
        store=str(path),
        slide=slide,
        failed=tuple(own["failed"]),
        probabilities=stored_probabilities(Path(path), name, own),
        finished=is_finished(own),
    )


def _part(tile: StoredTile, pixels: NDArray[np.uint8] | None) -> Part:
    if pixels is None:
        raise BadValueError(
            f"Tile {tile.index} comes without probabilities, which this results store keeps."
        )
    return Part(tile.inner.y, tile.inner.x, pixels)
