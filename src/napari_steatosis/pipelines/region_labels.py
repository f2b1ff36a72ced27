"""What a model finds in a part of a slide, as labels at any resolution."""

from __future__ import annotations

from collections.abc import Callable, Generator

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region
from ..core.model import Model
from ..core.plane import Plane
from ._plan import plan_segmentation
from ._stain import stain_for
from .segment import open_store, run

AROUND_UM = 20.0
"""So much more than the region is asked for, so that its edge does not depend on a mask's."""


def region_labels(
    plane: Plane,
    region: Region,
    model: Model,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> Generator[float, None, NDArray[np.uint8]]:
    """Segment a part of a slide as `segment` does, tissue or not.

    The model sees the slide at its own resolution; each pixel of `plane` takes the class of the
    nearest pixel that was computed.

    Parameters
    ----------
    plane : Plane
        The slide at the resolution of the labels.
    region : Region
        In px of the plane.
    model : Model
        A segmenter.
    should_stop : callable
        Asked after each tile; when it says yes, what is missing stays 0.

    Yields
    ------
    float
        Which share is done, from 0 to 1.

    Returns
    -------
    (y, x) uint8
        Class index + 1; 0 where nothing was computed.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(300, 300, seed=1)
    >>> steps = region_labels(slide.at(1.0), Region(y=0, x=0, height=40, width=60),
    ...                       st.load_model("steatosis-he", device="cpu"))
    >>> try:
    ...     while True: share = next(steps)
    ... except StopIteration as end:
    ...     end.value.shape
    (40, 60)
    """
    from ..imaging import mask_of_polygons

    corners = np.array([(region.y, region.x), (region.y_end - 1, region.x_end - 1)])
    around = np.array([[-AROUND_UM], [AROUND_UM]])
    (top, left), (bottom, right) = plane.frame.to_um(corners) + around
    outline = np.array([(top, left), (top, right), (bottom, right), (bottom, left)])
    stain = stain_for(plane.slide, model.spec)
    within = mask_of_polygons([outline])
    plan = plan_segmentation(plane.slide, model, within=within, stain=stain)
    with open_store(plan, None) as results:
        for progress in run(plan, results, should_stop=should_stop):
            yield progress.done / progress.total
        found = results.prediction()
    ends = [np.arange(region.y, region.y_end), np.arange(region.x, region.x_end)]
    rows, columns = (
        np.clip(np.rint((px * own + start - first) / um), 0, size - 1).astype(np.int64)
        for px, own, start, first, um, size in zip(
            ends,
            plane.frame.um_per_px,
            plane.frame.origin_um,
            found.frame.origin_um,
            found.frame.um_per_px,
            found.shape,
            strict=True,
        )
    )
    part = np.asarray(found.levels[0][rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    labels: NDArray[np.uint8] = part[rows - rows[0]][:, columns - columns[0]]
    return labels
