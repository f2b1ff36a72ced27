"""How much of each stain lies where on a slide, as a value that can be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Frame, Region
from .prediction import Array

Colour = tuple[int, int, int]

MOST = 2.5
"""Amount of a stain that is drawn in its full colour."""


@dataclass(frozen=True, eq=False)
class Amounts:
    """Amounts of two or three stains over a slide; computed where they are read.

    Parameters
    ----------
    name : str
        Of the slide.
    stains : tuple of str
        What the stains are called.
    colours : tuple of (int, int, int)
        Red, green and blue of each at an amount of 1.
    shape : (int, int)
        Height and width of level 0, px.
    frame : Frame, optional
        Of level 0; None where the size of a pixel is unknown.
    read : callable
        ``read(region)`` returns ``(height, width, stain) float32`` of level 0: optical density
        (natural logarithm) along the unit vector of each stain.
    provenance : dict
        Of which slide, and the vectors of the stains; plain values.
    levels : tuple of array
        Stored levels ``(stain, y, x)``, finest first; none of amounts that are computed.
    """

    name: str
    stains: tuple[str, ...]
    colours: tuple[Colour, ...]
    shape: tuple[int, int]
    frame: Frame | None
    read: Callable[[Region], NDArray[np.float32]]
    provenance: dict[str, Any]
    levels: tuple[Array, ...] = ()
