"""A few stained pixels from all over a slide, for judgements of its colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region
from ..core.resample import box_mean
from ..core.slide import Slide
from .optics import BRIGHT, CLEAR, NEUTRAL, optical_density, white_level

PATCH_PX, PATCHES = 128, 8
"""The overview is seen in up to 8 x 8 patches of this side: 1 Mpx at most."""

WINDOWS = 20
"""Windows of the same side that are read at full resolution where the overview is stained."""

OVERVIEW_PX = 512
"""The overview is the coarsest stored level with at least this many px on a side."""

COLOURED = 0.1
"""Optical densities of the channels differ by this much in stain; dust and black ink are grey."""

BLACK = 50
"""Below this in every channel a pixel is padding, scan edge, or the ground of a dark picture."""

DIM = 150
"""Below this in every channel a pixel is dim."""

EVEN = 4
"""A picture whose channels vary by no more than this, grey levels, shows nothing."""


@dataclass(frozen=True)
class ColourSample:
    """What a slide's colours are judged by.

    Parameters
    ----------
    density : (n, 3) float32
        Optical density (natural logarithm) of stained pixels, relative to the slide's white.
    seen_px : int
        How many pixels of the overview were looked at.
    black_share : float
        Share of them that are black, 0 to 1.
    dim_share : float
        Share of the others that are dim, 0 to 1: many in fluorescence, few in stained tissue.
    glass_share : float
        Share of all that are bright and neutral, 0 to 1.
    colour : (float, float, float)
        Their median colour.
    even : bool
        Whether they all are of one colour.
    """

    density: NDArray[np.float32]
    seen_px: int
    black_share: float
    dim_share: float
    glass_share: float
    colour: tuple[float, float, float]
    even: bool

    @property
    def hue(self) -> NDArray[np.float64]:
        """Hue of what is absorbed, degrees: 0 is red (looks cyan), 120 green, 240 blue."""
        from skimage.color import rgb2hsv

        return 360 * rgb2hsv(self.density)[:, 0].astype(np.float64)

    @property
    def purity(self) -> NDArray[np.float32]:
        """Difference of the strongest and weakest absorption over the strongest, 0 to 1."""
        low, high = _extremes(self.density)
        return np.asarray((high - low) / high)


def sample_colours(slide: Slide) -> ColourSample:
    """Read at most about 1.4 Mpx of a slide and return its stained pixels.

    An overview says where stain is; 20 windows of 128 px are then read there at full
    resolution, where nuclei are not mixed with what surrounds them. Pairs of pixels are
    averaged in both directions: JPEG keeps colour no finer.

    Raises
    ------
    UnreadableRegionError
        Where the file cannot be decoded.
    """
    level = max(
        number
        for number, plane in enumerate(slide.levels)
        if plane.shrink == 1 and (number == 0 or min(plane.height, plane.width) >= OVERVIEW_PX)
    )
    regions = _patches(slide, level)
    overview = [slide.read(region, level) for region in regions]
    sparse = [patch[::2, ::2] for patch in overview]
    pixels = np.concatenate([patch.reshape(-1, 3) for patch in sparse])
    white = white_level(pixels)
    windows = overview
    if level > 0:
        places = _stained_windows(slide, level, regions, [_stained(p, white) for p in sparse])
        windows = [slide.read(place) for place in places]
    fine = [box_mean(window, 2).reshape(-1, 3) for window in windows]
    stained = np.concatenate([np.empty((0, 3), np.uint8), *fine])
    lowest, highest = _extremes(pixels)
    glass = (lowest >= BRIGHT) & (highest - lowest <= NEUTRAL)
    lit = highest[highest >= BLACK]
    red, green, blue = np.median(pixels, axis=0)
    return ColourSample(
        density=optical_density(stained[_stained(stained, white)], white),
        seen_px=len(pixels),
        black_share=1 - len(lit) / len(pixels),
        dim_share=float(np.mean(lit < DIM)) if len(lit) else 0.0,
        glass_share=float(glass.mean()),
        colour=(float(red), float(green), float(blue)),
        even=bool(np.ptp(pixels, axis=0).max() <= EVEN),
    )


def _patches(slide: Slide, level: int) -> list[Region]:
    """Return patches of a level, spread evenly; in none of them is a second tile decoded."""
    rows, columns = (
        [_inside_tile(centre, length, tile) for centre in _spread(length)]
        for length, tile in zip(
            (slide.levels[level].height, slide.levels[level].width), slide.tile_px, strict=True
        )
    )
    return [
        Region(y=top, x=left, height=tall, width=wide)
        for top, tall in rows
        for left, wide in columns
    ]


def _spread(length: int) -> list[int]:
    count = min(PATCHES, -(-length // PATCH_PX))
    return [(2 * number + 1) * length // (2 * count) for number in range(count)]


def _stained(rgb: NDArray[np.uint8], white: tuple[float, float, float]) -> NDArray[np.bool_]:
    low, high = _extremes(optical_density(rgb, white))
    return (high >= CLEAR) & (high - low >= COLOURED) & (_extremes(rgb)[1] >= BLACK)


def _extremes(colours: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the lowest and highest channel; for three, many times faster than ``min(-1)``."""
    red, green, blue = np.moveaxis(colours, -1, 0)
    low, high = np.minimum(red, green), np.maximum(red, green)
    return np.minimum(low, blue), np.maximum(high, blue)


def _stained_windows(
    slide: Slide, level: int, regions: list[Region], stained: list[NDArray[np.bool_]]
) -> list[Region]:
    """Return windows of level 0 in the middle of the stain of the most stained patches."""
    scale = slide.levels[level].downsample
    windows = []
    for number in sorted(range(len(stained)), key=lambda n: -int(stained[n].sum()))[:WINDOWS]:
        places = np.argwhere(stained[number])
        if len(places):
            y, x = 2 * places[len(places) // 2] + (regions[number].y, regions[number].x)
            top, tall = _inside_tile(int(y * scale), slide.shape[0], slide.tile_px[0])
            left, wide = _inside_tile(int(x * scale), slide.shape[1], slide.tile_px[1])
            windows.append(Region(y=top, x=left, height=tall, width=wide))
    return windows


def _inside_tile(centre: int, length: int, tile: int) -> tuple[int, int]:
    """Return start and length of a window about a centre that crosses no tile border."""
    first = min(centre, length - 1) // tile * tile
    last = min(first + tile, length)
    size = min(PATCH_PX, last - first)
    return min(max(centre - size // 2, first), last - size), size
