"""What OME-NGFF 0.4 says of a class map: axes, scales, colours and class names."""

from __future__ import annotations

from typing import Any

from ..core.geometry import Frame
from ._palette import class_colours

VERSION = "0.4"


def label_metadata(
    name: str,
    classes: tuple[str, ...],
    frame: Frame,
    levels: int,
    *,
    image: str | None = None,
) -> dict[str, Any]:
    """Return the attributes of a label image group, as OME-NGFF 0.4 wants them.

    Parameters
    ----------
    name : str
        Of the label image.
    classes : tuple of str
        ``classes[i]`` is stored as ``i + 1``; 0 is *not analysed* and transparent.
    frame : Frame
        Of level 0. Level ``i`` has pixels ``2 ** i`` times as large, whose centres are those
        of `Frame.coarser`, so that all levels lie on top of each other.
    levels : int
        Number of levels, stored at the paths ``"0"``, ``"1"``, ...
    image : str, optional
        Path from the label image to the image that it belongs to (``"../../"``); None where
        it stands alone.

    Returns
    -------
    dict
        ``multiscales`` and ``image-label``, for the group's ``.zattrs``.

    Examples
    --------
    >>> made = label_metadata("fat", ("tissue", "fat"), Frame((0.5, 0.5)), 2)
    >>> made["multiscales"][0]["datasets"][1]["coordinateTransformations"][1]
    {'type': 'translation', 'translation': [0.25, 0.25]}
    """
    axes = [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    datasets = []
    for level in range(levels):
        own = frame.coarser(2**level)
        transformations = [
            {"type": "scale", "scale": list(own.um_per_px)},
            {"type": "translation", "translation": list(own.origin_um)},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    colours = [(0, 0, 0, 0), *class_colours(classes)]
    names = ("not analysed", *classes)
    label: dict[str, Any] = {
        "version": VERSION,
        "colors": [
            {"label-value": value, "rgba": list(rgba)} for value, rgba in enumerate(colours)
        ],
        "properties": [
            {"label-value": value, "class": class_name} for value, class_name in enumerate(names)
        ],
    }
    if image is not None:
        label["source"] = {"image": image}
    multiscale = {
        "version": VERSION,
        "name": name,
        "axes": axes,
        "datasets": datasets,
        "type": "nearest",
    }
    return {"multiscales": [multiscale], "image-label": label}
