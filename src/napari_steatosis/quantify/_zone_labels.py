"""Zones and what they are measured from as labels, to be looked at."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..core.label_image import LabelImage
from ..core.prediction import NOT_ANALYSED, Prediction
from ._zone_map import NAMES, RING_ENDS_UM, ZoneMap

ZONES = "zones"


def zone_labels(prediction: Prediction, zones: ZoneMap) -> LabelImage:
    """Return the zone of every place of 8 um that was analysed, and the drawn regions.

    Parameters
    ----------
    prediction : Prediction
        Whose tissue it is.
    zones : ZoneMap
        Of it.

    Returns
    -------
    LabelImage
        1, 2, ... are zones or rings, then come the drawn regions; ``properties[value]["class"]``
        says which. 0: not analysed, in no zone, or drawn as portal and as central.

    Examples
    --------
    >>> from napari_steatosis.core.geometry import Frame
    >>> from napari_steatosis.core.mask import Mask
    >>> from napari_steatosis.quantify._zone_map import Landmarks, zone_map
    >>> vein = Mask(np.ones((2, 2), bool), Frame((8.0, 8.0)))
    >>> fat = Prediction("fat", [np.ones((8, 160), np.uint8)], ("fat",), Frame((1.0, 1.0)))
    >>> seen = zone_labels(fat, zone_map(fat, Landmarks(central=vein)))
    >>> [(int(value), seen.properties[value]["class"]) for value in seen.levels[0][0, [0, 5]]]
    [(5, 'central region'), (1, '0 to 100 um from a central region')]
    """
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
    twice = np.add.reduce([own.astype(np.uint8) for own in zones.drawn.values()]) > 1
    for number, own in enumerate(zones.drawn.values(), start=zones.count + 1):
        values[own] = number
    values[twice] = 0
    names = (*_names(zones), *(f"{kind} region" for kind in zones.kinds))
    known = {number: {"class": name} for number, name in enumerate(names, start=1)}
    return LabelImage(ZONES, [values], zones.frame, properties=known)


def _names(zones: ZoneMap) -> tuple[str, ...]:
    if zones.is_zonal:
        return tuple(f"zone {number}, {name}" for number, name in enumerate(NAMES, start=1))
    ends, kind = (0.0, *RING_ENDS_UM), zones.kinds[0]
    near = [f"{a:g} to {b:g} um from a {kind} region" for a, b in pairwise(ends)]
    return (*near, f"more than {ends[-1]:g} um from a {kind} region")
