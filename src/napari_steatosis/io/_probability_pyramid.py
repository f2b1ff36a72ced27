"""Probabilities beside a class map: an OME-Zarr image with a channel per class."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ..core.geometry import Frame
from ._ngff.metadata import WINDOW, image_metadata
from ._palette import class_colours


def probability_name(name: str) -> str:
    """Return the name of the image that holds the probabilities of a class map.

    Examples
    --------
    >>> probability_name("fat")
    'fat-probability'
    """
    return f"{name}-probability"


def quantised(probabilities: NDArray[np.float32], classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return probabilities as they are stored: 255 times, rounded; 0 where nothing was analysed.

    Parameters
    ----------
    probabilities : (class, y, x) float32
        From 0 to 1.
    classes : (y, x) uint8
        Class map of the same pixels; 0 is *not analysed*.

    Examples
    --------
    >>> p = np.float32([[[0.9, 0.5]], [[0.1, 0.5]]])
    >>> quantised(p, np.uint8([[1, 0]])).tolist()
    [[[230, 0]], [[26, 0]]]
    """
    stored = np.multiply(probabilities, 255, dtype=np.float32)
    np.rint(stored, out=stored)
    stored *= classes > 0
    return stored.astype(np.uint8)


def probability_metadata(
    name: str, classes: tuple[str, ...], frame: Frame, levels: int
) -> dict[str, Any]:
    """Return what OME-NGFF 0.4 says of the probabilities of some classes.

    Parameters
    ----------
    name : str
        Of the class map.
    classes : tuple of str
        Names of the channels.
    frame : Frame
        Of level 0.
    levels : int
        Number of levels.

    Examples
    --------
    >>> made = probability_metadata("fat", ("tissue", "fat"), Frame((0.5, 0.5)), 1)
    >>> [channel["label"] for channel in made["omero"]["channels"]]
    ['tissue', 'fat']
    """
    metadata = image_metadata(probability_name(name), frame, levels)
    metadata["multiscales"][0]["type"] = "nearest"
    metadata["omero"]["channels"] = [
        {
            "label": label,
            "color": "".join(f"{part:02X}" for part in colour[:3]),
            "active": colour[3] > 0,
            "window": WINDOW,
        }
        for label, colour in zip(classes, class_colours(classes), strict=True)
    ]
    return metadata


def stored_probabilities(path: Path, name: str, stated: Mapping[str, Any]) -> list[Any]:
    """Return the levels, (class, y, x) uint8, of the probabilities in a results store.

    Parameters
    ----------
    path : Path
        Of the store.
    name : str
        Of the class map.
    stated : mapping
        What the store says of itself: whether there are any.
    """
    if not stated.get("probabilities", False):
        return []
    group: Any = zarr.open_group(str(path / probability_name(name)), mode="r")
    return [group[dataset["path"]] for dataset in group.attrs["multiscales"][0]["datasets"]]
