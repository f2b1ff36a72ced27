"""A slide seen from afar, for what its colours say: whole, or in patches spread over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing

from ..core.errors import UnreadableRegionError
from ..core.geometry import Region
from ..core.mask import Mask
from ..core.resample import box_mean
from ..core.slide import Slide
from ._places import drop_small
from .optics import WHITE, density_table, white_level

LOOK_UM = 8.0
"""Size of its pixels: nuclei are averaged out, folds and pen lines are not, um."""

NOMINAL_UM = 0.5
"""Taken for the size of a level 0 pixel that is unknown, to choose what to average; nothing is
measured with it."""

MOST_SEEN, MOST_STORED = 3 << 20, 40 << 20
"""Pixels that are looked at, and pixels of the file that are read for them. A larger slide is seen
in patches."""

PATCH, SMALL_PATCH, FEW = 128, 32, 36
"""Sides of a patch, px: small ones where fewer large ones than that could be read."""

STRIP = 4096
"""Side of what is read at a time of a slide that is seen whole, px of the file."""

WHITE_PX = 1 << 18
"""About so many pixels are asked for the white of the glass."""

STAIN = 6
"""Difference of optical density between the channels in stained tissue, hundredths (as in
`find_tissue`)."""

DARK = 50
"""Below this in every channel a pixel is ink, scan edge or padding, not tissue."""

COLOURLESS = 6
"""Channels of a grey picture differ by at most this, grey values."""

GREEN_INK = 10
"""Where green absorbs least, by this much, it is felt pen, hundredths (as in `find_tissue`)."""

PIECE_UM2 = 4000.0
"""Smaller stained places are dirt, um2."""


@dataclass(frozen=True, eq=False)
class Look:
    """A slide from afar; patches lie side by side, with a line of what was not seen between.

    Parameters
    ----------
    density : (3, y, x) uint8
        Optical density of red, green and blue, hundredths of the natural logarithm.
    brightest : (y, x) uint8
        Grey value of the brightest channel.
    seen : (y, x) bool
        What was read.
    tissue : (y, x) bool
        Stained places, or what was given.
    white : (float, float, float)
        Grey value of unstained glass, or what is taken for it.
    um : float
        Side of a pixel, um; nominal where the slide has no pixel size.
    px : float
        Level 0 pixels per pixel.
    corners : (rows, columns, 2) int
        Where the patches lie, in these pixels.
    share : float
        Share of the slide that was seen, 0 to 1.
    unread : int
        Patches that the file could not give.
    pitch : int
        Distance of the patches as they lie side by side, px.
    grey : bool
        Whether no pixel has a colour.
    """

    density: NDArray[np.uint8]
    brightest: NDArray[np.uint8]
    seen: NDArray[np.bool_]
    tissue: NDArray[np.bool_]
    white: tuple[float, float, float]
    um: float
    px: float
    corners: NDArray[np.int64]
    share: float
    unread: int
    pitch: int
    grey: bool

    def level_0(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the centres of ``(n, 2)`` pixels as rows and columns of level 0."""
        patch = places // self.pitch
        inside = places - patch * self.pitch
        return np.asarray((self.corners[patch[:, 0], patch[:, 1]] + inside + 0.5) * self.px)

    @property
    def dark(self) -> bool:
        """Whether next to nothing is bright: no section in bright light."""
        bright = np.count_nonzero((self.brightest > 3 * DARK) & self.seen)
        return bool(bright < 0.01 * np.count_nonzero(self.seen))


def look(slide: Slide, tissue: Mask | None, random: np.random.Generator) -> Look:
    """Read a slide at about 8 um per pixel; what cannot be read is left out and counted.

    Parameters
    ----------
    slide : Slide
        Of any size, with or without a pixel size.
    tissue : Mask, optional
        Where the tissue is; found by its colour where it is not given.
    random : Generator
        Decides where the patches lie.
    """
    um = NOMINAL_UM if slide.um_per_px is None else slide.frame().mean_um_per_px
    wanted = max(1.0, LOOK_UM / um)
    level = max(
        number
        for number, plane in enumerate(slide.levels)
        if number == 0 or (plane.shrink == 1 and plane.downsample <= wanted * 1.1)
    )
    plane = slide.levels[level]
    factor = max(1, min(round(wanted / plane.downsample), plane.height, plane.width))
    height, width = plane.height // factor, plane.width // factor
    spread = _Patches.of(height, width, factor, random)
    rgb, given = np.full((*spread.shape, 3), 255, np.uint8), np.zeros(spread.shape, bool)
    seen, unread = np.zeros(spread.shape, bool), 0
    for region, place in spread.regions():
        try:
            rgb[place] = _read(slide, level, region, factor)
        except UnreadableRegionError:
            unread += 1
            continue
        seen[place] = True
        if tissue is not None:
            given[place] = tissue.on(region, slide.frame(level).coarser(factor))
    white = white_level(rgb[seen][:: 1 + seen.size // WHITE_PX]) if seen.any() else WHITE
    px = plane.downsample * factor
    red, green, blue = np.ascontiguousarray(np.moveaxis(rgb, -1, 0))
    brightest = np.maximum(np.maximum(red, green), blue)
    darkest = np.minimum(np.minimum(red, green), blue)
    coloured = np.count_nonzero(brightest - darkest > COLOURLESS)
    density = _densities(rgb, white)
    return Look(
        density=density,
        brightest=brightest,
        seen=seen,
        tissue=given if tissue is not None else _stained(density, brightest, seen, um * px),
        white=white,
        um=um * px,
        px=px,
        corners=spread.corners,
        share=float(np.count_nonzero(seen)) / (height * width),
        unread=unread,
        pitch=spread.pitch,
        grey=bool(coloured <= 0.001 * np.count_nonzero(seen)),
    )


@dataclass(frozen=True, eq=False)
class _Patches:
    """Squares of a plane, and where they lie side by side: all of the plane, or some of it."""

    height: int
    width: int
    side: int
    corners: NDArray[np.int64]
    whole: bool

    @classmethod
    def of(cls, height: int, width: int, factor: int, random: np.random.Generator) -> _Patches:
        """Cover a plane where that is few enough pixels, else spread patches over it."""
        if height * width <= MOST_SEEN and height * width * factor**2 <= MOST_STORED:
            side = max(PATCH, STRIP // factor)
            rows, columns = np.arange(0, height, side), np.arange(0, width, side)
            return cls(height, width, side, _grid(rows, columns), whole=True)
        most = min(MOST_SEEN, MOST_STORED // factor**2)
        side = PATCH if most >= FEW * PATCH**2 else SMALL_PATCH
        side = min(side, height, width)
        count = max(1, most // side**2)
        down = int(np.clip(round(np.sqrt(count * height / width)), 1, height // side))
        across = int(np.clip(count // down, 1, width // side))
        rows = _spread(height, side, down, random)
        columns = _spread(width, side, across, random)
        return cls(height, width, side, _grid(rows, columns), whole=False)

    @property
    def pitch(self) -> int:
        return self.side if self.whole else self.side + 1

    @property
    def shape(self) -> tuple[int, int]:
        if self.whole:
            return self.height, self.width
        return self.corners.shape[0] * self.pitch, self.corners.shape[1] * self.pitch

    def regions(self) -> Iterator[tuple[Region, tuple[slice, slice]]]:
        """Yield each patch in the plane, and where it goes."""
        for row, column in np.ndindex(*self.corners.shape[:2]):
            y, x = (int(value) for value in self.corners[row, column])
            tall, wide = min(self.side, self.height - y), min(self.side, self.width - x)
            top, left = row * self.pitch, column * self.pitch
            yield (
                Region(y=y, x=x, height=tall, width=wide),
                (slice(top, top + tall), slice(left, left + wide)),
            )


def _grid(rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1)


def _spread(length: int, side: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return a start in each of `count` equal parts of a length."""
    room = length / count - side
    starts = (np.arange(count) * length) / count + random.random(count) * room
    return np.asarray(np.clip(starts, 0, length - side), np.int64)


def _read(slide: Slide, level: int, region: Region, factor: int) -> NDArray[np.uint8]:
    wide = Region(
        y=region.y * factor,
        x=region.x * factor,
        height=region.height * factor,
        width=region.width * factor,
    )
    return box_mean(slide.read(wide, level), factor)


def _densities(rgb: NDArray[np.uint8], white: tuple[float, float, float]) -> NDArray[np.uint8]:
    steps = np.rint(np.clip(density_table(white), 0, 2.5) * 100).astype(np.uint8)
    return np.stack([steps[channel][rgb[..., channel]] for channel in range(3)])


def _stained(
    density: NDArray[np.uint8],
    brightest: NDArray[np.uint8],
    seen: NDArray[np.bool_],
    um: float,
) -> NDArray[np.bool_]:
    """Find tissue by its colour, closed over droplets and rid of dirt."""
    red, green, blue = density
    low, high = np.minimum(red, blue), np.maximum(red, blue)
    colour = np.maximum(high, green) - np.minimum(low, green)
    ink = low > np.minimum(green, np.uint8(240)) + np.uint8(GREEN_INK)
    found = (colour >= STAIN) & (brightest >= DARK) & ~ink & seen
    if um <= 2 * LOOK_UM and min(found.shape) > 4:
        edged = np.pad(found, 2, mode="edge")
        found = binary_closing(edged, iterations=2)[2:-2, 2:-2] & seen & (brightest >= DARK) & ~ink
    return drop_small(found, PIECE_UM2 / um**2)
