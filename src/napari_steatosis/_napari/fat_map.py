"""Local fat and local grade as image layers, a value per square of tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .layers import LayerTuple, data_to_world

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.geometry import Frame
    from ..core.report import Report

OPACITY = 0.55
FAT = "fat_area_fraction_percent"
HEPATOCYTES = "hepatocyte_equivalent_percent"
BY_NUCLEI = "hepatocytes_with_fat_percent"
MAP_OF = "map_of_squares"
"""Key in the metadata of a layer that shows a column of squares."""

GRADES = ((0.27, 0.46, 0.71), (0.99, 0.85, 0.40), (0.96, 0.50, 0.20), (0.75, 0.08, 0.15))
"""Colours of the grades 0 to 3."""


def fat_map_layer(report: Report, labels: napari.layers.Labels) -> LayerTuple:
    """Return the local fat area fraction, %, as layer data of an image that lies on labels."""
    from ..quantify import square_map

    values, frame = square_map(report, FAT)
    known = values[np.isfinite(values)]
    high = max(float(np.percentile(known, 99)) if known.size else 1.0, 1.0)
    options = {
        "name": f"local fat, %: {labels.name}",
        "colormap": "inferno",
        "contrast_limits": (0.0, high),
        "metadata": {MAP_OF: FAT},
        **_look(frame, labels),
    }
    return values, options, "image"


def grade_layer(report: Report, labels: napari.layers.Labels) -> LayerTuple:
    """Return the grade of each square, 0 to 3, as layer data of an image that lies on labels.

    It is the grade that the square's share of hepatocytes with fat would have, by nuclei where
    these were looked for; that of a patient is not the grade of a place.
    """
    from napari.utils import Colormap

    from ..quantify import square_map
    from ..quantify.grade import grade_of

    by_nuclei = BY_NUCLEI in report.tables["tiles"]
    values, frame = square_map(report, BY_NUCLEI if by_nuclei else HEPATOCYTES)
    steps = Colormap(np.array([(*colour, 1.0) for colour in GRADES]), name="steatosis grade",
                     interpolation="zero", controls=np.linspace(0, 1, 5))  # fmt: skip
    options = {
        "name": f"local grade{', by nuclei' if by_nuclei else ''}: {labels.name}",
        "colormap": steps,
        "contrast_limits": (-0.5, 3.5),
        "metadata": {MAP_OF: HEPATOCYTES},
        **_look(frame, labels),
    }
    return grade_of(values).astype(np.float32), options, "image"


def show_map(viewer: napari.Viewer, data: LayerTuple) -> None:
    """Add such a layer in place of an earlier one of the same column, and hide the other."""
    from napari.layers import Layer

    layer = Layer.create(*data)
    for one in [one for one in viewer.layers if MAP_OF in one.metadata]:
        if one.metadata[MAP_OF] == layer.metadata[MAP_OF]:
            viewer.layers.remove(one)
        elif "Points" not in (type(one).__name__, type(layer).__name__):
            one.visible = False
            _show_colours(one, False)
    active = viewer.layers.selection.active
    viewer.add_layer(layer)
    _show_colours(layer, True)
    viewer.layers.selection.active = active


def _show_colours(layer: Any, shown: bool) -> None:
    if type(layer).__name__ == "Image":
        layer.colorbar.visible = shown


def _look(frame: Frame, labels: napari.layers.Labels) -> dict[str, Any]:
    """Return how such a map looks, and where it lies."""
    return {
        "opacity": OPACITY,
        "blending": "translucent",
        "interpolation2d": "nearest",
        "rgb": False,
        **placed_on(frame, labels),
    }


def placed_on(frame: Frame, labels: napari.layers.Labels) -> dict[str, Any]:
    """Return where pixels of a frame lie: on the labels, wherever these were moved."""
    own = labels.metadata["prediction"].frame
    to_labels = np.eye(3)
    to_labels[[0, 1], [0, 1]] = np.divide(frame.um_per_px, own.um_per_px)
    to_labels[:2, 2] = own.to_px(frame.origin_um)
    matrix = data_to_world(labels) @ to_labels
    straight = np.allclose([matrix[0, 1], matrix[1, 0]], 0)
    place = {"scale": np.diag(matrix)[:2], "translate": matrix[:2, 2]}
    return {"units": labels.units, **(place if straight else {"affine": matrix})}
