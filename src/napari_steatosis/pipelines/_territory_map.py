"""A map of the territories of nuclei, with and without fat, painted while nuclei are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame, Region
from ..core.label_image import LabelImage
from ..core.plane import Plane
from ..imaging.nuclei import Nuclei
from ..quantify._hepatocytes import TERRITORIES, WITH_FAT, WITHOUT_FAT

STEP = 2
"""Pixels of the slide, at about 0.5 um, per pixel of the map."""

CHUNK_PX = 512
COARSEST_PX = 1024
"""The longer side of the coarsest level is at most this."""

BAND = 2048


@dataclass(frozen=True, eq=False)
class Patch:
    """The territories of one tile: `values` (y, x) uint8 from `y`, `x` of the map on."""

    y: int
    x: int
    values: NDArray[np.uint8]


def patch_of(found: Nuclei, own: NDArray[np.bool_], outer: Region) -> Patch:
    """Return the territories of the nuclei that a tile owns.

    Parameters
    ----------
    found : Nuclei
        Of the tile.
    own : (n,) bool
        Which of them it owns.
    outer : Region
        What the tile saw, in px of the plane; begins at multiples of `STEP`.
    """
    code = np.where(found.with_fat, WITH_FAT, WITHOUT_FAT) * own
    seen = found.territories[::STEP, ::STEP]
    values = np.concatenate([[0], code]).astype(np.uint8)[seen]
    rows, columns = (np.flatnonzero(values.any(axis)) for axis in (1, 0))
    y, x = outer.y // STEP, outer.x // STEP
    if not len(rows):
        return Patch(y, x, values[:0, :0])
    kept = values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Patch(y + int(rows[0]), x + int(columns[0]), kept)


class TerritoryMap:
    """A map of a plane that takes patches, one after the other; compressed in memory.

    Parameters
    ----------
    plane : Plane
        That nuclei are looked for on.
    """

    def __init__(self, plane: Plane) -> None:
        um_y, um_x = plane.frame.um_per_px
        self._frame = Frame((STEP * um_y, STEP * um_x), plane.frame.origin_um)
        self._finest = _empty((-(-plane.height // STEP), -(-plane.width // STEP)))

    def add(self, patch: Patch) -> None:
        """Paint the territories of a tile; those of its neighbours stay."""
        height, width = self._finest.shape
        y, x = max(patch.y, 0), max(patch.x, 0)
        values = patch.values[y - patch.y : height - patch.y, x - patch.x : width - patch.x]
        if not values.size:
            return
        place = slice(y, y + values.shape[0]), slice(x, x + values.shape[1])
        self._finest[place] = np.where(values > 0, values, self._finest[place])

    def image(self) -> LabelImage:
        """Return the map with its coarser levels."""
        levels = [self._finest]
        while max(levels[-1].shape) > COARSEST_PX:
            levels.append(_halved(levels[-1]))
        classes = {WITHOUT_FAT: "without fat", WITH_FAT: "with fat"}
        known = {value: {"class": name} for value, name in classes.items()}
        return LabelImage(TERRITORIES, levels, self._frame, properties=known)


def _empty(shape: tuple[int, ...]) -> Any:
    import zarr

    chunks = tuple(min(CHUNK_PX, n) for n in shape)
    return zarr.create_array(
        zarr.storage.MemoryStore(), shape=shape, chunks=chunks, dtype="uint8", fill_value=0
    )


def _halved(level: Any) -> Any:
    made = _empty(tuple(-(-n // 2) for n in level.shape))
    for y in range(0, level.shape[0], BAND):
        made[y // 2 : (y + BAND) // 2] = level[y : y + BAND][::2, ::2]
    return made
