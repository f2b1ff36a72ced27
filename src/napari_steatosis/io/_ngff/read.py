"""The metadata of an OME-Zarr group: axes, levels and where they lie, whatever its version."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.errors import CannotOpenError
from .._header import UM_PER_UNIT, stored_levels

MOST_METADATA_BYTES = 256 * 2**20
METADATA = ("zarr.json", ".zattrs")
"""Where OME-Zarr from 0.5 on (zarr v3) and to 0.4 (zarr v2) keep the attributes of a group."""

MOST_PX = 4_000_000
"""No slide has a longer side: 1 m at 0.25 um per pixel."""

MOST_CHUNK_BYTES = 2**30
"""A chunk is decoded whole for every pixel of it; larger ones would fill the memory."""

Pair = tuple[float, float]


@dataclass(frozen=True)
class Dataset:
    """One level as the metadata states it.

    Parameters
    ----------
    path : str
        Of the array inside the group.
    scale : (float, float), optional
        Height and width of a pixel, in the units of the axes; None where none is stated.
    translation : (float, float), optional
        Centre of pixel (0, 0), y and x, in the same units; None where none is stated.
    """

    path: str
    scale: Pair | None
    translation: Pair | None


@dataclass(frozen=True)
class Multiscale:
    """One image of a group.

    Parameters
    ----------
    name : str
        As it names itself.
    axes : str
        One letter per axis of the arrays, ``"tczyx"``.
    units : (str, str)
        Of y and x; ``""`` where none is stated.
    datasets : tuple of Dataset
        The levels, as listed.
    """

    name: str
    axes: str
    units: tuple[str, str]
    datasets: tuple[Dataset, ...]

    def side(self, axis: str) -> int:
        """Return the place of an axis among those of the arrays."""
        return self.axes.index(axis)

    def to_um(self, values: Pair | None) -> Pair | None:
        """Convert y and x from the units of the axes to um; None where a unit is unknown."""
        per_y, per_x = (UM_PER_UNIT.get(unit) for unit in self.units)
        if values is None or per_y is None or per_x is None:
            return None
        return values[0] * per_y, values[1] * per_x


@contextmanager
def damage_reported() -> Iterator[None]:
    """Turn whatever zarr and damaged metadata raise into `CannotOpenError`."""
    try:
        yield
    except CannotOpenError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}"[:300]
        raise CannotOpenError(
            f"its arrays or their metadata cannot be read ({said}); "
            f"it may be damaged or incomplete. Copy it again from its origin"
        ) from error


def recognises(path: Path) -> bool:
    """Say whether a folder has the metadata file of a zarr group."""
    return any((path / name).is_file() for name in METADATA)


def inside(root: Path, name: Any) -> Path:
    """Return the folder `name` in `root`; refuse one that lies elsewhere, also by a link."""
    if not isinstance(name, str):
        raise CannotOpenError(f"its metadata has {str(name)[:80]!r} where a path is expected")
    place = root / name
    _check_files(place)
    _check_chunk_sizes(place)
    if not place.resolve().is_relative_to(root.resolve()):
        raise CannotOpenError(
            f"its metadata leads to {name!r}, which lies outside the OME-Zarr. "
            f"Put the data inside the folder, as the format wants it"
        )
    return place


def _check_files(folder: Path) -> None:
    """Refuse metadata that is no file, or too long to be read: zarr would read it to its end."""
    for name in (*METADATA, ".zarray", ".zgroup"):
        try:
            found = (folder / name).stat()
        except OSError:
            continue
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_METADATA_BYTES:
            raise CannotOpenError(
                f"its {folder.name}/{name} is no file of metadata (at most "
                f"{MOST_METADATA_BYTES >> 20} MiB). Copy the OME-Zarr again from its origin"
            )


def _check_chunk_sizes(folder: Path) -> None:
    """Refuse chunks of impossible sizes: newer zarr guesses other sizes, and so other pixels."""
    for name in ("zarr.json", ".zarray"):
        try:
            stored = json.loads((folder / name).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue  # not there, or damaged, which is found where it is needed
        for sizes in _chunk_sizes(stored) if isinstance(stored, dict) else ():
            if not isinstance(sizes, list) or not all(type(n) is int and n > 0 for n in sizes):
                said = " x ".join(map(str, sizes)) if isinstance(sizes, list) else str(sizes)
                raise CannotOpenError(
                    f"its {folder.name}/{name} states chunks of {said[:80]} px, which cannot be: "
                    f"it is damaged. Copy the OME-Zarr again from its origin"
                )


def _chunk_sizes(stored: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the chunk shapes that the document of an array of either zarr format states."""
    if "chunks" in stored:
        yield stored["chunks"]
    grids = [stored.get("chunk_grid")]
    if isinstance(codecs := stored.get("codecs"), list):
        grids += [one for one in codecs if isinstance(one, dict) and _is_sharding(one)]
    for grid in grids:
        configuration = grid.get("configuration") if isinstance(grid, dict) else None
        if isinstance(configuration, dict):
            yield configuration.get("chunk_shape")


def _is_sharding(codec: Mapping[str, Any]) -> bool:
    return codec.get("name") == "sharding_indexed"


def metadata_file(group: Path) -> Path:
    """Return the file that holds the attributes of a group."""
    for name in METADATA:
        if (group / name).is_file():
            return group / name
    raise CannotOpenError(f"its image {group.name!r} has neither zarr.json nor .zattrs")


def attributes_of(group: Path) -> Mapping[str, Any]:
    """Return the OME attributes of a group, of either zarr format."""
    file = metadata_file(group)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if file.name == ".zattrs":
            return dict(values)
        if values.get("node_type") == "array":
            raise CannotOpenError("a single zarr array; open the OME-Zarr folder above it")
        return dict(values.get("attributes", {}).get("ome", {}))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CannotOpenError(f"its {file.name} is damaged ({error})") from error


def image_group(path: Path) -> Path:
    """Return the group of an image: the folder itself, or the first of a bioformats2raw one."""
    attributes = attributes_of(path)
    if "multiscales" in attributes or "bioformats2raw.layout" not in attributes:
        return path
    listed: Mapping[str, Any] = {}
    if recognises(path / "OME"):
        listed = attributes_of(path / "OME")
    return inside(path, (listed.get("series") or ["0"])[0])


def multiscale_of(attributes: Mapping[str, Any]) -> Multiscale:
    """Read the first image of a group, of OME-Zarr 0.3 to 0.6."""
    try:
        image = dict(attributes["multiscales"][0])
        listed = [dict(item) for item in image["datasets"]]
        stated = _stated_axes(image, listed)
        paths = [item["path"] for item in listed]
        _ = paths[0]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise CannotOpenError(
            "a zarr group without the 'multiscales' of an OME-Zarr 0.4, 0.5 or 0.6 image"
        ) from error
    axes = _letters(stated)
    # A step with an output of its own leads on to another coordinate system (0.6).
    shared = [s for s in image.get("coordinateTransformations") or [] if "output" not in s]
    datasets = tuple(
        _placed(path, [*(item.get("coordinateTransformations") or []), *shared], axes)
        for path, item in zip(paths, listed, strict=True)
    )
    unit = [axis.get("unit") if isinstance(axis, Mapping) else None for axis in stated]
    units = str(unit[axes.index("y")] or ""), str(unit[axes.index("x")] or "")
    return Multiscale(str(image.get("name", "")), axes, units, datasets)


def _stated_axes(image: Mapping[str, Any], datasets: Sequence[Mapping[str, Any]]) -> list[Any]:
    if "axes" in image:
        return list(image["axes"])
    systems = image["coordinateSystems"]
    step = (datasets[0].get("coordinateTransformations") or [{}])[0]
    output = step.get("output")
    name = output.get("name") if isinstance(output, Mapping) else output
    named = [system for system in systems if system.get("name") == name]
    return list((named or systems)[-1]["axes"])


def _letters(stated: Sequence[Any]) -> str:
    names, letters = [], []
    for axis in stated:
        known = axis if isinstance(axis, Mapping) else {"name": axis}
        names.append(str(known.get("name")))
        letters.append({"channel": "c", "time": "t"}.get(str(known.get("type")), names[-1]))
    axes = "".join(letters)
    if len(axes) != len(letters) or len(set(axes)) != len(axes) or not {"y", "x"} <= set(axes):
        found = ", ".join(names)[:80]
        raise CannotOpenError(f"an OME-Zarr with the axes {found}; y and x are needed")
    return axes


def _placed(path: str, steps: Sequence[Any], axes: str) -> Dataset:
    """Compose the steps in their order: each acts on what those before it give."""
    scale: Pair | None = None
    translation: Pair | None = None
    for kind, values in _flat(steps):
        if len(values) != len(axes):
            raise CannotOpenError(
                f"its level {path!r} has a {kind} of {len(values)} numbers for {len(axes)} axes"
            )
        y, x = (float(values[axes.index(axis)]) for axis in "yx")
        if not (math.isfinite(y) and math.isfinite(x) and (kind != "scale" or min(y, x) > 0)):
            raise CannotOpenError(f"its level {path!r} has the {kind} {y:g}, {x:g}")
        if kind == "scale":
            scale = y * (scale or (1, 1))[0], x * (scale or (1, 1))[1]
            translation = translation and (translation[0] * y, translation[1] * x)
        else:
            translation = (translation or (0, 0))[0] + y, (translation or (0, 0))[1] + x
    return Dataset(path, scale, translation)


def _flat(steps: Sequence[Any]) -> Iterator[tuple[str, Sequence[Any]]]:
    for step in steps:
        kind = step.get("type")
        if kind == "sequence":
            yield from _flat(step["transformations"])
        elif kind in ("scale", "translation") and kind in step:
            yield kind, step[kind]
        elif kind != "identity":
            raise CannotOpenError(
                f"its pixels are placed by a transformation of type {str(kind)[:40]!r}, where "
                f"only scale and translation in numbers are read. Resample the image in the "
                f"program that wrote it"
            )


def fitting_levels(
    image: Multiscale, sizes: Sequence[tuple[int, int]]
) -> tuple[list[int], list[tuple[int, int, float]], list[str]]:
    """Choose the levels that form a pyramid over the same tissue.

    A coarse pixel is taken for the mean of the fine ones that it covers, whose centre lies
    (factor - 1) / 2 fine pixels further. A level that states another place is kept while it
    is off by at most half a pixel of its own: many programs state no place, or level 0's.

    Parameters
    ----------
    image : Multiscale
        What the file states.
    sizes : sequence of (int, int)
        Height and width of each dataset's array, px.

    Returns
    -------
    list of int
        Which datasets are used, finest first.
    list of (height, width, downsample)
        Of those.
    list of str
        One line for each of the others: its path, and why it is left out.
    """
    finest, *coarser = sorted(range(len(sizes)), key=lambda i: -sizes[i][0] * sizes[i][1])
    used, left_out = [finest], []
    levels = stored_levels([sizes[finest]])
    for number in coarser:
        dataset = image.datasets[number]
        pair = stored_levels([sizes[finest], sizes[number]])
        if len(pair) < 2 or math.prod(sizes[number]) >= levels[-1][0] * levels[-1][1]:
            left_out.append(f"{dataset.path}: its shape is not that of a coarser level")
            continue
        height, width, factor = pair[1]
        stated = _stated_factors(image.datasets[finest], dataset)
        reason = _misfit(sizes[finest], pair[1], stated)
        reason = reason or _misplaced(image.datasets[finest], dataset, stated or (factor, factor))
        if reason:
            left_out.append(f"{dataset.path}: {reason}")
            continue
        mean = sum(stated) / 2 if stated else factor
        differs = abs(mean / factor - 1) * max(height, width) > 0.5
        used.append(number)
        levels.append((height, width, mean if differs else factor))
    return used, levels, left_out


def _stated_factors(finest: Dataset, level: Dataset) -> Pair | None:
    if not finest.scale or not level.scale:
        return None
    return level.scale[0] / finest.scale[0], level.scale[1] / finest.scale[1]


def _misfit(size: tuple[int, int], shape: tuple[int, int, float], stated: Pair | None) -> str:
    for fine, coarse, factor in zip(size, shape, stated or (), strict=False):
        if abs(fine / factor - coarse) > max(2.0, 0.02 * coarse):
            own = f"{fine / coarse:.4g} times as large"
            return f"it states pixels {factor:.4g} times as large, and has the shape of {own}"
    return ""


def _misplaced(finest: Dataset, level: Dataset, factors: Pair) -> str:
    if level.translation is None:
        return ""
    for axis, factor in enumerate(factors):
        start = (finest.translation or (0.0, 0.0))[axis]
        fine_px = (level.translation[axis] - start) / (finest.scale or (1.0, 1.0))[axis]
        off = abs(fine_px - (factor - 1) / 2)
        if off > factor / 2 * (1 + 1e-6):
            return f"it states a place that is {off:.4g} px of level 0 off"
    return ""


def check_array(array: Any, axes: str) -> None:
    """Refuse an array that no image can be, before anything is allocated for it."""
    if array.ndim != len(axes):
        raise CannotOpenError(f"an array of {array.ndim} dimensions with the axes {axes!r}")
    if not all(0 < side <= MOST_PX for side in array.shape) or min(array.chunks) < 1:
        shape, chunks = (" x ".join(map(str, sides)) for sides in (array.shape, array.chunks))
        raise CannotOpenError(
            f"its metadata states an array of {shape} px in chunks of {chunks}, which no image has"
        )
    chunk = math.prod(array.chunks) * array.dtype.itemsize
    if chunk > MOST_CHUNK_BYTES:
        raise CannotOpenError(
            f"one chunk of it takes {chunk / 2**30:.1f} GiB of memory. Write it again in "
            f"chunks of about 512 x 512 px"
        )
