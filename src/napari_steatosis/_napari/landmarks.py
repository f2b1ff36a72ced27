"""What somebody drew, clicked or painted as portal and central regions, as masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .placement import Ground, matrix_of, relative
from .regions import NAME_COLUMNS
from .view import areas_of, slide_px, unit_ratio

if TYPE_CHECKING:
    import napari.layers

    from ..core.geometry import Frame
    from ..core.mask import Mask
    from ..core.slide import Slide
    from ..quantify import Landmarks

UM_PER_PX = 1.0
"""Resolution of the masks of drawn shapes; coarser where they are far apart."""

LARGEST_PX = 2**26
COARSEST_UM = 4.4
"""Of labels with levels, the coarsest with pixels up to this is taken, um."""

INDEX = "index"


@dataclass(frozen=True, eq=False)
class Place:
    """What landmarks are to lie on.

    Parameters
    ----------
    layer : Image or Labels
        Of the slide, or of its class map.
    frame : Frame
        Where the px of the layer lie in the tissue.
    slide : Slide, optional
        Whose level 0 the coordinates of a file are px of.
    """

    layer: napari.layers.Layer
    frame: Frame
    slide: Slide | None


def landmarks_in(portal: Any, central: Any, place: Place) -> Landmarks | None:
    """Return what two fields choose; None where they choose nothing.

    Parameters
    ----------
    portal, central : Shapes, Points, Labels, path or None
        Of a layer with classes those count whose class begins with "portal" or "central", of one
        without classes all.
    place : Place
        What they are to lie on.

    Raises
    ------
    BadValueError
        Where nothing of the kind is there.
    """
    from ..quantify import Landmarks

    masks = {
        kind: None if chosen is None else _mask_of(chosen, place, kind)
        for kind, chosen in (("portal", portal), ("central", central))
    }
    return Landmarks(**masks) if any(masks.values()) else None


def _mask_of(chosen: Any, place: Place, kind: str) -> Mask:
    if isinstance(chosen, Path):
        return _of_file(chosen, place, kind)
    if type(chosen).__name__ == "Labels":
        return _of_labels(chosen, place, kind)
    return _of_outlines(list(_outlines(chosen, place, kind)))


def _of_file(file: Path, place: Place, kind: str) -> Mask:
    from ..pipelines.landmarks import read_landmarks

    if place.slide is None:
        raise BadValueError(
            f"{file} is in px of its slide, and the slide of this class map cannot be opened. "
            f"Open it, or drag the file into the window and choose its layer."
        )
    mask = getattr(read_landmarks(file, place.slide), kind)
    if mask is None:
        raise BadValueError(f"{file}: there is no area or point of the class {kind!r}.")
    return mask


def _outlines(layer: Any, place: Place, kind: str) -> Iterator[NDArray[np.float64]]:
    """Yield outlines, (n, 2) in um, of shapes, or of squares around points."""
    from ..pipelines.landmarks import around_points

    wanted = set(_wanted(layer, len(layer.data), kind))
    ratio = unit_ratio(layer.units, place.layer.units)
    if type(layer).__name__ == "Points":
        points = np.asarray(layer.data, float)[sorted(wanted)]
        matrix = matrix_of(layer.as_layer_data_tuple()[1])
        world = points @ matrix[:2, :2].T + matrix[:2, 2]
        yield from around_points(place.frame.to_um(slide_px(place.layer, world * ratio)))
        return
    found = [world for index, world in areas_of(layer) if index in wanted]
    if not found:
        raise BadValueError(
            f"The layer {layer.name!r} holds no {kind} shape with an area. Draw an ellipse or a "
            f"polygon around each, or choose nothing."
        )
    for world in found:
        yield place.frame.to_um(slide_px(place.layer, world * ratio))


def _of_outlines(outlines: list[NDArray[np.float64]]) -> Mask:
    from ..imaging import mask_of_polygons

    corners = np.concatenate(outlines)
    far = float(np.sqrt(np.prod(np.maximum(np.ptp(corners, axis=0), 1.0)) / LARGEST_PX))
    return mask_of_polygons(outlines, um_per_px=max(UM_PER_PX, far))


def _of_labels(layer: Any, place: Place, kind: str) -> Mask:
    """Return where labels are not 0, or have the class, at their own resolution."""
    from ..core.digest import digest
    from ..core.mask import Mask
    from .placement import plain_frame

    data, meta, _ = layer.as_layer_data_tuple()
    _, under, _ = place.layer.as_layer_data_tuple()
    own = plain_frame(relative(meta, Ground(place.slide, under)), meta)
    size = np.multiply(own.um_per_px, place.frame.um_per_px)
    levels = list(data) if layer.multiscale else [data]
    steps = [round(levels[0].shape[0] / level.shape[0]) for level in levels]
    fine = [n for n, step in enumerate(steps) if step * size.mean() <= COARSEST_UM] or [0]
    values = np.asarray(levels[fine[-1]][:])
    rows = layer.features
    listed = [int(one) for one in rows[INDEX]] if INDEX in rows else []
    numbers = [listed[row] for row in _wanted(layer, len(listed), kind)]
    yes = np.isin(values, [one for one in numbers if one]) if numbers else values != 0
    if not yes.any():
        raise BadValueError(f"The labels {layer.name!r} hold nothing {kind}: all is 0.")
    step = steps[fine[-1]]
    frame = type(place.frame)(tuple(size), tuple(place.frame.to_um(own.origin_um))).coarser(step)
    made = {"method": "labels", "values": digest(sorted(numbers))}
    mask = Mask(yes, frame, made)
    return Mask(yes, frame, {**made, "content": mask.content})


def _wanted(layer: Any, count: int, kind: str) -> list[int]:
    """Return the rows of a kind; all where no row has a class that names a landmark.

    Raises
    ------
    BadValueError
        The layer is empty, or has classes, but none of this kind.
    """
    from ..pipelines.landmarks import kind_of

    column = next((one for one in ("class", *NAME_COLUMNS) if one in layer.features), None)
    if column is None or not count:
        kinds = [""] * count
    else:
        kinds = [kind_of(str(one)) for one in layer.features[column]]
    if any(kinds) and kind not in kinds:
        raise BadValueError(
            f"The layer {layer.name!r} has classes, and nothing in it is {kind}. Give what "
            f"is {kind} the class {kind!r}, or choose another layer."
        )
    if not count and type(layer).__name__ != "Labels":
        raise BadValueError(
            f"The layer {layer.name!r} is empty. Draw in it what is {kind}, or choose nothing."
        )
    return [row for row, one in enumerate(kinds) if one == (kind if any(kinds) else "")]
