"""Label, macro and thumbnail of a slide as small layers to its right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .layers import LayerTuple, placed

if TYPE_CHECKING:
    from ..core.slide import Slide

SHARE = 0.3
"""Height of each image in heights of the slide; their true scale is not known."""
GAP = 0.03


def associated_layers(slide: Slide) -> list[LayerTuple]:
    """Return the associated images as layer data, under each other at the right of the slide.

    Raises
    ------
    UnreadableRegionError
        Where one cannot be decoded.
    """
    height, width = slide.shape
    top, made = 0.0, []
    for name in slide.associated:
        pixels = slide.read_associated(name)
        shrink = SHARE * height / pixels.shape[0]
        corner = (top, width + GAP * height)
        made.append((pixels, _options(slide, name, shrink, corner), "image"))
        top += (SHARE + GAP) * height
    return made


def _options(slide: Slide, name: str, px: float, corner: tuple[float, float]) -> dict[str, Any]:
    """Return where an image lies whose pixels are as wide as `px` pixels of the slide."""
    world = placed(None if slide.um_per_px is None else slide.frame())
    scale = np.asarray(world.get("scale", (1.0, 1.0)))
    centre = np.asarray(corner) + (px - 1) / 2  # of its first pixel, which is px wide
    return {
        **world,
        "name": f"{Path(slide.path).name} {name}",
        "rgb": True,
        "scale": scale * px,
        "translate": np.asarray(world.get("translate", (0.0, 0.0))) + centre * scale,
        "metadata": {"associated": name},
    }
