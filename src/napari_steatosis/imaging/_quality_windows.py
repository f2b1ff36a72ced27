"""Windows of full resolution in the tissue, chosen by chance, for what shows only there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UnreadableRegionError
from ..core.geometry import Region
from ..core.slide import Slide
from ._quality_look import NOMINAL_UM, Look

WINDOWS = 32
"""Windows at most: a share of 10 % of the tissue is known to about 5 percentage points."""

WINDOW_UM = 128.0
"""Side of a window, um; at least `LEAST_PX` and at most `MOST_PX` of level 0."""

LEAST_PX, MOST_PX = 128, 1024

GRAIN = 16
"""Windows begin at multiples of this, px: the blocks of JPEG do, too."""


@dataclass(frozen=True, eq=False)
class Windows:
    """What was read.

    Parameters
    ----------
    regions : tuple of Region
        In level 0 px.
    pixels : tuple of (y, x, 3) uint8
        One for each region.
    unread : int
        Windows that the file could not give.
    """

    regions: tuple[Region, ...]
    pixels: tuple[NDArray[np.uint8], ...]
    unread: int


def windows_in(slide: Slide, seen: Look, random: np.random.Generator) -> Windows:
    """Read windows about places of the tissue; all of the tissue is as likely to be seen.

    The tissue is cut into as many parts of equal area as there are windows, in reading order,
    and in each a place is drawn. In none a border of the file's tiles is crossed, where tiles
    are large enough.
    """
    places = np.argwhere(seen.tissue)
    um = NOMINAL_UM if slide.um_per_px is None else slide.frame().mean_um_per_px
    side = int(np.clip(round(WINDOW_UM / um / GRAIN) * GRAIN, LEAST_PX, MOST_PX))
    area = len(places) * seen.px**2
    count = int(np.clip(np.ceil(1.5 * area / side**2), 1, WINDOWS)) if len(places) else 0
    chosen = ((np.arange(count) + random.random(count)) * len(places) / max(1, count)).astype(int)
    regions, pixels, unread = [], [], 0
    for y, x in seen.level_0(places[chosen]) if count else ():
        top, tall = _inside_tile(int(y), side, slide.shape[0], slide.tile_px[0])
        left, wide = _inside_tile(int(x), side, slide.shape[1], slide.tile_px[1])
        region = Region(y=top, x=left, height=tall, width=wide)
        if region in regions:
            continue
        try:
            pixels.append(slide.read(region))
        except UnreadableRegionError:
            unread += 1
        else:
            regions.append(region)
    return Windows(tuple(regions), tuple(pixels), unread)


def _inside_tile(centre: int, side: int, length: int, tile: int) -> tuple[int, int]:
    """Return start and length of a window about a centre."""
    first, last = 0, length
    if tile >= side:
        first = min(centre, length - 1) // tile * tile
        last = min(first + tile, length)
    if last - first < side <= length:  # the last, ragged tile: reach into the one before
        first = max(0, last - side)
    size = min(side, last - first)
    start = min(max(centre - size // 2, first), last - size)
    return start // GRAIN * GRAIN if start // GRAIN * GRAIN >= first else start, size
