"""Shapes as named regions of what a layer of labels shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .view import areas_of, slide_px, unit_ratio

if TYPE_CHECKING:
    import napari.layers

NAME_COLUMNS = ("name", "class", "label", "region")
"""Features of a Shapes layer that may name its regions."""


def regions_of(
    shapes: napari.layers.Shapes | None, labels: napari.layers.Labels
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield name and outline, (n, 2) in um, of every shape with an area; none without a layer.

    Parameters
    ----------
    shapes : napari.layers.Shapes, optional
        Drawn over the labels.
    labels : napari.layers.Labels
        With a prediction in its metadata.

    Raises
    ------
    BadValueError
        No shape has an area.
    """
    if shapes is None:
        return
    names, frame = names_of(shapes), labels.metadata["prediction"].frame
    areas = list(areas_of(shapes))
    if not areas:
        raise BadValueError(
            f"The layer {shapes.name!r} holds no shape with an area. Draw a rectangle, an "
            f"ellipse or a polygon in it, or choose nothing."
        )
    for index, world in areas:
        own = world * unit_ratio(shapes.units, labels.units)
        yield names[index], frame.to_um(slide_px(labels, own))


def names_of(shapes: napari.layers.Shapes) -> list[str]:
    """Return a name for each shape, no two alike: as its features say, or its number."""
    count, features = len(shapes.data), shapes.features
    column = next((one for one in NAME_COLUMNS if one in features), None)
    given = [""] * count if column is None else [str(one) for one in features[column]]
    plain = [one if one and one not in ("nan", "None") else "" for one in given]
    return [
        name if name and plain.count(name) == 1 else f"{name or 'Region'} {number}"
        for number, name in enumerate(plain, start=1)
    ]
