"""Change of resolution whose result at a pixel does not depend on where the crop began."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import BadValueError


def box_mean(rgb: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Average blocks of `factor` x `factor` pixels; ragged blocks average what they have.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
        Image whose first pixel starts a block.
    factor : int
        Side of a block, px.

    Returns
    -------
    (ceil(y / factor), ceil(x / factor), 3) uint8

    Examples
    --------
    >>> box_mean(np.full((5, 4, 3), 7, np.uint8), 2).shape
    (3, 2, 3)
    """
    if factor < 1:
        raise BadValueError(f"The factor must be at least 1, got {factor}.")
    if factor == 1:
        return rgb
    height, width = rgb.shape[:2]
    ragged = (-height % factor, -width % factor)
    if any(ragged):
        rgb = np.pad(rgb, ((0, ragged[0]), (0, ragged[1]), (0, 0)), mode="edge")
    # Summing strided views is several times faster than a mean over a five-dimensional view.
    total = np.zeros((rgb.shape[0] // factor, rgb.shape[1] // factor, 3), np.uint32)
    for dy in range(factor):
        for dx in range(factor):
            total += rgb[dy::factor, dx::factor]
    n = factor * factor
    return ((total + n // 2) // n).astype(np.uint8)


def source_span(start: int, length: int, factor: float) -> tuple[int, int]:
    """Return the first source pixel, and how many, that `length` pixels from `start` need."""
    first = int(np.floor(start * factor)) - 1
    last = int(np.ceil((start + length) * factor)) + 1
    return first, last - first


def resample(
    rgb: NDArray[np.uint8],
    *,
    first: tuple[int, int],
    start: tuple[int, int],
    shape: tuple[int, int],
    factor: tuple[float, float],
) -> NDArray[np.uint8]:
    """Resample a crop by any factor, in the global phase of the plane.

    Shrinking averages the area that a target pixel covers; enlarging interpolates linearly.
    Target pixel ``i`` covers ``[i * factor, (i + 1) * factor)`` of the source, whatever the
    crop, so neighbouring tiles agree to the last bit.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
        Source pixels that begin at `first`, as `source_span` says.
    first, start : (int, int)
        Position of the crop in the source and of the result in the target, px.
    shape : (int, int)
        Height and width of the result, px.
    factor : (float, float)
        Source pixels per target pixel, along y and x.

    Returns
    -------
    (height, width, 3) uint8
    """
    rows = _along_first_axis(rgb.astype(np.float32), first[0], start[0], shape[0], factor[0])
    columns = _along_first_axis(
        rows.transpose(1, 0, 2), first[1], start[1], shape[1], factor[1]
    ).transpose(1, 0, 2)
    return np.ascontiguousarray(np.clip(np.rint(columns), 0, 255).astype(np.uint8))


def _along_first_axis(
    values: NDArray[np.float32], first: int, start: int, length: int, factor: float
) -> NDArray[np.float32]:
    target = np.arange(start, start + length, dtype=np.float64)
    if factor >= 1:  # share of each source pixel in the interval that the target covers
        low, high = target * factor, (target + 1) * factor
        base = np.floor(low).astype(np.int64)
        taps = int(np.ceil(factor)) + 1
        source = base[:, None] + np.arange(taps)
        weight = np.minimum(source + 1, high[:, None]) - np.maximum(source, low[:, None])
    else:
        centre = (target + 0.5) * factor - 0.5
        base = np.floor(centre).astype(np.int64)
        source = base[:, None] + np.arange(2)
        weight = 1 - np.abs(centre[:, None] - source)
    weight = np.clip(weight, 0, None)
    weight = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
    index = np.clip(source - first, 0, len(values) - 1)
    out = np.zeros((length, *values.shape[1:]), np.float32)
    for tap in range(index.shape[1]):
        out += weight[:, tap, None, None] * values[index[:, tap]]
    return out
