"""Test a map of what a model looked at, on the part of it where it says most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import BadValueError
from ..core.geometry import Region
from ..core.heat_map import HeatMap
from ..core.map_check import MapCheck
from ..core.plane import Plane
from ..core.slide import Slide
from ..core.stain import StainTransform

if TYPE_CHECKING:
    from ..models._torch import TorchModel

CHECKED_PX = 256
"""Side of the square of a segmenter that is tested, px; of a classifier it is its tile."""


def check_explanation(
    slide: Slide, model: TorchModel, heat: HeatMap, *, stain: StainTransform | None = None
) -> MapCheck:
    """Test a map by random weights, deletion and insertion.

    On one square, that in which the map is highest: a tile of a classifier, `CHECKED_PX` of a
    segmenter. The map is made anew there.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    model : TorchModel
        The one that the map is of.
    heat : HeatMap
        Of `napari_steatosis.pipelines.explain.explain`.
    stain : StainTransform, optional
        As for the map.

    Raises
    ------
    BadValueError
        Where the map is of another model, or nothing of it was computed.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> from napari_steatosis.models import load_model
    >>> slide, model = st.drawn_liver(128, 128, seed=1), load_model("steatosis-he", device="cpu")
    >>> found = check_explanation(slide, model, st.explain(slide, model))
    >>> found.tile.shape, len(found.sentences())
    ((128, 128, 3), 3)
    """
    from ..models.map_check import check_map

    about = heat.provenance
    if about.get("digest") != model.digest:
        raise BadValueError(
            f"The map is of {about.get('model', 'another model')!r}, not of {model.spec.name!r}."
        )
    plane = Plane.of(slide, model.spec.um_per_px)
    rgb = plane.read(_highest(heat, model, plane))
    classes = model.spec.classes
    target = classes.index(about["class"]) if about["class"] else len(classes) - 1
    tile = rgb if stain is None else stain.apply(rgb)
    return check_map(model, tile, target=target, method=about["method"])


def _highest(heat: HeatMap, model: TorchModel, plane: Plane) -> Region:
    """Return the square in which a map is highest, in pixels of a plane."""
    from scipy.ndimage import uniform_filter

    known = np.isfinite(heat.values)
    if not known.any():
        raise BadValueError(f"The map {heat.name!r} holds no value, so there is nothing to test.")
    spec = model.spec
    wanted = spec.tile_px if spec.task == "classification" else min(CHECKED_PX, spec.tile_px)
    step = spec.multiple_px
    longest = -(-max(heat.values.shape) // step) * step
    side = min(max(step, wanted // step * step), longest)
    mean = uniform_filter(np.where(known, heat.values, 0.0), side, mode="constant")
    place = np.array(np.unravel_index(int(mean.argmax()), mean.shape)) - side // 2
    place = np.clip(place, 0, np.maximum(0, np.array(heat.values.shape) - side))
    corner = np.rint(plane.frame.to_px(heat.frame.origin_um)).astype(int)
    y, x = (corner + place).tolist()
    return Region(y=y, x=x, height=side, width=side)
