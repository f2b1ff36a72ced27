"""Masks of drawn shapes: the regions to analyse, and what to leave out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.annotation import Annotations
from ..core.digest import digest
from ..core.errors import BadValueError
from ..core.geometry import Frame
from ..core.mask import Mask
from ._spans import spans_of

LARGEST_PX = 2**30


def mask_of_polygons(polygons: Sequence[ArrayLike], *, um_per_px: float = 4.0) -> Mask:
    """Return a mask that says yes inside any of the polygons.

    A pixel belongs to a polygon when its centre does; where an outline crosses itself the
    even-odd rule decides. The map covers the bounding box, and its pixels lie on the same
    lattice whatever the polygons.

    Parameters
    ----------
    polygons : sequence of (n, 2) float
        Vertices (y, x) in tissue coordinates, um; n is at least 3. The outline closes itself.
    um_per_px : float
        Resolution of the mask, um.

    Returns
    -------
    Mask

    Raises
    ------
    BadValueError
        For no polygon, fewer than three vertices, values that are not finite, an outline
        without area, or one so large that its coordinates cannot be um.

    Examples
    --------
    >>> mask_of_polygons([[(0, 0), (0, 40), (20, 40), (20, 0)]]).area_mm2
    0.0008
    """
    if not um_per_px > 0:
        raise BadValueError(f"um_per_px must be positive, got {um_per_px}.")
    if len(polygons) == 0:
        raise BadValueError("There is no polygon: draw at least one shape.")
    outlines = [[_checked(polygon, index)] for index, polygon in enumerate(polygons)]
    return _mask(outlines, um_per_px)


def mask_of_annotations(
    annotations: Annotations,
    frame: Frame,
    *,
    classes: Sequence[str] = (),
    um_per_px: float = 4.0,
) -> Mask:
    """Return a mask that says yes inside annotated areas, and no in their holes.

    Parameters
    ----------
    annotations : Annotations
        In px of the slide's level 0; lines, points, detections and cells are left out.
    frame : Frame
        Of the slide's level 0.
    classes : sequence of str
        Only annotations of these classes; none is all.
    um_per_px : float
        Resolution of the mask, um.

    Returns
    -------
    Mask

    Raises
    ------
    BadValueError
        Where no area is annotated, or none of these classes.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_steatosis.core.annotation import Annotation, Annotations
    >>> square = np.array([(0, 0), (0, 40), (20, 40), (20, 0), (0, 0)], float)
    >>> drawn = Annotations((Annotation("polygon", ((square,),), class_name="Liver"),))
    >>> mask_of_annotations(drawn, Frame((1.0, 1.0))).area_mm2
    0.0008
    """
    areas = [one for one in annotations if one.shape == "polygon" and one.kind == "annotation"]
    chosen = [one for one in areas if not classes or one.class_name in classes]
    if not chosen:
        there = ", ".join(sorted({one.class_name or "(no class)" for one in areas})) or "none"
        wanted = f" of the class {', '.join(classes)}" if classes else ""
        raise BadValueError(
            f"{annotations.path or 'These annotations'}: there is no annotated area{wanted}. "
            f"Classes of the areas there: {there}."
        )
    polygons = [[frame.to_um(ring) for ring in part] for one in chosen for part in one.parts]
    return _mask(polygons, um_per_px)


def _mask(polygons: list[list[NDArray[np.float64]]], um_per_px: float) -> Mask:
    outlines = [ring for polygon in polygons for ring in polygon]
    corners = np.concatenate(outlines)
    low = np.floor(corners.min(0) / um_per_px).astype(np.int64)
    height, width = np.maximum(np.ceil(corners.max(0) / um_per_px).astype(np.int64) - low, 1)
    if height * width > LARGEST_PX:
        raise BadValueError(
            f"The polygons span {height} x {width} px of {um_per_px} um. Are the vertices in "
            f"um? If so, give a larger um_per_px."
        )
    values = np.zeros((int(height), int(width)), bool)
    for number, polygon in enumerate(polygons):
        rings = [ring / um_per_px - low - 0.5 for ring in polygon]
        for row, start, end, _ in spans_of(rings, [number] * len(rings), values.shape):
            values[row, start:end] = True
    origin = (low + 0.5) * um_per_px
    if not values.any():
        raise BadValueError(
            f"The polygons hold no pixel centre of a mask at {um_per_px} um per pixel: draw "
            f"larger ones, or give a smaller um_per_px."
        )
    made = {
        "method": "polygons",
        "um_per_px": float(um_per_px),
        "count": len(outlines),
        "vertices": digest([outline.tolist() for outline in outlines]),
    }
    return Mask(values, Frame((um_per_px, um_per_px), (float(origin[0]), float(origin[1]))), made)


def _checked(polygon: ArrayLike, index: int) -> NDArray[np.float64]:
    vertices = np.asarray(polygon, np.float64)
    where = f"Polygon {index + 1}"
    if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
        raise BadValueError(
            f"{where} needs at least 3 vertices (y, x), got an array of shape {vertices.shape}."
        )
    if not np.isfinite(vertices).all():
        raise BadValueError(f"{where} has vertices that are not finite numbers.")
    if not np.linalg.matrix_rank(vertices[1:] - vertices[0]) == 2:
        raise BadValueError(f"{where} has no area: its vertices lie on one line.")
    return vertices
