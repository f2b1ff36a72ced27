"""Damage as it happens to slides, done to pixels whose places are known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

import napari_steatosis as st
from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging.optics import optical_density, rgb_of_density, white_level

RGB = NDArray[np.uint8]


def drawn(height: int, width: int, *, seed: int, glass: bool = False, fat: float = 10.0) -> RGB:
    """Pixels of a drawn liver, 0.5 um each."""
    slide = st.drawn_liver(height, width, seed=seed, glass=glass, fat_percent=fat)
    return slide.read(Region(y=0, x=0, height=height, width=width))


def blurred(rgb: RGB, sigma_px: float, places: NDArray[np.bool_] | None = None) -> RGB:
    """Out of focus, with the noise that a camera adds after."""
    soft = [gaussian_filter(rgb[..., c].astype(np.float32), sigma_px) for c in range(3)]
    noise = np.random.default_rng(0).normal(0, 1, rgb.shape)
    out = np.clip(np.rint(np.stack(soft, axis=-1) + noise), 0, 255).astype(np.uint8)
    return out if places is None else np.where(places[..., None], out, rgb)


def band(shape: tuple[int, ...], *, width_px: float, at: float = 0.5) -> NDArray[np.bool_]:
    """A wavy band from top to bottom."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    middle = at * shape[1] + 40 * np.sin(rows / 130) + 0.15 * (rows - shape[0] / 2)
    return np.asarray(np.abs(columns - middle) <= width_px / 2)


def folded(rgb: RGB, places: NDArray[np.bool_]) -> RGB:
    """The section lies twice: it absorbs what it does there, and what it does elsewhere."""
    white = white_level(rgb)
    density = optical_density(rgb, white)
    both = density + np.roll(density, 177, axis=0)[:, ::-1]
    return np.where(places[..., None], rgb_of_density(both, white), rgb)


def inked(rgb: RGB, colour: tuple[int, int, int], places: NDArray[np.bool_]) -> RGB:
    """A felt pen over what is there: it lets its own colour pass, of what passes anyway."""
    passed = rgb.astype(np.float32) * (np.array(colour, np.float32) / 255)
    return np.where(places[..., None], np.rint(passed).astype(np.uint8), rgb)


def exposed(rgb: RGB, factor: float) -> RGB:
    """More or less light."""
    return np.clip(np.rint(rgb.astype(np.float32) * factor), 0, 255).astype(np.uint8)


def bubble(rgb: RGB, y: float, x: float, radius: float) -> RGB:
    """The grey rim of an air bubble under the coverslip."""
    rows, columns = np.ogrid[: rgb.shape[0], : rgb.shape[1]]
    away = np.hypot(rows - y, columns - x) - radius
    shade = 1 - 0.45 * np.exp(-((away / 12) ** 2))
    return np.clip(np.rint(rgb * shade[..., None]), 0, 255).astype(np.uint8)
