"""A slide, a class map or labels as OME-Zarr 0.4 or 0.5, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..core.amounts import Amounts
from ..core.errors import BadValueError, CannotOpenError, SteatosisError
from ..core.geometry import Region
from ..core.grid import Grid
from ..core.label_image import LabelImage
from ..core.mask import Mask
from ..core.prediction import Prediction
from ..core.replacing import replacing
from ..core.slide import Slide
from ._finest import Finest, label_type
from ._masks import labels_of_mask
from ._ngff.levels import BLOCK_PX, write_pyramid
from ._ngff.metadata import (
    ZARR_FORMATS,
    amounts_metadata,
    class_labels,
    group_attributes,
    image_metadata,
    label_metadata,
)
from ._ngff.place import place_of_labels
from ._store import FORMAT

OnBlock = Callable[[int, int], None]


def write_ome_zarr(
    value: Slide | Prediction | LabelImage | Mask | Amounts,
    path: Path,
    *,
    overwrite: bool = False,
    version: str = "0.4",
    on_block: OnBlock = lambda done, total: None,
) -> list[Path]:
    """Write level 0 and a pyramid of halved levels, block by block.

    A slide becomes an RGB image at `path`; its coarse levels are averaged. Amounts of stains
    become an image of float32 with a channel for each, averaged likewise. A class map or
    labels become ``<path>/labels/<name>``, whose coarse levels take every second pixel, so
    values stay values. Where `path` is an image of the same version they join it, with as
    many levels as it has; otherwise a new group is made that holds labels only. Where the
    size of a pixel is unknown no unit is stated, and the scale is 1.

    Parameters
    ----------
    value : Slide, Prediction, LabelImage, Mask or Amounts
        What to write; a mask becomes the labels ``tissue``. Labels keep their integer type; of
        64 bits they are stored in the smallest type that holds them, and booleans as uint8.
    path : Path
        ``liver.ome.zarr``, a folder.
    overwrite : bool
        Replace what is there: the image with all its labels, or the labels of that name.
    version : str
        Of OME-NGFF: ``"0.4"``, which most programs read, or ``"0.5"``, which has a tenth of
        the files, as 16 chunks share one.
    on_block : callable
        Called with (blocks done, blocks in all).

    Returns
    -------
    list of Path
        The folder of the image or of the label image.

    Raises
    ------
    CannotOpenError
        An image or labels of that name are there and `overwrite` is False, `path` is a file
        where labels are to go, or the disk is full.
    BadValueError
        The image that labels are to join has another version, or labels are not whole
        numbers in one plane.
    UnreadableRegionError
        Part of the slide cannot be read.
    """
    if version not in ZARR_FORMATS:
        raise BadValueError(
            f"{path}: OME-Zarr {version!r} cannot be written; choose {' or '.join(ZARR_FORMATS)}."
        )
    with _named_in_errors(path):
        if isinstance(value, Slide):
            return [_write_slide(value, path, overwrite, version, on_block)]
        if isinstance(value, Amounts):
            return [_write_amounts(value, path, overwrite, version, on_block)]
        labels = labels_of_mask(value) if isinstance(value, Mask) else value
        return [_write_labels(labels, path, overwrite, version, on_block)]


def _write_slide(
    slide: Slide, path: Path, overwrite: bool, version: str, on_block: OnBlock
) -> Path:
    frame = None if slide.um_per_px is None else slide.frame()
    finest = Finest.of_slide(slide)
    with replacing(path, overwrite=overwrite) as part:
        group = _new_group(part, version)
        levels = write_pyramid(group, finest, on_block=on_block)
        ome = image_metadata(path.name, frame, levels, version=version)
        own = {"written_from": slide.fingerprint, "colour": list(slide.colour)}
        group.attrs.update(group_attributes(ome, version, steatosis=own))
    return path


def _write_amounts(
    amounts: Amounts, path: Path, overwrite: bool, version: str, on_block: OnBlock
) -> Path:
    with replacing(path, overwrite=overwrite) as part:
        group = _new_group(part, version)
        levels = write_pyramid(group, Finest.of_amounts(amounts), on_block=on_block)
        ome = amounts_metadata(amounts, levels, version=version)
        own = {"amounts": amounts.provenance}
        group.attrs.update(group_attributes(ome, version, steatosis=own))
    return path


def _write_labels(
    value: Prediction | LabelImage, path: Path, overwrite: bool, version: str, on_block: OnBlock
) -> Path:
    finest = _finest_labels(value, path)
    place = place_of_labels(path, value.name, version)
    labels, own = _described(value)
    if labels.frame is None:
        labels = replace(labels, frame=place.frame_for(labels))
    target = place.group / "labels" / value.name
    with replacing(target, overwrite=overwrite) as part:
        group = _new_group(part, version)
        levels = write_pyramid(group, finest, place.levels, on_block)
        image = None if place.levels is None else "../../"
        ome = label_metadata(labels, levels, image=image, version=version)
        group.attrs.update(group_attributes(ome, version, **own))
    _list(place.group, value.name, version)
    return target


def _finest_labels(value: Prediction | LabelImage, path: Path) -> Finest:
    plane, dtype = value.levels[0], label_type(value, path)
    if isinstance(value, Prediction):
        dtype = np.dtype(np.uint8)
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    elif dtype.itemsize == 8:
        dtype = _smallest(value)

    def read(region: Region) -> NDArray[Any]:
        return np.asarray(plane[region.slices]).astype(dtype, copy=False)

    return Finest(value.shape, dtype, 1, read)


def _smallest(value: Prediction | LabelImage) -> np.dtype[Any]:
    """Return the smallest integer type that holds every label."""
    low = high = 0
    for block in Grid(*value.shape, tile_px=BLOCK_PX):
        labels = np.asarray(value.levels[0][block.inner.slices])
        low, high = min(low, int(labels.min())), max(high, int(labels.max()))
    kind = "i" if low < 0 else "u"
    fitting = (np.dtype(f"{kind}{size}") for size in (1, 2, 4, 8))
    return next(d for d in fitting if np.iinfo(d).min <= low and high <= np.iinfo(d).max)


def _described(value: Prediction | LabelImage) -> tuple[LabelImage, dict[str, Any]]:
    """Return the value as labels, and what only this program understands of it."""
    if isinstance(value, LabelImage):
        return value, {}
    provenance = dict(value.provenance)
    own = {
        "format": FORMAT,
        "identity": {},
        "provenance": provenance,
        "classes": list(value.classes),
        "complete": value.finished and not value.failed,
        "content": provenance.get("content", ""),
        "failed": list(value.failed),
    }
    return class_labels(value.name, value.classes, value.frame), {"steatosis": own}


def _new_group(folder: Path, version: str) -> zarr.Group:
    return zarr.open_group(str(folder), mode="w", zarr_format=ZARR_FORMATS[version])


def _list(image: Path, name: str, version: str) -> None:
    """Put the label image on the list that programs look for."""
    zarr_format = ZARR_FORMATS[version]
    zarr.open_group(str(image), mode="a", zarr_format=zarr_format)
    labels = zarr.open_group(str(image / "labels"), mode="a", zarr_format=zarr_format)
    known: Any = labels.attrs.asdict()
    listed = known.get("ome", known).get("labels", [])
    names = [*(other for other in listed if other != name), name]
    labels.attrs.update(group_attributes({"labels": names}, version))


@contextmanager
def _named_in_errors(path: Path) -> Iterator[None]:
    """Say which path was being written when the disk is full or may not be written to."""
    try:
        yield
    except SteatosisError:
        raise
    except OSError as error:
        raise CannotOpenError(
            f"{path} could not be written ({type(error).__name__}: {error}). Nothing was left "
            f"under that name. Look at the space on the disk and at its permissions."
        ) from error
