"""A class map as OME-NGFF 0.4 labels: into an existing image, or alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..core.errors import BadValueError, CannotOpenError
from ..core.prediction import Prediction
from ._label_pyramid import LabelPyramid
from ._ngff import label_metadata
from ._store import FORMAT
from .write import replacing

BLOCK_PX = 2048


def write_ome_zarr(value: Prediction, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write ``<path>/labels/<name>``, an OME-NGFF 0.4 label pyramid, block by block.

    Where `path` is an OME-Zarr 0.4 image the labels join it, with as many levels as it has;
    otherwise a new group is made that holds labels only. Coarse levels take every second
    pixel, so they hold class values only.

    Raises
    ------
    CannotOpenError
        A label image of that name is there and `overwrite` is False, or `path` is a file.
    BadValueError
        The image is of another OME-NGFF version than 0.4.
    """
    levels = _image_levels(path)
    target = path / "labels" / value.name
    with replacing(target, overwrite=overwrite) as part:
        group = zarr.open_group(str(part), mode="w", zarr_format=2)
        pyramid = LabelPyramid.open(group, value.shape, levels)
        height, width = value.shape
        for y in range(0, height, BLOCK_PX):
            for x in range(0, width, BLOCK_PX):
                block = value.levels[0][y : y + BLOCK_PX, x : x + BLOCK_PX]
                pyramid.write(y, x, np.asarray(block, np.uint8))
        pyramid.flush()
        group.attrs.update(_attributes(value, pyramid.count, inside_image=levels is not None))
    _list(path, value.name)
    return [target]


def _attributes(prediction: Prediction, levels: int, *, inside_image: bool) -> dict[str, Any]:
    provenance = dict(prediction.provenance)
    attributes = label_metadata(
        prediction.name,
        prediction.classes,
        prediction.frame,
        levels,
        image="../../" if inside_image else None,
    )
    attributes["steatosis"] = {
        "format": FORMAT,
        "identity": {},
        "provenance": provenance,
        "classes": list(prediction.classes),
        "complete": True,
        "content": provenance.get("content", ""),
        "failed": list(prediction.failed),
    }
    return attributes


def _image_levels(path: Path) -> int | None:
    """Return how many levels the image at `path` has; None where there is no image."""
    if path.is_file():
        raise CannotOpenError(f"{path} is a file; an OME-Zarr is a folder. Choose another name.")
    if (path / "zarr.json").exists():
        raise BadValueError(
            f"{path} is a zarr 3 (OME-NGFF 0.5) group, which cannot hold the OME-NGFF 0.4 labels "
            f"that most programs read. Write to a new path."
        )
    if not (path / ".zgroup").exists():
        return None
    attributes = zarr.open_group(str(path), mode="r", zarr_format=2).attrs
    if "multiscales" not in attributes:
        return None
    multiscales: Any = attributes["multiscales"]
    return len(multiscales[0]["datasets"])


def _list(path: Path, name: str) -> None:
    """Put the label image on the list that programs look for."""
    zarr.open_group(str(path), mode="a", zarr_format=2)
    labels = zarr.open_group(str(path / "labels"), mode="a", zarr_format=2)
    listed: Any = labels.attrs.get("labels", [])
    labels.attrs["labels"] = [*(other for other in listed if other != name), name]
