"""The hepatocytes of a slide by their nuclei, tile by tile, and which of them hold fat."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Frame, Region
from ..core.grid import Grid, Tile
from ..core.plane import Plane
from ..core.prediction import NOT_ANALYSED, Prediction
from ..core.report import Columns
from ..core.slide import Slide
from ..imaging.nuclei import (
    COARSEST_UM,
    SURROUND_STEP,
    UM_PER_PX,
    NuclearStain,
    NucleusRule,
    contrast_of,
    find_nuclei,
    fit_threshold,
)
from ..quantify import Hepatocytes
from ._territory_map import Patch, TerritoryMap, patch_of

Counting = Literal["squares", "nuclei"]
"""How the share of hepatocytes with fat is estimated."""

TILE_PX = 1024
FITTED_TILES = 24
FITTED_PX = 256
LONGEST_PX = 2000
SEED = 20120
MOST_AT_ONCE = 4
"""Tiles that are looked at side by side: each takes about 100 MB."""


def find_hepatocytes(
    prediction: Prediction, *, should_stop: Callable[[], bool] = lambda: False
) -> Hepatocytes:
    """Find the hepatocytes whose nucleus shows, on the slide that a class map of fat is of.

    Parameters
    ----------
    prediction : Prediction
        With its slide, H&E at 0.5 um/px or finer, and the class ``"fat"``.
    should_stop : callable
        Asked between tiles; when it says yes, what is missing is not looked at.

    Returns
    -------
    Hepatocytes
        Its table has one row per nucleus, from the top: ``y_um, x_um`` its centre in the tissue,
        ``nucleus_area_um2``, ``territory_area_um2`` and ``fat_area_um2`` of what is its own, and
        ``with_fat``: whether a droplet is. Its ``territories`` are a map of what is whose. What is
        taken for a nucleus is in `imaging.nuclei.NucleusRule`. **Not validated against counts by
        hand.**

    Raises
    ------
    BadValueError
        The prediction has no slide, the slide is too coarse or not H&E, or has too little tissue.
    MissingScaleError
        The slide has no pixel size.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 512, seed=1, glass=False)
    >>> found = find_hepatocytes(st.analyse(slide).prediction)
    >>> bool(len(found.table["y_um"]) > 50)
    True
    """
    with closing(hepatocyte_steps(prediction, should_stop=should_stop)) as steps:
        while True:
            try:
                next(steps)
            except StopIteration as end:
                found: Hepatocytes = end.value
                return found


def hepatocyte_steps(
    prediction: Prediction, *, should_stop: Callable[[], bool] = lambda: False
) -> Generator[float, None, Hepatocytes]:
    """Do the same and say which share is done, from 0 to 1.

    Yields
    ------
    float

    Returns
    -------
    Hepatocytes
    """
    search = _search(prediction)
    grid = Grid(search.plane.height, search.plane.width, tile_px=TILE_PX, multiple_px=SURROUND_STEP,
                halo_px=search.halo_px)  # fmt: skip
    tiles = [tile for tile in grid if search.holds(tile.inner)]
    found, waiting, around = [_empty()], deque[Any](), TerritoryMap(search.plane)

    def take() -> None:
        columns, patch = waiting.popleft().result()
        found.append(columns)
        around.add(patch)

    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        for tile in tiles:
            if should_stop():
                break
            waiting.append(pool.submit(search.look, tile))
            if len(waiting) >= MOST_AT_ONCE:
                take()
                yield (len(found) - 1) / len(tiles)
        while waiting:
            take()
            yield (len(found) - 1) / len(tiles)
    table = {name: np.concatenate([one[name] for one in found]) for name in found[0]}
    order = np.lexsort((table["x_um"], table["y_um"]))
    made_by = {"rule": search.rule.to_json(), "stain": search.stain.to_json()}
    return Hepatocytes({k: values[order] for k, values in table.items()}, made_by, around.image())


def checked_for_nuclei(slide: Slide | None) -> Slide:
    """Return a slide on which nuclei can be looked for.

    Raises
    ------
    BadValueError
        There is none, its pixels are too large, or it is not H&E.
    MissingScaleError
        Its pixel size is unknown.
    """
    from ..imaging.stain_guess import guess_stain

    if slide is None:
        raise BadValueError(
            "Nuclei are looked for on the slide, and this class map has none that can be opened. "
            "Open the slide, or count hepatocytes by squares (--hepatocytes squares)."
        )
    um = slide.frame().mean_um_per_px
    if um > COARSEST_UM:
        raise BadValueError(
            f"{slide.path}: its pixels are {um:.4g} um wide, and nuclei are looked for at "
            f"{UM_PER_PX:g} um or finer (up to {COARSEST_UM:g} counts as that). Count hepatocytes "
            "by squares instead (--hepatocytes squares)."
        )
    guess = guess_stain(slide)
    if guess.name not in ("H&E", "unknown"):
        raise BadValueError(
            f"{slide.path}: nuclei of hepatocytes are looked for in H&E, and this slide looks like "
            f"{guess.name}: {guess.reason} Count by squares instead (--hepatocytes squares)."
        )
    return slide


@dataclass(frozen=True, eq=False)
class _Search:
    """What every tile needs: the slide, the class map, and the stain of the nuclei."""

    plane: Plane
    prediction: Prediction
    stain: NuclearStain
    rule: NucleusRule

    @property
    def halo_px(self) -> int:
        """The halo of a tile, a multiple of the step of the surroundings."""
        px = self.rule.halo_um / self.plane.frame.mean_um_per_px
        return int(np.ceil(px / SURROUND_STEP)) * SURROUND_STEP

    def classes(self, region: Region) -> NDArray[np.uint8]:
        return classes_on(self.prediction, region, self.plane.frame)

    def holds(self, region: Region) -> bool:
        """Say whether anything in a region was analysed."""
        return bool(self.classes(region).any())

    def look(self, tile: Tile) -> tuple[Columns, Patch]:
        """Return the nuclei whose centre lies in what a tile owns, and their territories."""
        outer, classes = tile.outer, self.classes(tile.outer)
        fat = classes == self.prediction.value_of("fat")
        tissue = classes != NOT_ANALYSED
        found = find_nuclei(self.plane.read(outer), tissue, fat, self.stain, rule=self.rule)
        y, x, inner = found.y_px + outer.y, found.x_px + outer.x, tile.inner
        own = (y >= inner.y - 0.5) & (y < inner.y_end - 0.5)
        own &= (x >= inner.x - 0.5) & (x < inner.x_end - 0.5)
        centre = self.plane.frame.to_um(np.stack([y[own], x[own]], axis=1))
        um2 = self.plane.frame.um2_per_px
        table = {
            "y_um": centre[:, 0],
            "x_um": centre[:, 1],
            "nucleus_area_um2": found.area_px[own] * um2,
            "territory_area_um2": found.territory_px[own] * um2,
            "fat_area_um2": found.fat_px[own] * um2,
            "with_fat": found.with_fat[own],
        }
        return table, patch_of(found, own, outer)


def _search(prediction: Prediction) -> _Search:
    plane = checked_for_nuclei(prediction.slide).at(UM_PER_PX)
    return _Search(plane, prediction, fit_nuclear_stain(plane, prediction), NucleusRule())


def fit_nuclear_stain(plane: Plane, prediction: Prediction) -> NuclearStain:
    """Fit how dark nuclei are, on tissue from all over what was analysed; the same each time.

    Raises
    ------
    BadValueError
        There is too little tissue.
    """
    from ..imaging.optics import spread_pixels, white_level
    from ..imaging.separation import separation

    um = plane.frame.mean_um_per_px
    coarse = plane.slide.levels[-1].downsample * plane.slide.frame().mean_um_per_px
    stains = separation("H&E", white=white_level(spread_pixels(plane.slide.at(max(coarse, um)))))
    seen, value = [], prediction.value_of("fat")
    for region in _samples(plane, prediction):
        classes = classes_on(prediction, region, plane.frame)
        solid = (classes != NOT_ANALYSED) & (classes != value)
        seen.append(contrast_of(plane.read(region), solid, stains, um)[solid])
    return NuclearStain(stains, fit_threshold(np.concatenate([np.zeros(0, np.float32), *seen])), um)


def _samples(plane: Plane, prediction: Prediction) -> Iterator[Region]:
    """Yield squares that hold tissue, at places that are drawn with the same seed each time."""
    level = prediction.levels[-1]
    step = max(1, round(max(level.shape) / LONGEST_PX))
    rows, columns = np.nonzero(np.asarray(level[::step, ::step]))
    factor = np.divide(prediction.shape, level.shape) * step
    if not len(rows):
        return
    chosen = np.random.default_rng(SEED).integers(0, len(rows), FITTED_TILES)
    middle = (np.stack([rows[chosen], columns[chosen]], axis=1) + 0.5) * factor - 0.5
    for y, x in plane.frame.to_px(prediction.frame.to_um(middle)).tolist():
        first = [round(at) - FITTED_PX // 2 for at in (y, x)]
        yield Region(y=first[0], x=first[1], height=FITTED_PX, width=FITTED_PX)


def classes_on(prediction: Prediction, region: Region, frame: Frame) -> NDArray[np.uint8]:
    """Return the class of each pixel of a region of another plane, that of the nearest pixel.

    Parameters
    ----------
    prediction : Prediction
        The class map.
    region : Region
        In px of the other plane; 0 outside the class map.
    frame : Frame
        Of the other plane.

    Returns
    -------
    (height, width) uint8
    """
    found = np.zeros((region.height, region.width), np.uint8)
    near = partial(_nearest, prediction.frame, frame)
    rows = near(0, np.arange(region.y, region.y_end))
    columns = near(1, np.arange(region.x, region.x_end))
    inside = [
        np.flatnonzero((at >= 0) & (at < n))
        for at, n in zip((rows, columns), prediction.shape, strict=True)
    ]
    if not (len(inside[0]) and len(inside[1])):
        return found
    rows, columns = rows[inside[0]], columns[inside[1]]
    box = Region(
        y=int(rows[0]),
        x=int(columns[0]),
        height=int(rows[-1] - rows[0]) + 1,
        width=int(columns[-1] - columns[0]) + 1,
    )
    values = prediction.read(box)[np.ix_(rows - box.y, columns - box.x)]
    found[np.ix_(inside[0], inside[1])] = values
    return found


def _nearest(own: Frame, other: Frame, axis: int, px: NDArray[np.int64]) -> NDArray[np.int64]:
    um = px * other.um_per_px[axis] + other.origin_um[axis]
    at = (um - own.origin_um[axis]) / own.um_per_px[axis]
    return np.asarray(np.floor(at + 0.5), np.int64)


def _empty() -> dict[str, NDArray[Any]]:
    number = np.zeros(0)
    names = ("y_um", "x_um", "nucleus_area_um2", "territory_area_um2", "fat_area_um2")
    return {**dict.fromkeys(names, number), "with_fat": np.zeros(0, bool)}
