"""What somebody drew or detected on a slide: a geometry with a class and measurements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]
"""``(n, 2)`` corners (row, column), closed: the last is the first."""

Parts = tuple[tuple[Ring, ...], ...]
"""The pieces of a geometry, each one or more arrays of points."""

KINDS = ("annotation", "detection", "cell", "tile")
"""Object types of QuPath."""

Shape = Literal["polygon", "line", "points"]
Rgb = tuple[int, int, int]


@dataclass(frozen=True, eq=False, slots=True)
class Annotation:
    """A geometry on level 0 of a slide, as QuPath exchanges it in GeoJSON.

    Coordinates are (row, column) in px of the slide's level 0, where the *centre* of a pixel
    is a whole number, as everywhere in this program; QuPath counts from the pixel's corner,
    and columns first, which the reader and the writer of GeoJSON convert.

    Parameters
    ----------
    shape : {"polygon", "line", "points"}
        What `parts` are.
    parts : Parts
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
    nucleus : Parts
        Polygon of the nucleus of a cell; empty where there is none.

    Examples
    --------
    >>> square = np.array([[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]], float)
    >>> Annotation("polygon", ((square,),), class_name="Tissue").box
    (0.0, 0.0, 9.0, 9.0)
    """

    shape: Shape
    parts: Parts
    kind: str = "annotation"
    name: str = ""
    class_name: str = ""
    colour: Rgb | None = None
    measurements: Mapping[str, float] = field(default_factory=dict)
    locked: bool = False
    identity: str = ""
    nucleus: Parts = ()

    @property
    def box(self) -> tuple[float, float, float, float]:
        """First row and column, last row and column, px."""
        corners = np.concatenate([ring for part in self.parts for ring in part])
        (y, x), (y_end, x_end) = corners.min(0), corners.max(0)
        return float(y), float(x), float(y_end), float(x_end)


@dataclass(frozen=True, eq=False)
class Annotations:
    """All annotations of one slide, in the order of their file.

    Parameters
    ----------
    items : tuple of Annotation
        The annotations.
    path : str, optional
        The file that they were read from.
    left_out : tuple of str
        One message per object of the file that has no place on the slide (an empty geometry).

    Examples
    --------
    >>> point = Annotation("points", ((np.zeros((1, 2)),),), class_name="Mitosis")
    >>> marks = Annotations((point, point))
    >>> len(marks), marks.classes
    (2, {'Mitosis': 2})
    """

    items: tuple[Annotation, ...]
    path: str | None = None
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Annotation]:
        return iter(self.items)

    @property
    def classes(self) -> dict[str, int]:
        """Class name to the number of its annotations, in order of appearance."""
        return dict(Counter(one.class_name for one in self.items))
