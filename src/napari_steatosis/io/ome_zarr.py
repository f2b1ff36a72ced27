"""OME-Zarr 0.4 and 0.5, and 0.6 as far as it is the same, in a folder, through zarr."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import CannotOpenError
from ..core.geometry import Region
from ..core.slide import Slide, checked_scale, virtual_levels
from ._handles import HANDLES
from ._header import UM_PER_UNIT, folder_fingerprint, not_rgb, read_size
from ._ngff.chunk_files import check_chunk_files
from ._ngff.chunk_reader import ChunkReader, Part, chunk_reader
from ._ngff.missing_chunks import check_not_missing
from ._ngff.read import (
    Multiscale,
    Pair,
    attributes_of,
    check_array,
    damage_reported,
    fitting_levels,
    image_group,
    inside,
    metadata_file,
    multiscale_of,
    recognises,
)
from .amounts import stated_amounts


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
            folder, array, reader = handle.array(self.datasets[level])
        rows, columns = region.slices
        place = {"y": rows, "x": columns, "c": slice(0, 3)}
        key = tuple(place.get(axis, slice(0, 1)) for axis in self.axes)
        if reader is not None:
            return self._rgb(reader.read(key), region)
        check_chunk_files(folder, array, key)
        pixels = np.asarray(array[key])
        check_not_missing(array, pixels, key)
        whole = tuple(slice(0, side) for side in pixels.shape)
        return self._rgb([(whole, pixels)], region)

    def _rgb(self, parts: Iterable[Part], region: Region) -> NDArray[np.uint8]:
        """Put parts, in the axes of the file, together as rows, columns and channels."""
        out = np.empty((region.height, region.width, 3), np.uint8)
        single = tuple(i for i, axis in enumerate(self.axes) if axis not in "cyx")
        kept = [axis for axis in self.axes if axis in "cyx"]
        order = [kept.index(axis) for axis in "yxc"]
        for place, pixels in parts:
            rows, columns, channels = (place[self.axes.index(axis)] for axis in "yxc")
            moved = pixels.squeeze(single).transpose(order)
            for channel in range(channels.start, channels.stop):
                # one by one: four times as fast as one copy, whose inner loop is 3 long
                out[rows, columns, channel] = moved[..., channel - channels.start]
        return out

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise `KeyError`: OME-Zarr holds no label, macro or thumbnail."""
        raise KeyError(name)


class _Arrays:
    def __init__(self, group: Path) -> None:
        self._group = group
        self._opened: dict[str, tuple[str, Any, ChunkReader | None]] = {}

    def array(self, name: str) -> tuple[str, Any, ChunkReader | None]:
        """Return the folder of an array, the array, and what reads its chunks without zarr."""
        import zarr

        if name not in self._opened:
            folder = str(self._group / name)
            array = zarr.open_array(folder, mode="r")
            self._opened[name] = folder, array, chunk_reader(folder, array)
        return self._opened[name]

    def close(self) -> None:
        self._opened.clear()  # zarr opens and closes the file of a chunk with each read


def _open_handle(metadata: str) -> _Arrays:
    return _Arrays(Path(metadata).parent)


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
    with damage_reported():
        return _slide(path, image_group(path))


def _slide(path: Path, group: Path) -> Slide:
    if stated_amounts(group) is not None:
        raise CannotOpenError(
            "amounts of stains, not a picture; open them by open_amounts, or in napari by "
            "File > Open File(s)… with the reader napari-steatosis"
        )
    attributes = attributes_of(group)
    _check_kind(attributes)
    image = multiscale_of(attributes)
    arrays = _open_arrays(group, image)
    for array in arrays:
        check_array(array, image.axes)
        _check_rgb(image.axes, array, attributes)
    y, x = image.side("y"), image.side("x")
    used, levels, left_out = fitting_levels(image, [(a.shape[y], a.shape[x]) for a in arrays])
    finest, stated = arrays[used[0]], image.datasets[used[0]]
    datasets = tuple(image.datasets[number].path for number in used)
    scale, scale_source = checked_scale(*_stated_scale(image, stated.scale))
    properties = {"ome-zarr.name": image.name, "ome-zarr.axes": image.axes}
    if left_out:
        properties["ome-zarr.left-out"] = "; ".join(left_out)
    return Slide(
        path=str(path),
        reader="ome-zarr",
        source=OmeZarrSource(str(metadata_file(group)), datasets, image.axes),
        levels=tuple(virtual_levels(levels)),
        fingerprint=_identity(group, [item.path for item in image.datasets], datasets[-1]),
        um_per_px=scale,
        scale_source=scale_source,
        tile_px=read_size((finest.chunks[y], finest.chunks[x])),
        properties=properties,
        origin_um=(scale and image.to_um(stated.translation)) or (0.0, 0.0),
        compression=_compression(finest),
    )


def _open_arrays(group: Path, image: Multiscale) -> list[Any]:
    for dataset in image.datasets:
        inside(group, dataset.path)
    with HANDLES.borrow(str(metadata_file(group)), _open_handle) as handle:
        return [handle.array(dataset.path)[1] for dataset in image.datasets]


def _check_kind(attributes: Mapping[str, Any]) -> None:
    if "image-label" in attributes:
        raise CannotOpenError("a label image; open the slide that it belongs to")
    if "plate" in attributes or "well" in attributes:
        raise CannotOpenError("a plate or well of several images; open one image inside it")


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


def _stated_scale(image: Multiscale, scale: Pair | None) -> tuple[Pair | None, str]:
    if scale is None:
        return None, "the file states no pixel size"
    um_per_px = image.to_um(scale)
    if um_per_px is None:
        unknown = next(unit for unit in image.units if unit not in UM_PER_UNIT)
        unit = f"the unit {unknown!r}" if unknown else "no unit"
        return None, f"the file states a pixel of {scale[0]:.4g} x {scale[1]:.4g} with {unit}"
    return um_per_px, "OME-Zarr scale"


def _compression(array: Any) -> str:
    """Name the codec of an array of either zarr format: ``"blosc lz4, sharded"``."""
    names = []
    for codec in array.compressors:
        stated = codec.to_dict() if hasattr(codec, "to_dict") else codec.get_config()
        name = str(stated.get("name") or stated.get("id")).removeprefix("numcodecs.")
        settings = stated.get("configuration") or stated
        if name != "crc32c":
            names.append(f"{name} {settings.get('cname', '')}".strip())
    return (" + ".join(names) or "none") + ", sharded" * (array.shards is not None)


def _identity(group: Path, datasets: list[str], coarsest: str) -> str:
    names = ("zarr.json", ".zarray", ".zattrs")
    folders = [group, *(group / name for name in datasets)]
    files = [folder / name for folder in folders for name in names]
    metadata = [file.read_bytes() for file in files if file.is_file()]
    return folder_fingerprint(metadata, group / coarsest)
