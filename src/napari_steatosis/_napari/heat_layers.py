"""Heat maps as image layers: what a model looked at, or what is out of focus; clear elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .layers import LayerTuple, placed_over

if TYPE_CHECKING:
    import napari.layers
    from napari.utils import Colormap

    from ..core.heat_map import HeatMap
    from ..core.slide import Slide

SHADES = 64


def heat_layer(heat: HeatMap, image: napari.layers.Image, slide: Slide) -> LayerTuple:
    """Return a heat map as layer data of an image that lies on a slide layer.

    Parameters
    ----------
    heat : HeatMap
        Of the slide; NaN is clear.
    image : napari.layers.Image
        Layer of the slide.
    slide : Slide
        With a pixel size.
    """
    options = {
        "name": " · ".join(filter(None, (heat.name, heat.provenance.get("model")))),
        "rgb": False,
        "colormap": heat_map_colours(heat),
        "contrast_limits": (0.0, 1.0),
        "blending": "translucent",
        "interpolation2d": "linear",
        "metadata": {"heat_map": heat},
        **placed_over(heat.frame, image, slide.frame()),
    }
    return np.asarray(heat.values, np.float32), options, "image"


def heat_map_colours(heat: HeatMap) -> Colormap:
    """Return the colours of a heat map, those of its picture: clear where it is low.

    Adding its light to that of the slide would make pink tissue white.
    """
    from napari.utils import Colormap

    from ..io._heat_map_files import heat_colours, look_of

    look = look_of(heat)
    shades = heat_colours(np.linspace(0, 1, SHADES, dtype=np.float32), look)
    return Colormap(shades, name=look.name, nan_color=(0, 0, 0, 0))
