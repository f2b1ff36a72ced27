"""Amounts of stains that were written as OME-Zarr, opened as they were stored."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.amounts import Amounts, Colour
from ..core.errors import CannotOpenError, UnreadableRegionError
from ..core.geometry import Frame, Region
from ..core.prediction import Array
from ._ngff.chunk_files import check_chunk_files
from ._ngff.missing_chunks import check_not_missing
from ._ngff.read import (
    attributes_of,
    check_array,
    damage_reported,
    fitting_levels,
    inside,
    metadata_file,
    multiscale_of,
    recognises,
)

AXES = "cyx"


@dataclass(frozen=True)
class StoredAmounts:
    """A level ``(stain, y, x)`` of stored amounts; values are read when they are asked for.

    Parameters
    ----------
    array : zarr.Array
        Of three axes. A chunk that is missing is an error: no stain would be read.
    folder : str
        Of the array.
    """

    array: Any
    folder: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of stains, height and width, px."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the values."""
        stored: np.dtype[Any] = np.dtype(self.array.dtype)
        return stored

    @property
    def chunks(self) -> tuple[int, ...]:
        """Sides of what is decoded at once."""
        return tuple(self.array.chunks)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return a part: integers and slices, as of a numpy array.

        Raises
        ------
        UnreadableRegionError
            Where it cannot be decoded, or is not there.
        """
        keys = key if isinstance(key, tuple) else (key,)
        keys += (slice(None),) * (3 - len(keys))
        if len(keys) > 3 or not all(isinstance(k, int | np.integer | slice) for k in keys):
            raise IndexError(f"amounts are read by integers and slices of c, y, x, not {key!r}")
        spans, local = [], []
        for wanted, length in zip(keys, self.shape, strict=True):
            index = np.arange(length)[wanted]
            if np.size(index) == 0:
                return np.empty(self.shape, self.dtype)[keys]
            first = int(np.min(index))
            spans.append(slice(first, int(np.max(index)) + 1))
            local.append(index - first)
        try:
            check_chunk_files(self.folder, self.array, tuple(spans))
            found = np.asarray(self.array[tuple(spans)])
            check_not_missing(self.array, found, tuple(spans))
        except MemoryError:
            raise
        except Exception as error:  # decoders raise anything; here it becomes one kind
            raise UnreadableRegionError(
                f"{self.folder}: the amounts cannot be read there ({type(error).__name__}: "
                f"{error}). They may be damaged; write them again from the slide."
            ) from error
        for axis in (2, 1, 0):
            found = found.take(local[axis], axis=axis)
        return found


def open_amounts(path: str | os.PathLike[str]) -> Amounts:
    """Open the amounts of stains that `write` stored as OME-Zarr; no value is read.

    Parameters
    ----------
    path : path
        What *Save H and E…*, ``normalise --amounts`` or `write` made.

    Returns
    -------
    Amounts
        With names, colours, frame and provenance as they were written, and its stored levels.

    Raises
    ------
    CannotOpenError
        For anything else, and where the metadata is damaged.

    Examples
    --------
    >>> import tempfile
    >>> import napari_steatosis as st
    >>> from napari_steatosis.pipelines.stain_amounts import amounts_of, separation_of
    >>> slide, folder = st.drawn_liver(300, 200, seed=1), tempfile.mkdtemp()
    >>> made = amounts_of(slide, separation_of(st.fit_stain(slide)))
    >>> _ = st.write(made, f"{folder}/he.ome.zarr")
    >>> again = st.open_amounts(f"{folder}/he.ome.zarr")
    >>> again.stains, again.shape, again.levels[0].shape
    (('haematoxylin', 'eosin'), (300, 200), (2, 300, 200))
    """
    place = Path(path)
    if not place.exists():
        raise CannotOpenError(f"{path}: there is no such file or folder.")
    try:
        stated = stated_amounts(place)
        if stated is None:
            raise CannotOpenError(
                "no amounts of stains that this program wrote; a slide is opened by open_slide"
            )
        with damage_reported():
            return _amounts(place, stated)
    except CannotOpenError as error:
        raise CannotOpenError(f"{path} cannot be opened as amounts of stains: {error}.") from error


def stated_amounts(group: Path) -> dict[str, Any] | None:
    """Return what a zarr group says of the amounts of stains in it; None where it holds none."""
    if not recognises(group):
        return None
    try:
        stored = json.loads(metadata_file(group).read_text(encoding="utf-8"))
        own = (stored.get("attributes") or stored).get("steatosis")
        stated = own.get("amounts") if isinstance(own, Mapping) else None
    except (ValueError, AttributeError, RecursionError):
        return None  # damaged, which is found where it is opened
    return dict(stated) if isinstance(stated, Mapping) else None


def _amounts(place: Path, stated: dict[str, Any]) -> Amounts:
    attributes = attributes_of(place)
    image = multiscale_of(attributes)
    if image.axes != AXES:
        raise CannotOpenError(f"its axes are {image.axes!r}, where {AXES!r} was written")
    arrays = [_array(place, dataset.path) for dataset in image.datasets]
    used, _, _ = fitting_levels(image, [(a.shape[1], a.shape[2]) for a in arrays])
    levels: tuple[Array, ...] = tuple(arrays[number] for number in used)
    channels = attributes["omero"]["channels"]
    if len(channels) != levels[0].shape[0]:
        raise CannotOpenError(
            f"it names {len(channels)} stains, and its pixels have {levels[0].shape[0]} channels"
        )
    finest = image.datasets[used[0]]
    um_per_px, origin_um = image.to_um(finest.scale), image.to_um(finest.translation)

    def read(region: Region) -> NDArray[np.float32]:
        values = levels[0][(slice(None), *region.slices)]
        return np.ascontiguousarray(np.moveaxis(values, 0, -1))

    return Amounts(
        name=image.name,
        stains=tuple(str(channel["label"]) for channel in channels),
        colours=tuple(_colour(channel["color"]) for channel in channels),
        shape=(int(levels[0].shape[1]), int(levels[0].shape[2])),
        frame=None if um_per_px is None else Frame(um_per_px, origin_um or (0.0, 0.0)),
        read=read,
        provenance=stated,
        levels=levels,
    )


def _array(group: Path, name: str) -> StoredAmounts:
    import zarr

    folder = str(inside(group, name))
    array = zarr.open_array(folder, mode="r")
    check_array(array, AXES)
    if array.dtype.kind != "f":
        raise CannotOpenError(f"it holds {array.dtype} pixels, where amounts are float32")
    return StoredAmounts(array, folder)


def _colour(hexadecimal: str) -> Colour:
    red, green, blue = bytes.fromhex(hexadecimal)
    return red, green, blue
