"""What a stain is fitted to: pixels from all over a slide, the same ones for the same seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.errors import BadValueError
from ..core.geometry import Region
from ..core.mask import Mask
from ..core.plane import Plane
from ..core.slide import Slide
from ._colour_sample import BLACK, DIM, EVEN
from .optics import CLEAR, optical_density, spread_pixels, white_level
from .stain_guess import MOSTLY_BLACK, MOSTLY_DIM
from .tissue import FINE_UM, find_tissue

UM_PER_PX = 1.0
"""Resolution at which tissue is sampled: nuclei are whole, few pixels are mixed, um."""

PATCH_PX, PATCHES = 64, 96
"""Side of the sampled patches, px, and how many there are at most."""

ENOUGH_PX = 2000
"""Fewer stained pixels than this say too little of a stain."""


@dataclass(frozen=True, eq=False)
class StainSample:
    """Pixels of one slide.

    Parameters
    ----------
    white : (3,) float
        Grey value of unstained glass.
    stained : (n, 3) uint8
        Tissue without what is white in it.
    everywhere : (m, 3) uint8
        Spread evenly over the whole slide, glass included.
    """

    white: tuple[float, float, float]
    stained: NDArray[np.uint8]
    everywhere: NDArray[np.uint8]

    @property
    def density(self) -> NDArray[np.float64]:
        """Optical density of the stained pixels, ``(n, 3)``."""
        return optical_density(self.stained, self.white).astype(np.float64)


def sample_stain(slide: Slide, tissue: Mask | None = None, seed: int = 0) -> StainSample:
    """Sample a slide for a fit.

    Up to 96 patches of 64 um are read at 1 um/px at random places of the tissue, none twice.
    White pixels (density below 0.15 in all channels) are left out.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    tissue : Mask, optional
        Where to sample; `find_tissue` by default.
    seed : int
        Of the random places.

    Raises
    ------
    BadValueError
        Where there is no tissue, or too little stain in it, or one colour only.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> sample_stain(st.drawn_liver(512, 512, seed=1)).stained.dtype
    dtype('uint8')
    """
    mask = find_tissue(slide) if tissue is None else tissue
    if not mask.area_mm2:
        reason = mask.provenance.get("reason", "the tissue mask is empty")
        raise BadValueError(f"{slide.path}: a stain cannot be fitted, {reason}.")
    everywhere = spread_pixels(slide.at(max(FINE_UM, slide.frame().mean_um_per_px)))
    if _on_dark_ground(everywhere):
        raise BadValueError(
            f"{slide.path}: most of it is black and the rest dim, as in fluorescence or dark "
            f"field: stains that absorb light cannot be fitted. Analyse without normalisation."
        )
    white = white_level(everywhere)
    plane = slide.at(max(UM_PER_PX, slide.frame().mean_um_per_px))
    pixels = _tissue_pixels(plane, mask, seed)
    stained = stained_of(pixels, white)
    if len(stained) < ENOUGH_PX:
        raise BadValueError(
            f"{slide.path}: only {len(stained)} of {len(pixels)} sampled tissue pixels are "
            f"stained, {ENOUGH_PX} are needed to fit a stain. Analyse without normalisation."
        )
    if np.ptp(np.percentile(stained, (1, 99), axis=0), axis=0).max() <= EVEN:
        colour = np.median(stained, axis=0).astype(int).tolist()
        raise BadValueError(
            f"{slide.path}: the stained tissue is of one colour all over, {colour}: there is "
            f"nothing to fit. Check that this is a picture of a section."
        )
    return StainSample(white, stained, everywhere)


def _on_dark_ground(pixels: NDArray[np.uint8]) -> bool:
    """Judge a slide as `guess_stain` does."""
    red, green, blue = pixels.T
    brightest = np.maximum(np.maximum(red, green), blue)
    lit = brightest[brightest >= BLACK]
    mostly_black = len(lit) <= (1 - MOSTLY_BLACK) * len(pixels)
    return mostly_black and bool((lit < DIM).sum() >= MOSTLY_DIM * len(lit))


def stained_of(pixels: NDArray[np.uint8], white: ArrayLike) -> NDArray[np.uint8]:
    """Return those of ``(n, 3) uint8`` pixels that are not white."""
    return pixels[optical_density(pixels, white).max(1) >= CLEAR]


def _tissue_pixels(plane: Plane, tissue: Mask, seed: int) -> NDArray[np.uint8]:
    """Return the pixels of random patches of the tissue, ``(n, 3) uint8``."""
    places = plane.frame.to_px(tissue.frame.to_um(np.argwhere(tissue.values)))
    cells = np.unique(np.floor((places + 0.5) / PATCH_PX).astype(np.int64), axis=0)
    parts = []
    for y, x in np.random.default_rng(seed).permutation(cells)[:PATCHES] * PATCH_PX:
        square = Region(y=int(y), x=int(x), height=PATCH_PX, width=PATCH_PX)
        region = square.intersect(plane.bounds)
        if region is not None:
            parts.append(plane.read(region)[tissue.on(region, plane.frame)])
    return np.concatenate([np.empty((0, 3), np.uint8), *parts])
