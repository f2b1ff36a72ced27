"""Descriptors of candidates: the eleven that were published, the same mended, and more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...core.errors import BadValueError, MissingScaleError, UnknownNameError
from .candidates import Labels
from .neighbourhood import NEAR_UM, WIDE_UM, Neighbourhood
from .parts import Doubles, Parts
from .picture import Picture, inside
from .ring import Ring
from .shape import eccentricity, hu_moments, hull_shape, log_hu, roundness

Preset = Literal["strict", "improved", "extended"]
Columns = dict[str, Doubles]


def describe(
    rgb: NDArray[np.uint8],
    labels: Labels,
    *,
    um_per_px: float | None,
    preset: Preset = "extended",
) -> Columns:
    """Describe every candidate of an image.

    Parameters
    ----------
    rgb : (y, x, 3) uint8
    labels : (y, x) int32
        Candidates 1 ... n (`find_candidates`).
    um_per_px : float, optional
        Side of a pixel, um. ``None`` where it is unknown: lengths then are px.
    preset : {"strict", "improved", "extended"}
        ``"strict"``: the eleven published descriptors. Seven Hu moments; mean and standard
        deviation of the distance from the contour to the convex hull, px; roundness,
        ``4 pi area / perimeter ** 2``; mean hue around the candidate, turns, as an arithmetic
        mean.
        ``"improved"``: the same eleven, with logarithms of the moments, distances over the
        equivalent diameter, roundness from Crofton's perimeter and at most 1, and the circular
        mean of the hue, weighted by saturation.
        ``"extended"``: these, and size, solidity, eccentricity, stain and nuclei around,
        texture inside, neighbours, and the distance to large voids.

    Returns
    -------
    dict of str to (n,) float64
        Finite always.

    Raises
    ------
    MissingScaleError
        Where the preset needs a scale and there is none.
    UnknownNameError
        Where there is no such preset.

    Examples
    --------
    >>> rgb = np.full((40, 40, 3), (200, 90, 140), np.uint8)
    >>> labels = np.zeros((40, 40), np.int32); labels[10:20, 10:20] = 1
    >>> found = describe(rgb, labels, um_per_px=None, preset="strict")
    >>> len(found), found["hull_mean"].tolist()
    (11, [0.0])
    """
    make = _preset(preset)
    if preset == "extended" and um_per_px is None:
        raise MissingScaleError(
            "The extended descriptors need the size of a pixel. Give um_per_px, or use the "
            "preset 'improved' or 'strict'."
        )
    parts = Parts.of(labels)
    if len(parts) == 0:
        return {name: np.zeros(0) for name in names(preset)}
    return make(Picture(rgb, parts, um_per_px))


def names(preset: Preset = "extended") -> tuple[str, ...]:
    """Return the names of the descriptors of a preset, in order.

    Examples
    --------
    >>> len(names("strict")), len(names("improved"))
    (11, 11)
    """
    labels = np.zeros((8, 8), np.int32)
    labels[3:5, 3:5] = 1
    blank = np.full((8, 8, 3), 240, np.uint8)
    return tuple(_preset(preset)(Picture(blank, Parts.of(labels), 1.0)))


def table(columns: Columns) -> Doubles:
    """Return columns side by side, ``(n, k) float64``."""
    return np.column_stack(list(columns.values()))


def _preset(preset: str) -> Callable[[Picture], Columns]:
    known = {"strict": _strict, "improved": _improved, "extended": _extended}
    if preset not in known:
        raise UnknownNameError(
            f"There is no preset of descriptors named {preset!r}. Known: {', '.join(known)}."
        )
    return known[preset]


def _strict(picture: Picture) -> Columns:
    parts = picture.parts
    mean, spread, _ = hull_shape(parts)
    return {
        **{f"hu_{i + 1}": column for i, column in enumerate(hu_moments(parts).T)},
        "hull_mean": mean,
        "hull_std": spread,
        "roundness": roundness(parts, crofton=False),
        "ring_hue": Ring(picture).mean_hue(),
    }


def _improved(picture: Picture) -> Columns:
    return _mended(picture, Ring(picture))[0]


def _mended(picture: Picture, ring: Ring) -> tuple[Columns, Columns]:
    """Return the eleven, mended, and what comes with them at no cost."""
    parts = picture.parts
    mean, spread, solidity = hull_shape(parts)
    diameter = 2 * np.sqrt(parts.area / np.pi)
    turns, agreement = ring.circular_hue()
    eleven = {
        **{f"log_hu_{i + 1}": column for i, column in enumerate(log_hu(hu_moments(parts)).T)},
        "hull_mean": mean / diameter,
        "hull_std": spread / diameter,
        "roundness": roundness(parts),
        "ring_hue": turns,
    }
    return eleven, {"solidity": solidity, "ring_hue_agreement": agreement}


def _extended(picture: Picture) -> Columns:
    um_per_px = picture.um_per_px
    if um_per_px is None or um_per_px <= 0:
        raise BadValueError(f"A pixel cannot be {um_per_px} um wide.")
    parts, ring, around = picture.parts, Ring(picture), Neighbourhood(picture)
    eleven, more = _mended(picture, ring)
    value, texture, saturation = inside(picture)
    count, nearest = around.neighbours()
    density = zip("rgb", picture.density, strict=True)
    far = zip("rgb", around.densities(WIDE_UM), strict=True)
    return {
        **eleven,
        **more,
        "log_area": np.log10(parts.area * um_per_px**2),
        "length_um": parts.length * um_per_px,
        "eccentricity": eccentricity(parts),
        **{f"ring_density_{name}": ring.mean(plane) for name, plane in density},
        "ring_saturation": ring.mean(picture.saturation),
        "value": value,
        "texture": texture,
        "saturation": saturation,
        "white_near": around.white_share(NEAR_UM),
        "white_wide": around.white_share(WIDE_UM),
        "nuclei_near": around.nuclear_share(NEAR_UM),
        "nuclei_wide": around.nuclear_share(WIDE_UM),
        **{f"density_wide_{name}": plane for name, plane in far},
        "neighbours": count,
        "nearest_um": nearest,
        "to_open_um": around.to_open(),
    }
