"""What somebody drew or detected on a slide: a geometry with a class and measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""``(n, 2)`` corners (row, column), closed: the last is the first."""

KINDS = ("annotation", "detection", "cell", "tile")
"""Object types of QuPath."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Annotation:
    """A geometry on level 0 of a slide, as QuPath exchanges it in GeoJSON.

    Coordinates are (row, column) in px of the slide's level 0, where the *centre* of a pixel
    is a whole number, as everywhere in this program; QuPath counts from the pixel's corner,
    and columns first, which the reader and the writer of GeoJSON convert.

    Parameters
    ----------
    shape : {"polygon", "line", "points"}
        What `parts` are.
    parts : tuple of tuple of Ring
        For a polygon one entry per piece: its outer ring, then its holes, all closed. For
        lines one entry per line with one open ``(n, 2)`` array. For points one entry with one
        ``(n, 2)`` array.
    kind : str
        QuPath's object type, one of `KINDS`.
    name : str
        Given by whoever drew it; may be empty.
    class_name : str
        Its class, ``"Tumor"``; ``"Immune cells: CD8"`` for a derived one; may be empty.
    colour : (int, int, int), optional
        Of the class, or of the object where it has no class, 0 to 255.
    measurements : mapping of str to float
        Name with unit (``"Area µm^2"``) to value.
    locked : bool
        Whether QuPath keeps it from being moved.
    identity : str
        UUID of the object; may be empty.

    Examples
    --------
    >>> square = np.array([[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]], float)
    >>> Annotation("polygon", ((square,),), class_name="Tissue").box
    (0.0, 0.0, 9.0, 9.0)
    """

    shape: Literal["polygon", "line", "points"]
    parts: tuple[tuple[Ring, ...], ...]
    kind: str = "annotation"
    name: str = ""
    class_name: str = ""
    colour: Rgb | None = None
    measurements: Mapping[str, float] = field(default_factory=dict)
    locked: bool = False
    identity: str = ""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """First row and column, last row and column, px."""
        corners = np.concatenate([ring for part in self.parts for ring in part])
        (y, x), (y_end, x_end) = corners.min(0), corners.max(0)
        return float(y), float(x), float(y_end), float(x_end)
