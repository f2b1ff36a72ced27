"""Zones of the lobule, and territories of hepatocytes, as layers of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .fat_map import MAP_OF, placed_on
from .layers import LayerTuple, features_of

if TYPE_CHECKING:
    import napari.layers

    from ..core.report import Report

OPACITY = 0.45


def label_map(report: Report, name: str, labels: napari.layers.Labels) -> LayerTuple:
    """Return a map of a report as layer data of labels that lie on the labels of the fat.

    Parameters
    ----------
    report : Report
        With the map.
    name : {"zones", "territories"}
        Which one.
    labels : napari.layers.Labels
        With a prediction in its metadata.
    """
    from napari.utils import DirectLabelColormap

    from ..io._palette import map_colours

    found = report.maps[name]
    names = [str(known["class"]) for known in found.properties.values()]
    table: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    for value, colour in zip(found.properties, map_colours(names), strict=True):
        table[value] = (*np.divide(colour, 255), 1.0)
    options = {
        "name": f"{name}: {labels.name}",
        "multiscale": len(found.levels) > 1,
        "cache": False,
        "colormap": DirectLabelColormap(color_dict=table),
        "opacity": OPACITY,
        "features": features_of(found.properties),
        "metadata": {MAP_OF: name, "label_image": found},
        **placed_on(found.frame, labels),
    }
    levels = list(found.levels)
    return levels if len(levels) > 1 else levels[0], options, "labels"
