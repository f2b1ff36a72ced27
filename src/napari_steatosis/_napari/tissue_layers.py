"""Tissue masks as labels layers that can be painted on, and such layers as masks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox

from ..core.mask import Mask
from .layers import LayerTuple, placed_over

if TYPE_CHECKING:
    import napari.layers

    import napari

    from ..core.slide import Slide

TISSUE = (0.16, 0.75, 0.35, 1.0)
OPACITY = 0.35
FIND = "Find it"
"""What stands in the field *Tissue* of a form in place of a layer."""

PREVIEW = "tissue_preview"
BRUSH_PX = 20


def tissue_layer(mask: Mask, image: napari.layers.Image, slide: Slide) -> LayerTuple:
    """Return a mask as layer data of labels that lie on a slide layer, to be painted on.

    Parameters
    ----------
    mask : Mask
        Of the slide. Its pixels are copied: 1 is tissue.
    image : napari.layers.Image
        Layer of the slide.
    slide : Slide
        With a pixel size.
    """
    from napari.utils import DirectLabelColormap

    options = {
        "name": f"tissue: {image.name}",
        "opacity": OPACITY,
        "colormap": DirectLabelColormap(
            color_dict={None: TISSUE, 0: "transparent", 1: TISSUE}  # whatever is painted is tissue
        ),
        "metadata": {"tissue": mask},
        **placed_over(mask.frame, image, slide.frame()),
    }
    return mask.values.astype(np.uint8), options, "labels"


def tissues_among(layers: Iterable[Any]) -> list[tuple[str, Any]]:
    """Return what the field *Tissue* offers: to find it, or a labels layer."""
    from napari.layers import Labels

    flat = [one for one in layers if isinstance(one, Labels) and one.ndim == 2]
    named = [(one.name, one) for one in flat if PREVIEW not in one.metadata]
    return [(FIND, FIND), *named]


def tissue_field(viewer: napari.Viewer) -> ComboBox:
    """Return the field *Tissue* of a form that analyses."""
    field = ComboBox(label="Tissue", choices=lambda _: tissues_among(viewer.layers))
    field.tooltip = (
        "Found anew, or a labels layer: what Find tissue made, painted on or not, or your own. "
        "What is not 0 there is tissue."
    )
    return field


def tissue_in(layer: Any, image: napari.layers.Image, slide: Slide) -> Mask | None:
    """Return what a labels layer says of where the tissue of a slide is; None for `FIND`.

    Pixels that are not 0 are tissue. A layer that nobody painted on is the mask that was found,
    so results are the same as without it.

    Raises
    ------
    BadValueError
        Where the layer is turned, or does not lie on the slide.
    """
    from ..imaging.mask_labels import mask_of_labels
    from .placement import Ground
    from .saved_layers import labels_of

    if layer is None or layer == FIND:
        return None
    data, meta, _ = layer.as_layer_data_tuple()
    _, under, _ = image.as_layer_data_tuple()
    mask = mask_of_labels(labels_of(data, meta, Ground(slide, under)), slide)
    found: Mask | None = layer.metadata.get("tissue")
    if found is None:
        return mask
    if mask.content == found.content and _same_place(mask, found):
        return found
    made = {"method": "edited", "of": dict(found.provenance)}
    if "slide" in found.provenance:
        made["slide"] = found.provenance["slide"]
    return Mask(mask.values, mask.frame, made)


def area_mm2(layer: napari.layers.Labels) -> float:
    """Return the area of what is painted in a tissue layer, mm2."""
    mask: Mask = layer.metadata["tissue"]
    return float(np.count_nonzero(layer.data)) * mask.frame.um2_per_px / 1e6


def _same_place(one: Mask, other: Mask) -> bool:
    size = other.frame.mean_um_per_px
    return one.shape == other.shape and bool(
        np.allclose(one.frame.um_per_px, other.frame.um_per_px)
        and np.allclose(one.frame.origin_um, other.frame.origin_um, atol=1e-3 * size)
    )
