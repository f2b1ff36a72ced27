"""OME-Zarr 0.4 and 0.5 in a folder, through zarr."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CannotOpenError
from ..core.geometry import Region
from ..core.slide import Slide, checked_scale, virtual_levels
from ._handles import HANDLES
from ._header import UM_PER_UNIT, folder_fingerprint, not_rgb, read_size, stored_levels

METADATA = ("zarr.json", ".zattrs")
"""Where OME-Zarr 0.5 (zarr v3) and 0.4 (zarr v2) keep the attributes of a group."""

WHITE = 255


@dataclass(frozen=True)
class OmeZarrSource:
    """Pixels of an OME-Zarr image.

    A chunk that is not in the store is an error unless the fill value is white. By the
    letter of zarr it stands for the fill value; but in a stained slide that would be a
    black rectangle, and it is what an interrupted copy looks like.

    Parameters
    ----------
    metadata : str
        Metadata file of the image group.
    datasets : tuple of str
        Paths of the levels inside the group, finest first.
    axes : str
        One letter per axis, ``"cyx"``; axes other than c, y and x have size 1.
    """

    metadata: str
    datasets: tuple[str, ...]
    axes: str

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region inside the stored level."""
        with HANDLES.borrow(self.metadata, _open_handle) as handle:
            array = handle.array(self.datasets[level])
        rows, columns = region.slices
        place = {"y": rows, "x": columns, "c": slice(None)}
        key = tuple(place.get(axis, slice(0, 1)) for axis in self.axes)
        self._check_chunks(level, array, key)
        pixels = np.asarray(array[key])
        single = tuple(i for i, axis in enumerate(self.axes) if axis not in "cyx")
        kept = [axis for axis in self.axes if axis in "cyx"]
        order = [kept.index(axis) for axis in "yxc"]
        return np.ascontiguousarray(pixels.squeeze(single).transpose(order))

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise `KeyError`: OME-Zarr holds no label, macro or thumbnail."""
        raise KeyError(name)

    def _check_chunks(self, level: int, array: Any, key: tuple[slice, ...]) -> None:
        if array.fill_value == WHITE:
            return
        folder = Path(self.metadata).parent / self.datasets[level]
        stored = array.shards or array.chunks
        spans = [
            range((part.start or 0) // side, -(-(part.stop or length) // side))
            for part, side, length in zip(key, stored, array.shape, strict=True)
        ]
        for index in np.ndindex(*(len(span) for span in spans)):
            chunk = tuple(span[i] for span, i in zip(spans, index, strict=True))
            name = array.metadata.encode_chunk_key(chunk)
            if not (folder / name).exists():
                raise FileNotFoundError(f"chunk {name} of level {level} is missing")


class _Arrays:
    def __init__(self, group: Path) -> None:
        self._group = group
        self._opened: dict[str, Any] = {}

    def array(self, name: str) -> Any:
        import zarr

        if name not in self._opened:
            self._opened[name] = zarr.open_array(str(self._group / name), mode="r")
        return self._opened[name]

    def close(self) -> None:
        self._opened.clear()  # zarr opens and closes the file of a chunk with each read


def _open_handle(metadata: str) -> _Arrays:
    return _Arrays(Path(metadata).parent)


def recognises(path: Path) -> bool:
    """Say whether a folder has the metadata file of a zarr group."""
    return any((path / name).is_file() for name in METADATA)


def open_slide(path: Path) -> Slide:
    """Open an OME-Zarr image, or the first image of a bioformats2raw folder.

    Raises
    ------
    CannotOpenError
        For folders that are not an OME-Zarr image, and pixels that are not 8-bit RGB.
    """
    if not path.is_dir():
        raise CannotOpenError("not a folder, as OME-Zarr is")
    if not any(path.iterdir()):
        raise CannotOpenError("an empty folder; copy the OME-Zarr again from its origin")
    if not recognises(path):
        raise CannotOpenError("a folder without zarr.json or .zattrs, so not OME-Zarr")
    group = _image_group(path)
    image = _multiscale(_attributes(group))
    axes = _axes(image)
    try:
        source = OmeZarrSource(
            str(_metadata_file(group)), tuple(item["path"] for item in image["datasets"]), axes
        )
        with HANDLES.borrow(source.metadata, _open_handle) as handle:
            arrays = [handle.array(name) for name in source.datasets]
        stated, where = _stated_scale(image, axes)
    except Exception as error:  # zarr and damaged metadata can raise anything
        raise CannotOpenError(
            f"its arrays or their metadata cannot be read ({type(error).__name__}: {error}); "
            f"it may be damaged or incomplete. Copy it again from its origin"
        ) from error
    for array in arrays:
        _check_rgb(axes, array, _attributes(group))
    scale, scale_source = checked_scale(stated, where)
    y, x = axes.index("y"), axes.index("x")
    levels = stored_levels([(array.shape[y], array.shape[x]) for array in arrays])
    coarsest = source.datasets[len(levels) - 1]
    return Slide(
        path=str(path),
        reader="ome-zarr",
        source=source,
        levels=tuple(virtual_levels(levels)),
        fingerprint=_identity(group, source.datasets, coarsest),
        um_per_px=scale,
        scale_source=scale_source,
        tile_px=read_size((arrays[0].chunks[y], arrays[0].chunks[x])),
        properties={"ome-zarr.name": str(image.get("name", "")), "ome-zarr.axes": axes},
    )


def _metadata_file(group: Path) -> Path:
    for name in METADATA:
        if (group / name).is_file():
            return group / name
    raise CannotOpenError(f"its image {group.name!r} has neither zarr.json nor .zattrs")


def _attributes(group: Path) -> Mapping[str, Any]:
    file = _metadata_file(group)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if file.name == ".zattrs":
            return dict(values)
        if values.get("node_type") == "array":
            raise CannotOpenError("a single zarr array; open the OME-Zarr folder above it")
        return dict(values.get("attributes", {}).get("ome", {}))
    except (ValueError, TypeError, AttributeError) as error:
        raise CannotOpenError(f"its {file.name} is damaged ({error})") from error


def _image_group(path: Path) -> Path:
    attributes = _attributes(path)
    if "multiscales" in attributes or "bioformats2raw.layout" not in attributes:
        return path
    listed: Mapping[str, Any] = {}
    if recognises(path / "OME"):
        listed = _attributes(path / "OME")
    return path / str((listed.get("series") or ["0"])[0])


def _multiscale(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    if "image-label" in attributes:
        raise CannotOpenError("a label image; open the slide that it belongs to")
    if "plate" in attributes or "well" in attributes:
        raise CannotOpenError("a plate or well of several images; open one image inside it")
    try:
        image = dict(attributes["multiscales"][0])
        _ = [item["path"] for item in image["datasets"]], image["axes"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise CannotOpenError(
            "a zarr group without the 'multiscales' of an OME-Zarr 0.4 or 0.5 image"
        ) from error
    return image


def _axes(image: Mapping[str, Any]) -> str:
    names = [str(axis["name"] if isinstance(axis, Mapping) else axis) for axis in image["axes"]]
    axes = "".join(names)
    if len(axes) != len(names) or len(set(axes)) != len(axes) or not {"y", "x"} <= set(axes):
        raise CannotOpenError(f"an OME-Zarr with the axes {', '.join(names)}; y and x are needed")
    return axes


def _check_rgb(axes: str, array: Any, attributes: Mapping[str, Any]) -> None:
    sides = dict(zip(axes, array.shape, strict=True))
    found = f"it holds {array.dtype} pixels"
    deep = ", ".join(
        f"{n} along {axis}" for axis, n in sides.items() if axis not in "cyx" and n > 1
    )
    if deep:
        raise not_rgb(f"{found} in several planes ({deep})")
    channels = sides.get("c", 1)
    if array.dtype != np.uint8 or channels != 3:
        raise not_rgb(f"{found} in {channels} channel{'s' * (channels != 1)}")
    listed = (attributes.get("omero") or {}).get("channels") or []
    colours = [str(item.get("color", "")).upper() for item in listed]
    if len(set(colours)) > 1 and colours != ["FF0000", "00FF00", "0000FF"]:
        raise not_rgb(f"{found} in 3 channels shown as {', '.join(colours)} (fluorescence)")


def _stated_scale(image: Mapping[str, Any], axes: str) -> tuple[tuple[float, float] | None, str]:
    units = {axis["name"]: axis.get("unit") for axis in image["axes"] if isinstance(axis, Mapping)}
    steps = [
        step["scale"]
        for holder in (image["datasets"][0], image)
        for step in holder.get("coordinateTransformations") or []
        if step.get("type") == "scale"
    ]
    y, x = (math.prod(step[axes.index(axis)] for step in steps) for axis in "yx")
    unit_y, unit_x = (UM_PER_UNIT.get(str(units.get(axis))) for axis in "yx")
    if unit_y is None or unit_x is None or not steps:
        unit = f"the unit {units['y']!r}" if units.get("y") else "no unit"
        return None, f"the file states a pixel of {y:.4g} x {x:.4g} with {unit}"
    return (y * unit_y, x * unit_x), "OME-Zarr scale"


def _identity(group: Path, datasets: tuple[str, ...], coarsest: str) -> str:
    names = ("zarr.json", ".zarray", ".zattrs")
    folders = [group, *(group / name for name in datasets)]
    files = [folder / name for folder in folders for name in names]
    metadata = [file.read_bytes() for file in files if file.is_file()]
    return folder_fingerprint(metadata, group / coarsest)
