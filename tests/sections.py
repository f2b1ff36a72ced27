"""Sections drawn from published stain vectors: ground, nuclei and a third thing on glass."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from skimage import color

from napari_steatosis.core.slide import Slide, virtual_levels
from napari_steatosis.imaging.optics import rgb_of_density


def unit(vector: ArrayLike) -> NDArray[np.float64]:
    """Optical density of red, green and blue of an amount 1 of a stain."""
    absorbed = np.abs(np.asarray(vector, np.float64))
    return absorbed / np.linalg.norm(absorbed)


HAEMATOXYLIN, EOSIN, DAB = map(unit, color.rgb_from_hed)
METHYL_BLUE, PONCEAU = map(unit, color.rgb_from_bpx[:2])
PAS, AEC = unit(color.rgb_from_hpx[1]), unit(color.rgb_from_hax[1])
PICRIC, SIRIUS_RED = unit((0.05, 0.3, 1.0)), unit((0.1, 0.75, 0.65))
BLOOD = unit((0.2, 1.15, 0.8))


def section(
    ground: NDArray[np.float64],
    nuclei: NDArray[np.float64] | None = None,
    *,
    third: NDArray[np.float64] | None = None,
    share: float = 0.1,
    size: int = 384,
    seed: int = 0,
) -> NDArray[np.uint8]:
    """Return RGB of tissue below a strip of glass; densities of what is drawn are given."""
    rng = np.random.default_rng(seed)
    uneven = 1 + 2 * gaussian_filter(rng.normal(size=(size, size)), 4)
    density = np.clip(uneven, 0.3, 2)[..., None] * ground
    if third is not None:
        density[_blotches(rng, share, 12, size)] = third
    if nuclei is not None:
        density[_blotches(rng, 0.08, 2.5, size)] += nuclei
    rgb = rgb_of_density(density, (243, 243, 243)) + rng.normal(0, 4, density.shape)
    rgb[: size // 6] = 243
    return np.clip(rgb, 0, 255).astype(np.uint8)


def _blotches(rng: np.random.Generator, share: float, sigma: float, size: int) -> NDArray[np.bool_]:
    field = gaussian_filter(rng.normal(size=(size, size)), sigma)
    return np.asarray(field >= np.quantile(field, 1 - share))


def swapped(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Red for blue and blue for red."""
    return np.ascontiguousarray(rgb[..., ::-1])


H_AND_E = section(0.6 * EOSIN, 1.2 * HAEMATOXYLIN)
TRICHROME = section(0.8 * PONCEAU, 0.8 * HAEMATOXYLIN, third=0.7 * METHYL_BLUE, share=0.3)
SIRIUS = section(0.5 * PICRIC, third=1.2 * SIRIUS_RED)
IMMUNO = section(0.15 * HAEMATOXYLIN, 0.6 * HAEMATOXYLIN, third=DAB)


class CountedSource:
    """Levels of a pyramid in memory that counts the pixels that are read."""

    def __init__(self, levels: list[NDArray[np.uint8]]) -> None:
        self.levels, self.read_px = levels, 0

    def read(self, level: int, region: object) -> NDArray[np.uint8]:
        pixels = np.ascontiguousarray(self.levels[level][region.slices])  # type: ignore[attr-defined]
        self.read_px += pixels.shape[0] * pixels.shape[1]
        return pixels

    def associated(self, name: str) -> NDArray[np.uint8]:
        raise KeyError(name)


def pyramid_of(rgb: NDArray[np.uint8], levels: int) -> Slide:
    """Return a slide without a pixel size whose stored levels are each half the one before."""
    stored = [rgb[:: 2**n, :: 2**n] for n in range(levels)]
    sizes = [(*level.shape[:2], float(2**n)) for n, level in enumerate(stored)]
    source = CountedSource(stored)
    return Slide("pyramid", "array", source, tuple(virtual_levels(sizes)), "pyramid")
