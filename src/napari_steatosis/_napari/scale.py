"""Slides shown in px, for want of a pixel size: they get one, with all that lies on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.geometry import Frame
    from ..core.slide import Slide

HINT = "about 0.25 µm for a 40x scan, 0.5 µm for 20x"


def no_scale_warning(slide: Slide) -> str:
    """Return what to tell the user of a slide without a usable pixel size."""
    return (
        f"{Path(slide.path).name} is shown in pixels: {slide.scale_source}. Lengths and areas "
        f"need it. Give it in the field 'Pixel size' of Plugins > napari-steatosis > "
        f"Analyse slide (about 0.25 um for a 40x scan, 0.5 um for 20x)."
    )


def layers_in_px(viewer: napari.Viewer, slide: Slide) -> list[napari.layers.Image]:
    """Return the layers that show a slide in px, for want of its pixel size."""
    slides = [(layer, layer.metadata.get("slide")) for layer in viewer.layers]
    return [
        layer
        for layer, own in slides
        if own is not None and own.fingerprint == slide.fingerprint and own.um_per_px is None
    ]


def give_scale(viewer: napari.Viewer, slide: Slide, um_per_px: float) -> None:
    """Give a slide in the viewer its pixel size, and take along what lies on it in px.

    What else is in px lies on the slide, unless a second slide is shown in px, too.

    Raises
    ------
    BadValueError
        Where the size is not positive.
    """
    images = layers_in_px(viewer, slide)
    if not images:
        return
    frame = slide.with_scale(um_per_px).frame()
    in_px = [layer for layer in viewer.layers if is_in_px(layer)]
    alone = all("slide" not in layer.metadata or layer in images for layer in in_px)
    for layer in in_px if alone else images:
        own = layer.metadata.get("slide")
        if own is not None:
            layer.metadata = {**layer.metadata, "slide": own.with_scale(um_per_px)}
        to_um(layer, frame)
    viewer.reset_view()


def is_in_px(layer: napari.layers.Layer) -> bool:
    """Say whether a flat layer has no unit of length."""
    return layer.ndim == 2 and all(str(unit) == "pixel" for unit in layer.units)


def to_um(layer: napari.layers.Layer, frame: Frame) -> None:
    """Move a layer from the world in px of a frame to the world in um."""
    size, origin = np.asarray(frame.um_per_px), np.asarray(frame.origin_um)
    plain = not np.any(layer.rotate - np.eye(2)) and not np.any(layer.shear)
    if plain and np.allclose(np.asarray(layer.affine), np.eye(3)):
        layer.scale = np.asarray(layer.scale) * size
        layer.translate = np.asarray(layer.translate) * size + origin
    else:
        world = np.diag([*size, 1.0])
        world[:2, 2] = origin
        layer.affine = world @ np.asarray(layer.affine)
    layer.units = ("um", "um")


def remember_or_warn(slide: Slide, um_per_px: float) -> None:
    """Keep a pixel size for the next time; where that is impossible, say so."""
    from napari.utils.notifications import show_info, show_warning

    from ..core.errors import CannotOpenError
    from ..io import remember_scale

    try:
        file = remember_scale(slide, um_per_px)
    except CannotOpenError as error:
        show_warning(str(error))
    else:
        show_info(f"The pixel size is kept in {file}.")
