"""White candidates: pale and bright pixels, taken apart where they merely touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BadValueError

Labels = NDArray[np.int32]
"""0 where there is no candidate, else its number from 1 on."""

EIGHT = np.ones((3, 3), bool)
CROSS = ((-1, 0), (1, 0), (0, -1), (0, 1))

CORE = 0.8
"""The core of a part is at least this share as deep as the deepest pixel near by."""

CORE_UM = 4.0
"""How far "near by" reaches, um."""

AROUND_PX = 15
"""Side of the square whose colours order pixels of equal depth, px."""

STEPS = 64
"""Steps of depth per px where depths are compared."""

LEAST_DEPTH_PX = 1.4
"""Parts shallower than this are threads: an erosion by a disc of 1 px leaves nothing of them."""


@dataclass(frozen=True)
class CandidateRule:
    """What is a candidate.

    Parameters
    ----------
    saturation : float
        Highest saturation (HSV) of a white pixel, 0 to 1.
    value : float
        Lowest value (HSV) of a white pixel, 0 to 1.
    separate : {"erosion", "watershed"}
        How places that touch are taken apart: by an erosion with a disc of 1 px, after which
        each part grows back into the white around it; or by a watershed of the depth, which
        also cuts droplets that share a broader neck.
    smallest_um2 : float
        Smaller parts are left out, um2.

    Raises
    ------
    BadValueError
        Where a value cannot be used.
    """

    saturation: float = 0.10
    value: float = 0.78
    separate: Literal["erosion", "watershed"] = "erosion"
    smallest_um2: float = 3.0

    def __post_init__(self) -> None:
        if not (0 <= self.saturation <= 1 and 0 <= self.value <= 1):
            raise BadValueError(
                f"Saturation and value lie between 0 and 1, got {self.saturation}, {self.value}."
            )
        if self.separate not in ("erosion", "watershed") or self.smallest_um2 < 0:
            raise BadValueError(
                f"Candidates are taken apart by 'erosion' or 'watershed', and the smallest has no "
                f"negative area, got {self.separate!r}, {self.smallest_um2} um2."
            )


def white_pixels(rgb: NDArray[np.uint8], rule: CandidateRule) -> NDArray[np.bool_]:
    """Return where pixels are pale and bright enough.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
    rule : CandidateRule

    Returns
    -------
    (y, x) bool

    Examples
    --------
    >>> white_pixels(np.uint8([[[240, 235, 238], [240, 200, 230]]]), CandidateRule()).tolist()
    [[True, False]]
    """
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    levels = np.arange(256)
    most = np.floor(rule.saturation * levels + 1e-9).astype(np.uint8)
    least = int(np.ceil(255 * rule.value - 1e-9))
    return (high >= least) & (high - low <= most[high])


def find_candidates(rgb: NDArray[np.uint8], rule: CandidateRule, um_per_px: float) -> Labels:
    """Return the candidates of an image as labels, 8-connected.

    A pixel's label depends on its surroundings only, so that tiles with enough of these agree
    on every candidate that they see as a whole.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
    rule : CandidateRule
    um_per_px : float
        Side of a pixel, um.

    Returns
    -------
    (y, x) int32
        Numbers 1 ... n in the order of their first pixels.

    Examples
    --------
    >>> rgb = np.full((9, 20, 3), (200, 90, 140), np.uint8)
    >>> rgb[2:7, 2:8] = rgb[2:7, 10:18] = 240
    >>> rgb[4, 8:10] = 240  # a thread that hangs them together
    >>> int(find_candidates(rgb, CandidateRule(), 1.0).max())
    2
    """
    white = white_pixels(rgb, rule)
    if rule.separate == "erosion":
        labels = _grown(white)
    else:
        labels = _flooded(white, rgb, um_per_px)
    return numbered(labels, rule.smallest_um2 / um_per_px**2)


def numbered(labels: Labels, least_px: float = 1) -> Labels:
    """Return labels without those of fewer pixels, numbered 1 ... n by their first pixel."""
    area = np.bincount(labels.ravel())
    area[0] = 0
    keep = (area > 0) & (area >= least_px)
    flat = np.flatnonzero(labels)
    first = np.full(len(area), labels.size, np.int64)
    first[labels.ravel()[flat[::-1]]] = flat[::-1]
    kept = np.flatnonzero(keep)
    number = np.zeros(len(area), np.int32)
    number[kept[np.argsort(first[kept])]] = np.arange(1, len(kept) + 1)
    return number[labels]


def _grown(white: NDArray[np.bool_]) -> Labels:
    """Erode by a disc of 1 px, label, and let the labels grow back by as much."""
    from scipy import ndimage

    labels = np.zeros(white.shape, np.int32)
    ndimage.label(_eroded(white), EIGHT, output=labels)
    seeds = np.pad(labels, 1)
    height, width = white.shape
    for dy, dx in CROSS:
        beside = seeds[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        np.copyto(labels, beside, where=white & (labels == 0))
    return labels


def _eroded(white: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Erode by a disc of 1 px; what lies outside the image erodes nothing."""
    core = white.copy()
    core[1:] &= white[:-1]
    core[:-1] &= white[1:]
    core[:, 1:] &= white[:, :-1]
    core[:, :-1] &= white[:, 1:]
    return core


def _flooded(white: NDArray[np.bool_], rgb: NDArray[np.uint8], um_per_px: float) -> Labels:
    """Cut white places at their necks: a watershed of the depth from the cores of the parts."""
    from scipy import ndimage
    from skimage.segmentation import watershed

    if white.all():
        return white.astype(np.int32)
    opened = _grown(white) > 0
    depth = ndimage.distance_transform_edt(white)
    steps = np.minimum(depth * STEPS, 2**16 - 1).astype(np.uint16) * opened
    deepest = steps
    for _ in range(max(1, round(CORE_UM / um_per_px))):  # through white only
        deepest = _highest(deepest) * opened
    core = opened & (depth >= LEAST_DEPTH_PX) & (steps >= CORE * deepest.astype(np.float32))
    seeds, _ = ndimage.label(core, EIGHT)
    flooded = watershed(_unequal(rgb) - depth, seeds, mask=opened, connectivity=2)
    return flooded.astype(np.int32)


def _unequal(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return what is added to depths so that hardly any two pixels are equally deep.

    Equals are flooded in the order of a queue, which other tiles do not share. The colours
    around a pixel and its place in a square of 8 px put pixels into an order that all tiles
    agree on; what they add is far less than any step of the depth.
    """
    colours = rgb.astype(np.int64) @ np.array([7, 11, 13])
    far = AROUND_PX // 2
    total = np.pad(colours, ((far + 1, far), (far + 1, far))).cumsum(0).cumsum(1)
    size = AROUND_PX
    around = total[size:, size:] - total[:-size, size:] - total[size:, :-size]
    around += total[:-size, :-size]
    rows, columns = np.ogrid[: rgb.shape[0], : rgb.shape[1]]
    return around * 1e-10 + (rows % 8 * 8 + columns % 8) * 1e-6


def _highest(values: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return the highest of each value and its eight neighbours."""
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        found = values.copy()
        np.maximum(found[one], values[other], out=found[one])
        np.maximum(found[other], values[one], out=found[other])
        values = found
    return values
