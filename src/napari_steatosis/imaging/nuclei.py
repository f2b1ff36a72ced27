"""Nuclei of hepatocytes in H&E, and the territory around each.

Haematoxylin is separated by its colour (Ruifrok & Johnston, Anal Quant Cytol Histol 2001, 23:291),
compared with what surrounds it, and nuclei that touch are parted by the watershed of their distance
transform. Territories are an expansion by a limited distance, as in CellProfiler and QuPath.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .separation import StainSeparation

UM_PER_PX = 0.5
"""Resolution at which nuclei are looked for, um."""

COARSEST_UM = 0.55
"""A slide with larger pixels does not show a nucleus well enough, um."""

SURROUND_STEP = 4
"""Pixels of the coarser grid on which the surroundings are averaged."""

SPLIT_UM = 3.0
"""Middles of two nuclei are at least so far apart, um."""

SMOOTH_UM = 0.75
"""Standard deviation of the smoothing of haematoxylin, um: nuclei are to stay whole."""

ABOVE_OTSU = 1.15
"""Threshold in units of Otsu's, set by looking at eight tiles of liver and at the drawn liver."""

HOLE_UM2, SPECK_UM2 = 15.0, 6.0
"""Holes up to the first area in a nucleus are filled; places up to the second are none."""


@dataclass(frozen=True)
class NucleusRule:
    """What is taken for the nucleus of a hepatocyte, and what for its own.

    Parameters
    ----------
    smallest_um2, largest_um2 : float
        Area.
    roundest : float
        Least ratio of the short to the long axis of the ellipse with the same moments: the
        nuclei of sinusoids and fibres are longer.
    fullest : float
        Least ratio of the area to that of this ellipse: 1 for an ellipse, less for a group.
    darkest : float
        Small nuclei whose haematoxylin exceeds the threshold so many times are lymphocytes.
    small_um2 : float
        Which nuclei count as small for that.
    territory_um : float
        What lies so far from a nucleus, and nearer to it than to another, is its own, um.
    least_fat_um2 : float
        So much fat of one droplet makes a hepatocyte one with fat.
    clump_um2 : float
        A piece so large of a droplet that mostly lies in another territory counts as well.
    """

    smallest_um2: float = 20.0
    largest_um2: float = 150.0
    roundest: float = 0.55
    fullest: float = 0.85
    darkest: float = 2.8
    small_um2: float = 32.0
    territory_um: float = 10.0
    least_fat_um2: float = 3.0
    clump_um2: float = 65.0

    @property
    def halo_um(self) -> float:
        """How far around a nucleus is looked for all that decides about it, um."""
        widest = 2 * float(np.sqrt(self.largest_um2 / np.pi))
        return 2 * (self.territory_um + widest) + SURROUND_UM * SURROUND_SIGMAS

    def to_json(self) -> dict[str, float]:
        """Return plain values."""
        return asdict(self)


SURROUND_UM = 10.0
"""Standard deviation of the weights by which the surroundings are averaged, um."""

SURROUND_SIGMAS = 2.5


@dataclass(frozen=True, eq=False)
class NuclearStain:
    """How dark nuclei are on one slide; fitted once, applied to every tile.

    Parameters
    ----------
    separation : StainSeparation
        With ``"haematoxylin"`` first.
    threshold : float
        A nucleus holds at least so much more haematoxylin than its surroundings.
    um_per_px : float
        Of the pixels that it was fitted to and is applied to, um.
    """

    separation: StainSeparation
    threshold: float
    um_per_px: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "vectors": [list(row) for row in self.separation.vectors],
            "white": list(self.separation.white),
            "threshold": self.threshold,
            "um_per_px": self.um_per_px,
        }


@dataclass(frozen=True, eq=False)
class Nuclei:
    """Nuclei of hepatocytes in a tile, one row each.

    Parameters
    ----------
    labels : (y, x) int32
        The nucleus of each pixel, 0 where there is none.
    territories : (y, x) int32
        The nucleus that each pixel around it belongs to.
    y_px, x_px : (n,) float64
        Centre of nucleus 1, 2, ...
    area_px, territory_px, fat_px : (n,) int64
        Pixels of the nucleus, of its territory, and those of them that are fat.
    with_fat : (n,) bool
        Whether a droplet is its own.
    """

    labels: NDArray[np.int32]
    territories: NDArray[np.int32]
    y_px: NDArray[np.float64]
    x_px: NDArray[np.float64]
    area_px: NDArray[np.int64]
    territory_px: NDArray[np.int64]
    fat_px: NDArray[np.int64]
    with_fat: NDArray[np.bool_]


def contrast_of(
    rgb: NDArray[np.uint8],
    tissue: NDArray[np.bool_],
    separation: StainSeparation,
    um_per_px: float,
) -> NDArray[np.float32]:
    """Return how much more haematoxylin every pixel holds than the tissue around it.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
        At about `UM_PER_PX`. Sides are multiples of `SURROUND_STEP`.
    tissue : (y, x) bool
        Tissue without fat: the surroundings are averaged over it.
    separation : StainSeparation
        With haematoxylin first.
    um_per_px : float
        Side of a pixel, um.

    Returns
    -------
    (y, x) float32
    """
    from scipy.ndimage import gaussian_filter

    amount = gaussian_filter(separation.amounts(rgb)[0], SMOOTH_UM / um_per_px, truncate=2.0)
    step = SURROUND_STEP
    sigma = SURROUND_UM / (um_per_px * step)

    def around(values: NDArray[np.float32]) -> NDArray[np.float32]:
        height, width = values.shape
        coarse = values.reshape(height // step, step, width // step, step).mean(axis=(1, 3))
        return np.asarray(gaussian_filter(coarse, sigma, truncate=SURROUND_SIGMAS))

    share = around(tissue.astype(np.float32))
    mean = around(amount * tissue) / np.maximum(share, np.float32(1e-3))
    surround = mean.repeat(step, axis=0).repeat(step, axis=1)
    return np.asarray(amount - surround, np.float32)


def fit_threshold(contrast: NDArray[np.float32]) -> float:
    """Return the contrast from which on a pixel is nucleus: `ABOVE_OTSU` times that of Otsu.

    Parameters
    ----------
    contrast : (n,) float32
        Of tissue from all over the slide, as `contrast_of` gives it.

    Raises
    ------
    BadValueError
        There are too few pixels.
    """
    from skimage.filters import threshold_otsu

    if len(contrast) < 1000:
        raise BadValueError(
            f"Nuclei are found by their contrast to tissue, and only {len(contrast)} pixels of "
            "tissue were there to fit it. Analyse a larger region."
        )
    return ABOVE_OTSU * float(threshold_otsu(contrast))


def find_nuclei(
    rgb: NDArray[np.uint8],
    tissue: NDArray[np.bool_],
    fat: NDArray[np.bool_],
    stain: NuclearStain,
    *,
    rule: NucleusRule | None = None,
) -> Nuclei:
    """Find the nuclei of hepatocytes in a tile, and whose of them the fat is.

    A droplet is the hepatocyte's in whose territory most of it lies; so is a piece of at least
    `NucleusRule.clump_um2`, since droplets that touch are one here. What lies within
    `NucleusRule.halo_um` of the edge of the tile may be cut.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
        At the resolution of `stain`. Sides are multiples of `SURROUND_STEP`.
    tissue : (y, x) bool
        What was analysed, fat included. Vessels outside it are nobody's territory.
    fat : (y, x) bool
        Fat.
    stain : NuclearStain
        Of the slide.
    rule : NucleusRule, optional
        What is taken for a nucleus.
    """
    rule = NucleusRule() if rule is None else rule
    um, solid = stain.um_per_px, tissue & ~fat
    contrast = contrast_of(rgb, solid, stain.separation, um)
    seeds = _parted((contrast > stain.threshold) & solid, um)
    labels = _chosen(seeds, contrast / stain.threshold, rule, um)
    return _with_fat(labels, tissue, fat, rule=rule, um=um)


def _parted(mask: NDArray[np.bool_], um: float) -> NDArray[np.int32]:
    """Return connected places as labels, those that touch parted by a watershed."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter, label
    from skimage.feature import peak_local_max
    from skimage.segmentation import watershed

    mask = ~_larger(~mask, HOLE_UM2 / um**2)
    mask = _larger(mask, SPECK_UM2 / um**2)
    depth = gaussian_filter(distance_transform_edt(mask).astype(np.float32), 1.0)
    labels, _ = label(mask)
    peaks = peak_local_max(
        depth, min_distance=round(SPLIT_UM / um), labels=labels, exclude_border=False
    )
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    return np.asarray(watershed(-depth, markers, mask=mask), np.int32)


def _larger(mask: NDArray[np.bool_], px: float) -> NDArray[np.bool_]:
    """Return the connected places of more than so many pixels."""
    from scipy.ndimage import label

    labels, _ = label(mask)
    large = np.bincount(labels.ravel()) > px
    large[0] = False
    return np.asarray(large[labels])


def _chosen(
    labels: NDArray[np.int32], darkness: NDArray[np.float32], rule: NucleusRule, um: float
) -> NDArray[np.int32]:
    """Keep what may be a hepatocyte's nucleus, numbered anew."""
    n = int(labels.max(initial=0))
    y, x = np.nonzero(labels)
    own = labels[y, x]
    area, (cy, cx) = _sums(own, n), _centres(own, y, x, n)
    dy, dx = y - cy[own], x - cx[own]
    filled = np.maximum(area, 1)
    yy, xx, xy = (
        _sums(own, n, of) / filled + extra
        for of, extra in ((dy * dy, 1 / 12), (dx * dx, 1 / 12), (dy * dx, 0.0))
    )
    middle, spread = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    long, short = middle + spread, np.maximum(middle - spread, 1e-9)
    dark = _sums(own, n, darkness[y, x]) / filled
    um2 = area * um**2
    keep = (um2 >= rule.smallest_um2) & (um2 <= rule.largest_um2)
    keep &= np.sqrt(short / long) >= rule.roundest
    keep &= area >= rule.fullest * 4 * np.pi * np.sqrt(short * long)
    keep &= (dark <= rule.darkest) | (um2 >= rule.small_um2)
    keep[0] = False
    number = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return np.asarray(number[labels])


def _with_fat(
    labels: NDArray[np.int32],
    tissue: NDArray[np.bool_],
    fat: NDArray[np.bool_],
    *,
    rule: NucleusRule,
    um: float,
) -> Nuclei:
    from scipy.ndimage import label
    from skimage.segmentation import expand_labels

    n = int(labels.max(initial=0))
    territories = expand_labels(labels, rule.territory_um / um)
    territories[~tissue] = 0
    y, x = np.nonzero(labels)
    cy, cx = _centres(labels[y, x], y, x, n)
    droplets, _ = label(fat, np.ones((3, 3), bool))
    shared = (territories > 0) & fat
    pairs, sizes = np.unique(
        np.stack([droplets[shared], territories[shared]], axis=1), axis=0, return_counts=True
    )
    largest = np.zeros(int(droplets.max(initial=0)) + 1, np.int64)
    np.maximum.at(largest, pairs[:, 0], sizes)
    um2 = sizes * um**2
    counts = (um2 >= rule.least_fat_um2) & (
        (sizes == largest[pairs[:, 0]]) | (um2 >= rule.clump_um2)
    )
    with_fat = np.zeros(n + 1, bool)
    with_fat[pairs[counts, 1]] = True
    return Nuclei(
        labels,
        territories,
        cy[1:],
        cx[1:],
        np.bincount(labels.ravel(), minlength=n + 1)[1:],
        np.bincount(territories.ravel(), minlength=n + 1)[1:],
        np.bincount(territories[fat], minlength=n + 1)[1:],
        with_fat[1:],
    )


def _sums(
    own: NDArray[np.int32], n: int, weights: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    return np.bincount(own, weights, minlength=n + 1).astype(np.float64)


def _centres(
    own: NDArray[np.int32], y: NDArray[np.int64], x: NDArray[np.int64], n: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    count = np.maximum(_sums(own, n), 1)
    return _sums(own, n, y) / count, _sums(own, n, x) / count
