"""Where each tile of a folder lies in the one plane that they form."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...core.errors import CannotOpenError
from ..picture import PictureHeader, read_header
from .names import TileName, parse_names
from .order import across_first, smallest_step

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
OTHER_FORMATS = ("zarr.json", ".zattrs", ".zgroup", ".zarray", "DICOMDIR")

FORMS = "'name [x=1024,y=512,w=512,h=512].png' as QuPath writes them, 'x1024_y512' or 'row1_col2'"

LARGEST_SPAN_PX = 2_000_000
"""Positions further apart are misread names: no slide is 50 cm long at 0.25 um/px."""

READ_SIZES = 16
"""Different sizes that names may state and that are checked against a header each."""

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TilePlan:
    """The tiles of a folder in the order in which they are drawn: by row, then column.

    Parameters
    ----------
    names : list of str
        Their files.
    corners, sizes : (n, 2) int64
        Top left corner and extent (y, x) of each in the plane, px of the tiles.
    tile : PictureHeader
        That of a tile of full size.
    properties : dict of str to str
        What the names say of the whole.
    """

    names: list[str]
    corners: Places
    sizes: Places
    tile: PictureHeader
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the plane, px."""
        height, width = (self.corners + self.sizes).max(axis=0)
        return int(height), int(width)

    def digest(self) -> str:
        """Identity of the names, and with them of the places."""
        return hashlib.sha256(os.fsencode("\0".join(self.names))).hexdigest()

    def touching(self, begin: tuple[int, int], end: tuple[int, int]) -> list[int]:
        """Return the numbers of the tiles that touch a rectangle (y, x), in order of drawing."""
        touched = (self.corners < end).all(axis=1) & (self.corners + self.sizes > begin).all(axis=1)
        return [int(number) for number in np.flatnonzero(touched)]

    def absent(self) -> tuple[int, int] | None:
        """Return how many of how many places hold no tile; None where they are on no grid."""
        places = 1
        for axis, side in enumerate(self.tile.shape):
            at = np.unique(self.corners[:, axis])
            step = int(min(smallest_step(at) or side, side))
            if (at % step).any():
                return None
            places *= int(at[-1]) // step + 1
        return places - len(np.unique(self.corners, axis=0)), places


def plan_tiles(folder: Path) -> TilePlan:
    """Lay out the tiles of a folder from their names and a few headers.

    Raises
    ------
    CannotOpenError
        For a folder without pictures or without positions in their names, and for positions
        that can be understood in two ways.
    """
    tiles = tile_names(folder)
    headers = _Headers(folder)
    places = np.array([(tile.second, tile.first) for tile in tiles])
    origin = places.min(axis=0)
    places -= origin
    _check_span(places.max(axis=0), tiles)
    inner = headers(_inner(tiles, places))
    if tiles[0].form == "fields":
        plan = _from_fields(tiles, places, inner, headers)
        plan.properties["tiles.origin_px"] = f"x={origin[1]:g}, y={origin[0]:g}"
    else:
        if tiles[0].form == "plain" and not across_first(folder, tiles, places, inner.shape):
            places = places[:, ::-1]
        corners = _in_px(places, inner.shape)
        sizes = np.minimum(inner.shape, _ends(tiles, corners, headers) - corners)
        plan = TilePlan([tile.name for tile in tiles], corners, sizes, inner)
    _check_span(plan.shape, tiles)
    order = np.lexsort((plan.corners[:, 1], plan.corners[:, 0]))
    names = [plan.names[number] for number in order]
    return TilePlan(names, plan.corners[order], plan.sizes[order], plan.tile, plan.properties)


def _check_span(span: Sequence[float] | NDArray[np.float64], tiles: list[TileName]) -> None:
    if max(span) > LARGEST_SPAN_PX:
        raise CannotOpenError(
            f"the positions in the names of its tiles span {span[0]:g} x {span[1]:g} px, more "
            f"than any slide; check the names, such as {tiles[-1].name!r}"
        )


class _Headers:
    """Headers of single tiles; an error names the tile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, tile: TileName) -> PictureHeader:
        try:
            return read_header(self.folder / tile.name)
        except CannotOpenError as error:
            raise CannotOpenError(f"its tile {tile.name!r}: {error}") from error


def tile_names(folder: Path) -> list[TileName]:
    """Return the names of the tiles in a folder that is of no other format; none is opened.

    Raises
    ------
    CannotOpenError
        As `plan_tiles`, for what the names show.
    """
    if not folder.is_dir():
        raise CannotOpenError("not a folder, as tiles are")
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    other = [name for name in names if name in OTHER_FORMATS or name.endswith(".dcm")]
    if other:
        raise CannotOpenError(f"not a folder of pictures: it holds {other[0]}")
    found = [name for name in names if name.lower().endswith(SUFFIXES) and name[0] != "."]
    if not found:
        raise CannotOpenError("a folder without PNG, JPEG, BMP or WebP pictures")
    return _of_one_plane(found)


def _of_one_plane(pictures: list[str]) -> list[TileName]:
    tiles = parse_names(pictures)
    if len(tiles) * 2 <= len(pictures):
        named = next(iter(set(pictures) - {tile.name for tile in tiles}))
        raise CannotOpenError(
            f"a folder of {len(pictures)} pictures whose names carry no position, such as "
            f"{named!r}. Tiles of one slide are named {FORMS}; open or analyse other pictures "
            f"one at a time"
        )
    resolutions, planes = {tile.downsample for tile in tiles}, {tile.plane for tile in tiles}
    if len(resolutions) > 1 or len(planes) > 1:
        raise CannotOpenError(
            f"its tiles are of {len(resolutions)} resolutions (d=) and {len(planes)} planes (z=, "
            f"t=); put each into a folder of its own"
        )
    first = dict[tuple[float, float], TileName]()
    for tile in tiles:
        other = first.setdefault((tile.first, tile.second), tile)
        if other is not tile:
            raise CannotOpenError(
                f"two of its tiles have the same position, {other.name!r} and {tile.name!r}; put "
                f"the tiles of each slide, and labels, into folders of their own"
            )
    return tiles


def _inner(tiles: list[TileName], places: NDArray[np.float64]) -> TileName:
    """Return a tile that is cut off at no side: not of the last column or row, if it can be."""
    last = places == places.max(axis=0)
    return tiles[int(last.sum(axis=1).argmin())]


def _from_fields(
    tiles: list[TileName], places: NDArray[np.float64], inner: PictureHeader, headers: _Headers
) -> TilePlan:
    """Lay out tiles whose names state px of full resolution, and often size and downsample."""
    full = _inner(tiles, places)
    stated = np.array([(t.height or np.nan, t.width or np.nan) for t in tiles])
    scale = full.downsample
    if scale is None:
        scale = (full.width or inner.shape[1]) / inner.shape[1]
    size = (full.height or np.nan, full.width or np.nan)
    if not 1 / 64 <= scale <= 1024 or np.abs(np.array(size) / scale - inner.shape).max() > 1:
        raise CannotOpenError(
            f"its tile {full.name!r} holds {inner.shape[0]} x {inner.shape[1]} px (height x "
            f"width), which is not what its name states"
        )
    corners = np.rint(places / scale).astype(np.int64)
    names, told = [t.name for t in tiles], {"tiles.downsample": f"{scale:g}"}
    if np.isnan(stated).any():
        sizes = np.minimum(inner.shape, _ends(tiles, corners, headers) - corners)
        return TilePlan(names, corners, sizes, inner, told)
    sizes = np.maximum(np.rint(stated / scale), 1).astype(np.int64)
    different, first, which = np.unique(stated, axis=0, return_index=True, return_inverse=True)
    if len(different) <= READ_SIZES:  # exporters round in their own ways
        sizes = np.array([headers(tiles[n]).shape for n in first])[which.reshape(-1)]
    return TilePlan(names, corners, sizes, inner, told)


def _in_px(places: NDArray[np.float64], tile: tuple[int, int]) -> Places:
    """Return places in px, from px or from numbers of rows and columns."""
    steps = [smallest_step(np.unique(places[:, axis])) for axis in (0, 1)]
    counted = [step * 8 <= side for step, side in zip(steps, tile, strict=True) if step]
    if all(counted):
        return np.rint(places * tile).astype(np.int64)
    if any(counted):
        raise CannotOpenError(
            f"the positions of its tiles are {steps[0]:g} apart down and {steps[1]:g} across, "
            f"neither px nor rows and columns; name them {FORMS}"
        )
    if all(step > side for step, side in zip(steps, tile, strict=True) if step):
        raise CannotOpenError(
            f"its tiles of {tile[0]} x {tile[1]} px lie further apart, {steps[0]:g} px down and "
            f"{steps[1]:g} px across: they are samples, or of a lower resolution than their "
            f"positions. State it in the names, '[d=2,x=1024,y=0].png', or open the tiles one "
            f"at a time"
        )
    return np.rint(places).astype(np.int64)


def _ends(tiles: list[TileName], corners: Places, headers: _Headers) -> Places:
    """Return height and width of the plane by the headers of a last tile down and across."""
    last = [int(corners[:, axis].argmax()) for axis in (0, 1)]
    ends = [int(corners[n, axis]) + headers(tiles[n]).shape[axis] for axis, n in enumerate(last)]
    return np.array(ends)
