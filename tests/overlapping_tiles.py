"""What the made slides of several vendors share: tiles that overlap, and plain pictures."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

RGB = NDArray[np.uint8]

TILE, OVERLAP = 64, 8
STEP = TILE - OVERLAP
ROWS, COLUMNS = 4, 8
SHAPE = (TILE + (ROWS - 1) * STEP, TILE + (COLUMNS - 1) * STEP)

GREEN, RED, BLUE = (20, 200, 60), (200, 30, 30), (30, 40, 190)
"""Colours of the label, macro and thumbnail."""


def plain(colour: tuple[int, int, int], height: int = 64, width: int = 64) -> RGB:
    """A picture of one colour."""
    return np.full((height, width, 3), colour, np.uint8)


def jpeg(rgb: RGB) -> bytes:
    """The bytes of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=95, subsampling=0)
    return file.getvalue()


def mosaic(rgb: RGB) -> RGB:
    """The overlapping tiles that cover a picture, side by side."""
    out = np.empty((ROWS * TILE, COLUMNS * TILE, 3), np.uint8)
    for row, column in np.ndindex(ROWS, COLUMNS):
        tile = rgb[row * STEP : row * STEP + TILE, column * STEP : column * STEP + TILE]
        out[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = tile
    return out
