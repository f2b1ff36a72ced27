"""Label images of an OME-Zarr, whoever wrote them: nuclei, tissue, another segmentation."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import CannotOpenError, UnreadableRegionError
from ..core.geometry import Frame
from ..core.label_image import LabelImage, Rgba
from ..core.prediction import Array
from ._ngff.chunk_files import check_chunk_files
from ._ngff.read import (
    Multiscale,
    attributes_of,
    check_array,
    damage_reported,
    fitting_levels,
    image_group,
    inside,
    multiscale_of,
    recognises,
)

SPREAD = {"y": slice(None), "x": slice(None)}


@dataclass(frozen=True)
class PlaneView:
    """The (y, x) plane of a zarr array of any axes; a pixel is read when it is asked for.

    Parameters
    ----------
    array : zarr.Array
        Axes other than y and x have size 1. Booleans are given as uint8.
    axes : str
        One letter per axis, ``"zyx"``.
    folder : str, optional
        Of the array; its chunks are looked at before they are decoded.

    Examples
    --------
    >>> plane = PlaneView(np.arange(6).reshape(3, 1, 2), "xzy")
    >>> plane.shape, plane[1, :].tolist(), plane[..., 2].tolist()
    ((2, 3), [1, 3, 5], [4, 5])
    """

    array: Any
    axes: str
    folder: str | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.array.shape[self.axes.index("y")], self.array.shape[self.axes.index("x")]

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]

    @property
    def ndim(self) -> int:
        """Always 2."""
        return 2

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the pixels that are given."""
        stored = np.dtype(self.array.dtype)
        return np.dtype(np.uint8) if stored.kind == "b" else stored

    @property
    def chunks(self) -> tuple[int, int]:
        """Height and width of what is decoded at once, px."""
        sides = self.array.chunks
        return sides[self.axes.index("y")], sides[self.axes.index("x")]

    def __getitem__(self, key: Any) -> Any:
        """Return a part: integers, slices and ``...`` for y and x, as of a numpy array."""
        keys = key if isinstance(key, tuple) else (key,)
        if at := [i for i, k in enumerate(keys) if k is Ellipsis]:
            keys = (*keys[: at[0]], *[slice(None)] * (3 - len(keys)), *keys[at[0] + 1 :])
        if len(keys) > 2 or not all(isinstance(k, int | np.integer | slice) for k in keys):
            raise IndexError(f"a label image is read by integers and slices of y, x, not {key!r}")
        wanted = {**SPREAD, **dict(zip("yx", keys, strict=False))}
        place = tuple(wanted.get(axis, 0) for axis in self.axes)
        try:
            if self.folder is not None:
                check_chunk_files(self.folder, self.array, _touched(place, self.array.shape))
            found = np.asarray(self.array[place])
        except (MemoryError, IndexError):
            raise
        except Exception as error:  # decoders raise anything; here it becomes one kind
            raise UnreadableRegionError(
                f"{self.folder}: the labels cannot be read there ({type(error).__name__}: "
                f"{error}). They may be damaged; copy them again from their origin."
            ) from error
        if found.ndim == 2 and self.axes.index("x") < self.axes.index("y"):
            found = found.T
        return found.astype(self.dtype, copy=False)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Return the whole plane."""
        return np.asarray(self[:], dtype)


def _touched(place: tuple[Any, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the stretch of each axis that a key reads, as slices with start and stop."""
    touched = []
    for part, length in zip(place, shape, strict=True):
        wanted = range(length)[part if isinstance(part, slice) else slice(part, part + 1 or None)]
        ends = (wanted[0], wanted[-1]) if wanted else (0, -1)
        touched.append(slice(min(ends), max(ends) + 1))
    return tuple(touched)


def open_labels(path: str | os.PathLike[str]) -> tuple[LabelImage, ...]:
    """Open the label images of an OME-Zarr; no pixel is read.

    Parameters
    ----------
    path : path
        An OME-Zarr image (0.3 to 0.6) or bioformats2raw folder with ``labels/`` inside, a
        folder that holds ``labels/`` only, that ``labels`` folder, or one label image in it.

    Returns
    -------
    tuple of LabelImage
        Those that the metadata lists, in its order, then others found in ``labels/`` by
        name; empty for an image without labels. Levels are lazy. The frame is None where
        the file states no unit of length. Chunks that are not stored are background.

    Raises
    ------
    CannotOpenError
        A listed label image is missing or outside the folder, is not of whole numbers in
        one plane, or its metadata is damaged.

    Examples
    --------
    >>> import numpy as np, zarr
    >>> group = zarr.open_group("slide.zarr/labels/nuclei", mode="w", zarr_format=2)
    >>> group.create_array("0", shape=(4, 4), dtype="uint8")[:] = np.eye(4)
    >>> group.attrs["multiscales"] = [{"axes": ["y", "x"], "datasets": [{"path": "0"}]}]
    >>> (nuclei,) = open_labels("slide.zarr")
    >>> nuclei.name, nuclei.shape, int(nuclei.levels[0][2, 2])
    ('nuclei', (4, 4), 1)
    """
    place = Path(path)
    if not place.exists():
        raise CannotOpenError(f"{path}: there is no such file or folder.")
    try:
        with damage_reported():
            return tuple(_named(name, group, image) for name, group, image in _groups(place))
    except CannotOpenError as error:
        raise CannotOpenError(f"{path} cannot be opened as labels: {error}.") from error


def _groups(place: Path) -> list[tuple[str, Path, Path | None]]:
    """Return name and folder of each label image, and the folder of the image under it."""
    if not place.is_dir():
        raise CannotOpenError("not a folder, as OME-Zarr is")
    attributes = attributes_of(place) if recognises(place) else {}
    own = place.resolve()
    if "image-label" in attributes or ("multiscales" in attributes and own.parent.name == "labels"):
        return [(own.name, place, _image_under(own.parent))]
    folder = inside(image_group(place) if attributes else place, "labels")
    if "labels" in attributes and not folder.is_dir():
        folder = place
    if folder.is_dir():
        image = _image_under(folder)
        return [(name, group, image) for name, group in _inside_labels(folder)]
    if "multiscales" in attributes or "bioformats2raw.layout" in attributes:
        return []
    raise CannotOpenError("neither an OME-Zarr image nor a folder of labels")


def _image_under(labels: Path) -> Path | None:
    image = labels.resolve().parent
    has_image = labels.resolve().name == "labels" and recognises(image)
    return image if has_image and "multiscales" in attributes_of(image) else None


def _inside_labels(folder: Path) -> list[tuple[str, Path]]:
    listed = attributes_of(folder).get("labels") if recognises(folder) else None
    if listed is not None and not isinstance(listed, list):
        raise CannotOpenError(f"the list of its labels is {str(listed)[:80]!r}")
    named = {name: inside(folder, name) for name in listed or []}
    missing = [name for name, group in named.items() if not recognises(group)]
    if missing:
        raise CannotOpenError(
            f"its labels {', '.join(missing)[:200]} are listed but not there. Copy it again "
            f"from its origin, or take them off the list in {folder.name}"
        )
    for child in sorted(folder.iterdir()):
        begun = child.name.startswith(".")
        if not begun and child.name not in named and child.is_dir() and recognises(child):
            group = inside(folder, child.name)
            if "multiscales" in attributes_of(group):
                named[child.name] = group
    return list(named.items())


def _named(name: str, group: Path, image: Path | None) -> LabelImage:
    try:
        with damage_reported():
            return _label_image(name, group, image)
    except CannotOpenError as error:
        raise CannotOpenError(f"label image {name!r}: {error}") from error


def _label_image(name: str, group: Path, image: Path | None) -> LabelImage:
    attributes = attributes_of(group)
    stated = multiscale_of(attributes)
    arrays = [_plane(group, dataset.path, stated.axes) for dataset in stated.datasets]
    used, _, _ = fitting_levels(stated, [array.shape for array in arrays])
    finest = stated.datasets[used[0]]
    um_per_px = stated.to_um(finest.scale)
    frame = None
    if um_per_px is not None:
        frame = Frame(um_per_px, stated.to_um(finest.translation) or (0.0, 0.0))
    elif image is not None:
        _check_same_grid(arrays[used[0]].shape, image)
    about = attributes.get("image-label") or {}
    levels: list[Array] = [arrays[number] for number in used]
    return LabelImage(name, levels, frame, _colours(about), _properties(about))


def _plane(group: Path, name: str, axes: str) -> PlaneView:
    import zarr

    folder = str(inside(group, name))
    array = zarr.open_array(folder, mode="r")
    check_array(array, axes)
    if array.dtype.kind not in "iub":
        raise CannotOpenError(
            f"it holds {array.dtype} pixels, where labels are whole numbers. Probabilities "
            f"are no labels: threshold them in the program that wrote them"
        )
    deep = [
        f"{n} along {a}" for a, n in zip(axes, array.shape, strict=True) if a not in "yx" and n > 1
    ]
    if deep:
        raise CannotOpenError(f"it has several planes ({', '.join(deep)}); one is needed")
    return PlaneView(array, axes, folder)


def _check_same_grid(shape: tuple[int, int], image: Path) -> None:
    """Without a unit, labels lie on the image only where they have its pixels."""
    import zarr

    stated: Multiscale = multiscale_of(attributes_of(image))
    array = zarr.open_array(str(inside(image, stated.datasets[0].path)), mode="r")
    under = array.shape[stated.side("y")], array.shape[stated.side("x")]
    if shape != under:
        raise CannotOpenError(
            f"it has {shape[0]} x {shape[1]} px and states no size of a pixel in a unit of "
            f"length, and its image has {under[0]} x {under[1]} px; where it lies is unknown. "
            f"State scale and unit in its metadata"
        )


def _colours(about: Mapping[str, Any]) -> dict[int, Rgba]:
    colours: dict[int, Rgba] = {}
    for item in about.get("colors") or []:
        rgba = item.get("rgba")
        if rgba is None:
            continue
        red, green, blue, opacity = (_whole(part) for part in rgba)
        if not all(0 <= part <= 255 for part in (red, green, blue, opacity)):
            raise CannotOpenError(f"its colour {rgba} is not of 0 to 255")
        colours[_whole(item["label-value"])] = red, green, blue, opacity
    return colours


def _properties(about: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    return {
        _whole(item["label-value"]): {k: v for k, v in item.items() if k != "label-value"}
        for item in about.get("properties") or []
    }


def _whole(value: Any) -> int:
    if isinstance(value, bool) or value != int(value):
        raise CannotOpenError(
            f"its image-label has {str(value)[:80]!r} where a whole number is due"
        )
    return int(value)
