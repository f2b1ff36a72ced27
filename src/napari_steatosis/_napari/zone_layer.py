"""Zones of the lobule as a layer of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .fat_map import MAP_OF, placed_on
from .layers import LayerTuple, features_of

if TYPE_CHECKING:
    import napari.layers

    from ..core.geometry import Frame

ZONES = "zones"
COLOURS = ((0.17, 0.48, 0.71), (0.67, 0.85, 0.91), (0.99, 0.68, 0.38), (0.84, 0.19, 0.15))
"""From what zones are measured from outwards; of three, the second is left out."""

OPACITY = 0.45

Zones = tuple[NDArray[np.uint8], "Frame", tuple[str, ...]]
"""As `zone_labels` gives them."""


def zone_layer(zones: Zones, labels: napari.layers.Labels) -> LayerTuple:
    """Return zones as layer data of labels that lie on the labels of the fat."""
    from napari.utils import DirectLabelColormap

    values, frame, names = zones
    colours = COLOURS if len(names) > 3 else (COLOURS[0], COLOURS[2], COLOURS[3])
    table: dict[int | None, Any] = {None: "transparent", 0: "transparent"}
    table |= {i: (*colour, 1.0) for i, colour in enumerate(colours, start=1)}
    options = {
        "name": f"zones: {labels.name}",
        "colormap": DirectLabelColormap(color_dict=table),
        "opacity": OPACITY,
        "features": features_of({i: {"zone": name} for i, name in enumerate(names, start=1)}),
        "metadata": {MAP_OF: ZONES},
        **placed_on(frame, labels),
    }
    return values, options, "labels"
