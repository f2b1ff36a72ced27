"""Which zone of the lobule each place belongs to, by its distance to drawn vessels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Frame, Region
from ..core.mask import Mask
from ..core.prediction import Prediction

PLACE_UM = 8.0
"""Side of the places that are given a zone, um."""

REACH_UM = 1000.0
"""Tissue farther than this from what zones are measured from is in no zone, um."""

RING_ENDS_UM = (100.0, 200.0, 300.0)
"""Where rings end, um; one more goes on to `REACH_UM`."""

TILE = 1024
BAND = 1024

NAMES = ("periportal", "mid-zonal", "centrilobular")


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Drawn portal tracts and central veins, from which zones are measured.

    Parameters
    ----------
    portal, central : Mask, optional
        Where they are; at least one of the two.

    Raises
    ------
    BadValueError
        Neither is given.

    Examples
    --------
    >>> vein = Mask(np.ones((5, 5), bool), Frame((4.0, 4.0)))
    >>> Landmarks(central=vein).kinds
    ('central',)
    """

    portal: Mask | None = None
    central: Mask | None = None

    def __post_init__(self) -> None:
        if self.portal is None and self.central is None:
            raise BadValueError(
                "Zones are measured from portal tracts and central veins, and neither is drawn. "
                "Draw regions of the class 'portal' or 'central'."
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is drawn: ``"portal"``, ``"central"`` or both."""
        return tuple(kind for kind in ("portal", "central") if getattr(self, kind) is not None)

    @property
    def identity(self) -> dict[str, Any]:
        """What zones depend on, as plain values."""
        drawn = {kind: getattr(self, kind) for kind in self.kinds}
        return {
            kind: {"made_by": dict(mask.provenance), "content": mask.content}
            for kind, mask in drawn.items()
        }


@dataclass(frozen=True, eq=False)
class ZoneMap:
    """A zone for every place of a class map.

    Parameters
    ----------
    values : (rows, columns) uint8
        0 is no zone; 1, 2, 3 are periportal, mid-zonal and centrilobular where both kinds of
        landmarks are drawn, else rings from the landmark outwards.
    side_px : (int, int)
        Height and width of a place, px of the class map.
    frame : Frame
        Where the places lie in the tissue.
    kinds : tuple of str
        What zones are measured from: ``("portal", "central")``, or one of the two.
    regions : mapping of str to tuple of Region
        For each kind the boxes around its connected regions, in places.
    both : int
        Places that are drawn as portal and as central.
    drawn : mapping of str to (y, x) bool
        For each kind its places.
    """

    values: NDArray[np.uint8]
    side_px: tuple[int, int]
    frame: Frame
    kinds: tuple[str, ...]
    regions: dict[str, tuple[Region, ...]]
    both: int
    drawn: dict[str, NDArray[np.bool_]]

    @property
    def is_zonal(self) -> bool:
        """Whether these are zones 1 to 3, and not rings."""
        return len(self.kinds) == 2

    @property
    def count(self) -> int:
        """How many zones or rings there are."""
        return 3 if self.is_zonal else len(RING_ENDS_UM) + 1

    @property
    def prefix(self) -> str:
        """What the names of measurements begin with: ``"zone"`` or ``"ring"``."""
        return "zone" if self.is_zonal else "ring"

    def said(self, number: int) -> str:
        """Return in words, without a colon, which zone it is."""
        if self.is_zonal:
            return f"Zone {number}, {NAMES[number - 1]}"
        ends = (0.0, *RING_ENDS_UM, REACH_UM)
        return (
            f"Ring {number}, {ends[number - 1]:g} to {ends[number]:g} um from the nearest "
            f"{self.kinds[0]} region"
        )

    def meant(self, number: int) -> str:
        """Return in a sentence what the zone is."""
        if not self.is_zonal:
            return f"Only {self.kinds[0]} regions are drawn, so these are rings and no zones."
        share = ("less than 1/3", "1/3 to 2/3", "2/3 or more")[number - 1]
        return (
            f"Tissue whose distance to the nearest portal region is {share} of its distances to "
            "the nearest portal and the nearest central region together."
        )

    def at(self, y_px: NDArray[np.float64], x_px: NDArray[np.float64]) -> NDArray[np.uint8]:
        """Return the zone of points in px of the class map."""
        rows, columns = (
            np.clip(((px + 0.5) // side).astype(np.int64), 0, n - 1)
            for px, side, n in zip((y_px, x_px), self.side_px, self.values.shape, strict=True)
        )
        found: NDArray[np.uint8] = self.values[rows, columns]
        return found


def zone_map(prediction: Prediction, landmarks: Landmarks) -> ZoneMap:
    """Give every place of a class map its zone.

    Where portal and central regions are drawn, a place lies in zone 1, 2 or 3 by thirds of
    ``d_portal / (d_portal + d_central)``, the distances to the nearest region of each kind. Where
    one kind is drawn, it lies in a ring by its distance. Places inside a region are no parenchyma
    and lie in no zone; nor do those farther than `REACH_UM` from what they are measured from.

    Distances are exact between the centres of places of `PLACE_UM` (scipy's Euclidean distance
    transform), and computed tile by tile with the reach as halo: memory is a few bytes per place.

    Parameters
    ----------
    prediction : Prediction
        Of which the places are.
    landmarks : Landmarks
        In the same tissue coordinates.

    Examples
    --------
    >>> def dot(x): return Mask(np.ones((4, 4), bool), Frame((4.0, 4.0), (0.0, x)))
    >>> plane = Prediction("fat", [np.ones((8, 400), np.uint8)], ("fat",), Frame((1.0, 1.0)))
    >>> found = zone_map(plane, Landmarks(dot(2.0), dot(386.0)))
    >>> found.values[0, [0, 2, 25, 47]].tolist()
    [0, 1, 2, 3]
    """
    side = tuple(max(1, round(PLACE_UM / um)) for um in prediction.frame.um_per_px)
    shape = tuple(-(-n // own) for n, own in zip(prediction.shape, side, strict=True))
    frame = prediction.frame.coarser((float(side[0]), float(side[1])))
    drawn = {kind: burnt(getattr(landmarks, kind), frame, shape) for kind in landmarks.kinds}
    values = np.zeros(shape, np.uint8)
    halo = int(np.ceil(REACH_UM / min(frame.um_per_px))) + 1
    for tile in _tiles(shape):
        outer = tile.grow(halo).intersect(Region(y=0, x=0, height=shape[0], width=shape[1]))
        assert outer is not None
        away = [_distance(own[outer.slices], frame) for own in drawn.values()]
        if all(one is not None for one in away):
            zones = _zones([one[tile.within(outer)] for one in away if one is not None])
            values[tile.slices] = zones
    both = np.logical_and(*drawn.values()) if len(drawn) == 2 else np.zeros((0, 0), bool)
    regions = {kind: _regions(own) for kind, own in drawn.items()}
    places = values, (side[0], side[1]), frame
    return ZoneMap(*places, landmarks.kinds, regions, int(np.count_nonzero(both)), drawn)


def burnt(mask: Mask, frame: Frame, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the places that hold any yes of a mask, so that none is too small to be seen."""
    if mask.frame.mean_um_per_px > frame.mean_um_per_px:
        return mask.on(Region(y=0, x=0, height=shape[0], width=shape[1]), frame)
    found, values = np.zeros(shape, bool), mask.values
    for first in range(0, len(values), BAND):
        rows, columns = np.nonzero(values[first : first + BAND])
        centres = mask.frame.to_um(np.stack([rows + first, columns], axis=1))
        y, x = np.rint(frame.to_px(centres)).astype(np.int64).T
        inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
        found[y[inside], x[inside]] = True
    return found


def _tiles(shape: tuple[int, ...]) -> Iterator[Region]:
    for y in range(0, shape[0], TILE):
        for x in range(0, shape[1], TILE):
            height, width = min(TILE, shape[0] - y), min(TILE, shape[1] - x)
            yield Region(y=y, x=x, height=height, width=width)


def _distance(drawn: NDArray[np.bool_], frame: Frame) -> NDArray[np.float32] | None:
    """Return the distance to the nearest drawn place, um; None where none is in view."""
    from scipy.ndimage import distance_transform_edt

    if not drawn.any():
        return None
    away = partial(distance_transform_edt, sampling=frame.um_per_px)
    return np.asarray(away(~drawn), np.float32)


def _zones(away: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    near = np.logical_and.reduce([(one > 0) & (one <= REACH_UM) for one in away])
    if len(away) == 1:
        found = 1 + np.digitize(away[0], RING_ENDS_UM)
    else:
        portal, central = away
        share = 3 * portal / np.maximum(portal + central, np.float32(1e-3))
        found = 1 + (share >= 1).astype(np.uint8) + (share >= 2)
    return np.where(near, found, 0).astype(np.uint8)


def _regions(drawn: NDArray[np.bool_]) -> tuple[Region, ...]:
    from scipy.ndimage import find_objects, label

    labels, _ = label(drawn, np.ones((3, 3), bool))
    return tuple(
        Region(y=y.start, x=x.start, height=y.stop - y.start, width=x.stop - x.start)
        for y, x in find_objects(labels)
    )
