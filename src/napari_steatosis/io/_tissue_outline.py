"""The outline of what was analysed, simplified, from a coarse sample of the class map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame
from ..core.prediction import NOT_ANALYSED, Prediction

LONGEST_PX = 2048
"""The longer side of the sample is at most this."""

LEAST_SHARE = 1e-4
"""Pieces and holes below this share of the sample are left out."""

Polygon = list[NDArray[np.float64]]
"""Outer ring and holes, ``(n, 2)`` closed rings of (y, x) in um."""


def coarse_sample(prediction: Prediction, longest_px: int) -> tuple[NDArray[np.uint8], Frame]:
    """Return a class map of at most `longest_px`, by taking every n-th pixel, and its frame."""
    fine_enough = [level for level in prediction.levels if max(level.shape) >= longest_px]
    source = fine_enough[-1] if fine_enough else prediction.levels[0]
    stride = -(-max(source.shape) // longest_px)
    level = len(fine_enough) - 1 if fine_enough else 0
    sample = np.asarray(source[::stride, ::stride], np.uint8)
    return sample, prediction.frame.coarser(float(2**level * stride))


def tissue_outline(prediction: Prediction) -> list[Polygon]:
    """Return the outlines of what was analysed, within about two pixels of the sample."""
    from scipy import ndimage
    from skimage.measure import approximate_polygon, find_contours

    sample, frame = coarse_sample(prediction, LONGEST_PX)
    pieces, n = ndimage.label(np.pad(sample != NOT_ANALYSED, 1))
    least = LEAST_SHARE * sample.size

    def ring(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        longest = max(find_contours(mask.astype(np.float32), 0.5), key=len)
        return frame.to_um(approximate_polygon(longest, tolerance=1.0) - 1)

    polygons = []
    for piece in range(1, n + 1):
        own = pieces == piece
        if np.count_nonzero(own) < least:
            continue
        filled = ndimage.binary_fill_holes(own)
        holes, count = ndimage.label(filled & ~own)
        sizes = np.bincount(holes.ravel(), minlength=count + 1)
        large = [hole for hole in range(1, count + 1) if sizes[hole] >= least]
        polygons.append([ring(filled), *(ring(holes == hole) for hole in large)])
    return [polygon for polygon in polygons if len(polygon[0]) >= 4]
