"""A normalised slide, and the amounts of its stains, as layers that lie on the slide's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.amounts import MOST
from .layers import LayerTuple, placed, slide_layer
from .probability_layers import ChannelPlane

if TYPE_CHECKING:
    import napari.layers
    from napari.utils import Colormap

    from ..core.amounts import Amounts
    from ..core.slide import Slide
    from ..imaging.separation import StainSeparation

SHADES = 64


def lying_on(image: napari.layers.Image) -> dict[str, Any]:
    """Return the options that put a layer where another one lies, however that was moved."""
    return {
        "scale": image.scale,
        "translate": image.translate,
        "rotate": image.rotate,
        "shear": image.shear,
        "affine": np.asarray(image.affine),
        "units": image.units,
    }


def stained_layer(slide: Slide, image: napari.layers.Image, name: str) -> LayerTuple:
    """Return a normalised slide as layer data that lies on the layer of the slide.

    It is uint8 RGB, which napari draws as it is, and every level reads itself where it is
    looked at.
    """
    levels, options, kind = slide_layer(slide, name)
    return levels, {**options, **lying_on(image)}, kind


def amount_layers(
    slide: Slide, separation: StainSeparation, image: napari.layers.Image
) -> list[LayerTuple]:
    """Return an image of the amount of each stain, in the colour of the stain on white.

    Amounts are optical densities (natural logarithm) along the unit vector of the stain. The
    layers take the darker of each other, so that together they look like the stained slide.
    """
    from ..pipelines.stain_amounts import amounts_of, stain_amounts

    levels = list(stain_amounts(slide, separation).values())
    amounts = amounts_of(slide, separation)
    return _layers(levels, amounts, separation, {"of": image.name, **lying_on(image)})


def stored_amount_layers(amounts: Amounts) -> list[LayerTuple]:
    """Return amounts that were opened as images, one per stain, as `amount_layers` does."""
    from ..pipelines.stain_amounts import separation_in

    stains = range(len(amounts.stains))
    levels = [[ChannelPlane(level, index) for level in amounts.levels] for index in stains]
    place = {"of": amounts.name, **placed(amounts.frame)}
    return _layers(levels, amounts, separation_in(amounts), place)


def _layers(
    stains: Sequence[Sequence[Any]],
    amounts: Amounts,
    separation: StainSeparation,
    place: dict[str, Any],
) -> list[LayerTuple]:
    """Return a layer per stain: its levels, finest first, in its colour and at a place."""
    of, made = place.pop("of"), []
    for index, (name, levels) in enumerate(zip(amounts.stains, stains, strict=True)):
        options = {
            "name": f"{name}: {of}",
            "multiscale": len(levels) > 1,
            "cache": False,
            "rgb": False,
            "colormap": stain_colours(separation, index),
            "contrast_limits": (0.0, MOST),
            "blending": "minimum",
            "metadata": {"amount_of": name, "amounts": amounts},
            **place,
        }
        made.append((list(levels) if len(levels) > 1 else levels[0], options, "image"))
    return made


def stain_colours(separation: StainSeparation, index: int) -> Colormap:
    """Return the colours of a stain from none to `MOST`, as light through it has them."""
    from napari.utils import Colormap

    shades = separation.rgb_of(index, np.linspace(0, MOST, SHADES)) / 255
    opaque = np.concatenate([shades, np.ones((SHADES, 1))], axis=1)
    return Colormap(opaque, name=f"{separation.names[index]} {index}")
