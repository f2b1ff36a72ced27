"""An image of labels over a slide, from this program or another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .geometry import Frame
from .prediction import Array

Rgba = tuple[int, int, int, int]
"""Red, green, blue and opacity, 0 to 255."""


@dataclass(frozen=True, eq=False)
class LabelImage:
    """Integer labels with colours and properties, as OME-NGFF ``image-label`` holds them.

    A `Prediction` is what a model of this program said, with its provenance; a `LabelImage`
    may come from anywhere: a pathologist, QuPath, another segmentation.

    Parameters
    ----------
    name : str
        Of the label image, ``"nuclei"``.
    levels : sequence of (y, x) integer arrays
        Pyramid, finest first (zarr arrays, or numpy); 0 is background.
    frame : Frame, optional
        Where the pixels of level 0 lie in the tissue; None where the size of a pixel is
        unknown, and the pixels are those of the slide's level 0.
    colours : mapping of int to Rgba
        Label value to colour; values that are not listed are the viewer's choice.
    properties : mapping of int to mapping
        Label value to what is known of it (``{"class": "fat", "area_um2": 12.5}``).

    Examples
    --------
    >>> import numpy as np
    >>> LabelImage("nuclei", [np.zeros((4, 6), np.int32)], Frame((0.5, 0.5))).shape
    (4, 6)
    """

    name: str
    levels: Sequence[Array]
    frame: Frame | None = None
    colours: Mapping[int, Rgba] = field(default_factory=dict)
    properties: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of level 0, px."""
        height, width = self.levels[0].shape
        return height, width
