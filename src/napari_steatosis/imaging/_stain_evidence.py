"""What a pixel of a slide says for tissue, and against it: stain, pen and folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..core.plane import Plane
from .optics import density_table, spread_pixels, white_level

DARK = 50
"""Below this in every channel a pixel is scan edge, padding or ink, not stained tissue."""

FEWEST_PX = 500
"""Fewer stained pixels than this in the sample say nothing of how dense tissue usually is."""

FOLD_TIMES = 1.7
"""A fold is at least this many times as dense in green as tissue usually is ..."""

FOLD_RED = (0.75, 1.4)
"""... while red to green stays within these times the usual ratio: nuclei have more red."""

CLEARLY = 15
"""From this difference of density between the channels on a pixel of the sample is tissue."""

FAINT = 3
"""A septum is stained by this part of the limit, if there is less of it on both sides."""

BESIDE_PX = 2
"""How far beside a septum is looked, px."""

MOST = 250
"""Largest optical density that is told apart, hundredths."""


@dataclass(frozen=True, eq=False)
class Light:
    """White, and how dense tissue usually is: what pixels of a slide are compared with.

    Parameters
    ----------
    white : (float, float, float)
        Grey value of unstained glass in red, green and blue.
    usual : (float, float, float), optional
        Median optical density of stained pixels in red and green, and its median difference
        between the channels; None where few are stained.
    dark : bool
        Whether hardly any of the slide is bright, as in fluorescence.
    """

    white: tuple[float, float, float]
    usual: tuple[float, float, float] | None
    dark: bool

    @classmethod
    def of(cls, plane: Plane) -> Light:
        """Look at pixels from all over a plane."""
        pixels = spread_pixels(plane)
        white = white_level(pixels)
        channels = _channels(pixels)
        dark = bool(np.mean(_brightest(channels) > 3 * DARK) < 0.01)
        steps = density_steps(white)
        red, green, blue = _densities(channels, steps)
        colour = _colour(red, green, blue)
        found = (colour >= CLEARLY) & (_brightest(channels) >= DARK)
        if np.count_nonzero(found) < FEWEST_PX:
            return cls(white, None, dark)
        usual = [float(np.median(one[found])) / 100 for one in (red, green, colour)]
        return cls(white, (usual[0], usual[1], usual[2]), dark)


def density_steps(white: tuple[float, float, float]) -> NDArray[np.uint8]:
    """Return the optical density of every grey value in hundredths, a row per channel."""
    return np.rint(np.clip(density_table(white), 0, MOST / 100) * 100).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Judge:
    """Tells stained pixels from others, and pen and folds from tissue.

    Parameters
    ----------
    light : Light
        Of the slide.
    stain : float
        Difference of optical density between the channels from which a pixel is stained.
    he : bool
        Whether the stain is H&E; of any other, no colour is foreign.
    """

    light: Light
    stain: float
    he: bool = True

    @cached_property
    def steps(self) -> NDArray[np.uint8]:
        """Optical density of every grey value, hundredths, a row per channel."""
        return density_steps(self.light.white)

    def judge(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], ...]:
        """Return which pixels of ``(y, x, 3) uint8`` are stained, mostly so, and look foreign.

        A pixel that tissue covers by less than half is stained, but not mostly. Foreign is what
        no mixture of haematoxylin and eosin gives (felt pen), and what is far denser than tissue
        without being bluer (folds). Single pixels of either are in any tissue: only wide places
        of them count. Stained is also what is fainter, but more than what lies on two sides of
        it: the septum between droplets that touch is thinner than a pixel.
        """
        channels = _channels(rgb)
        red, green, blue = _densities(channels, self.steps)
        lit = _brightest(channels) >= DARK
        colour, least = _colour(red, green, blue), max(1, round(100 * self.stain))
        stained = colour >= least
        stained |= _ridge(colour) >= max(2, round(least / FAINT))
        stained &= lit
        stained &= ~_green_ink(red, green, blue)
        usual = least if self.light.usual is None else 100 * self.light.usual[2]
        mostly = stained & (colour >= max(least, round(usual / 2)))
        if not self.he:
            return stained, mostly, np.zeros(stained.shape, bool)
        return stained, mostly, _pen(red, green, blue) | self._fold(red, green)

    def _fold(self, red: NDArray[np.uint8], green: NDArray[np.uint8]) -> NDArray[np.bool_]:
        if self.light.usual is None:
            return np.zeros(red.shape, bool)
        usual_red, usual_green, _ = self.light.usual
        dense = min(MOST - 1, round(100 * FOLD_TIMES * usual_green))
        ratio = usual_red / max(usual_green, 0.01)
        grey = np.arange(256)
        least, most = (
            np.clip(np.rint(times * ratio * grey), 0, 255).astype(np.uint8) for times in FOLD_RED
        )
        found: NDArray[np.bool_] = green >= dense
        if found.any():
            found &= (red >= least.take(green)) & (red <= most.take(green))
        return found


def share_of(yes: NDArray[np.bool_], factor: int) -> NDArray[np.uint8]:
    """Return the share of yes pixels in blocks of `factor` x `factor`, 0 to 255.

    Examples
    --------
    >>> share_of(np.array([[True, False], [True, True]]), 2).tolist()
    [[191]]
    """
    ragged = (-yes.shape[0] % factor, -yes.shape[1] % factor)
    padded = np.pad(yes, ((0, ragged[0]), (0, ragged[1])), mode="edge") if any(ragged) else yes
    rows = np.zeros((padded.shape[0] // factor, padded.shape[1]), np.uint32)
    for dy in range(factor):
        rows += padded[dy::factor]
    count = np.zeros((len(rows), rows.shape[1] // factor), np.uint32)
    for dx in range(factor):
        count += rows[:, dx::factor]
    return (count * 255 // factor**2).astype(np.uint8)


def _channels(rgb: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [np.ascontiguousarray(rgb[..., channel]) for channel in range(3)]


def _densities(
    channels: Sequence[NDArray[np.uint8]], steps: NDArray[np.uint8]
) -> list[NDArray[np.uint8]]:
    return [own.take(values, mode="clip") for own, values in zip(steps, channels, strict=True)]


def _brightest(channels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the largest of three channels: many times faster than ``max(-1)``."""
    red, green, blue = channels
    return np.maximum(np.maximum(red, green), blue)


def _colour(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the largest difference of density between the channels."""
    high = np.maximum(np.maximum(red, green), blue)
    return high - np.minimum(np.minimum(red, green), blue)


def _ridge(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return by how much pixels exceed both sides, along the direction in which it is most."""
    step = BESIDE_PX
    height, width = values.shape
    wide = np.pad(values, step, mode="edge")
    lower = np.full_like(values, 255)
    for dy, dx in ((0, step), (step, 0), (step, step), (step, -step)):
        one = wide[step + dy : step + dy + height, step + dx : step + dx + width]
        other = wide[step - dy : step - dy + height, step - dx : step - dx + width]
        np.minimum(lower, np.maximum(one, other), out=lower)
    return values - np.minimum(lower, values)


def _green_ink(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Say where green absorbs least: no tissue stain does that, so single pixels count."""
    found: NDArray[np.bool_] = np.minimum(red, blue) > np.minimum(green, 245) + np.uint8(10)
    return found


def _pen(
    red: NDArray[np.uint8], green: NDArray[np.uint8], blue: NDArray[np.uint8]
) -> NDArray[np.bool_]:
    """Say where colours are those of felt pen: blue or green, red, yellow."""
    # Haematoxylin and eosin both absorb green most, haematoxylin red nearly as much.
    cold = red > np.minimum(green, 235) + np.uint8(15)
    cold &= red > np.minimum(green, 200) + np.minimum(green, 200) // np.uint8(5)
    # Eosin lets blue pass: red pen does not.
    warm = (green >= 50) & (blue >= green - (green >> 2)) & (red <= green >> 1)
    yellow = blue > np.minimum(green, 225) + np.uint8(25)
    found: NDArray[np.bool_] = cold | warm | yellow
    return found
