"""Zones as labels of the tissue that was analysed, to be looked at."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame
from ..core.prediction import NOT_ANALYSED, Prediction
from ._zone_map import NAMES, RING_ENDS_UM, Landmarks, zone_map


def zone_labels(
    prediction: Prediction, landmarks: Landmarks
) -> tuple[NDArray[np.uint8], Frame, tuple[str, ...]]:
    """Return the zone of every place of 8 um that was analysed.

    Parameters
    ----------
    prediction : Prediction
        Whose tissue it is.
    landmarks : Landmarks
        What zones are measured from.

    Returns
    -------
    values : (y, x) uint8
        0 where nothing was analysed, or where it is in no zone.
    frame : Frame
        Where the places lie in the tissue.
    names : tuple of str
        What 1, 2, ... are.

    Examples
    --------
    >>> from napari_steatosis.core.mask import Mask
    >>> vein = Mask(np.ones((2, 2), bool), Frame((8.0, 8.0)))
    >>> fat = Prediction("fat", [np.ones((8, 160), np.uint8)], ("fat",), Frame((1.0, 1.0)))
    >>> values, _, names = zone_labels(fat, Landmarks(central=vein))
    >>> values[0, [0, 5, 19]].tolist(), names[0]
    ([0, 1, 2], '0 to 100 um from a central region')
    """
    zones = zone_map(prediction, landmarks)
    side = np.array(zones.side_px)
    factors = [max(1, round(prediction.shape[0] / level.shape[0])) for level in prediction.levels]
    fine = [k for k, factor in enumerate(factors) if factor <= side.min()]
    level, factor = prediction.levels[fine[-1]], factors[fine[-1]]
    middle = [
        np.minimum((np.arange(n) * own + own // 2) // factor, last - 1)
        for n, own, last in zip(zones.values.shape, side, level.shape, strict=True)
    ]
    seen = np.asarray(level[:])[np.ix_(*middle)]
    values = np.where(seen != NOT_ANALYSED, zones.values, 0).astype(np.uint8)
    if zones.is_zonal:
        return values, zones.frame, tuple(f"zone {i + 1}, {name}" for i, name in enumerate(NAMES))
    ends, kind = (0.0, *RING_ENDS_UM), zones.kinds[0]
    near = [f"{a:g} to {b:g} um from a {kind} region" for a, b in pairwise(ends)]
    return values, zones.frame, (*near, f"more than {ends[-1]:g} um from a {kind} region")
