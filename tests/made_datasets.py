"""Small datasets on the disk: pictures of drawn tissue, with masks, classes or points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TISSUE = (205, 130, 175)
WHITE = (243, 243, 243)


def tissue(seed: int = 0, side: int = 230, droplets: int = 4) -> NDArray[np.uint8]:
    """Pink ground with dark nuclei and white discs, each at random places."""
    rng = np.random.default_rng(seed)
    rgb = np.full((side, side, 3), TISSUE, np.int16)
    rgb += np.repeat(rng.integers(-25, 26, (side // 10, side // 10, 1)), 10, 0).repeat(10, 1)
    for radius, colour, count in ((4, (90, 50, 130), 12), (9, WHITE, droplets)):
        for y, x in rng.integers(12, side - 12, (count, 2)):
            rgb[disc(rgb.shape[:2], (y, x), radius)] = colour
    return np.clip(rgb, 0, 255).astype(np.uint8)


def disc(shape: tuple[int, ...], centre: tuple[int, int], radius: float) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def save(path: Path, pixels: NDArray[np.generic]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.startswith(".tif"):
        import tifffile

        tifffile.imwrite(path, pixels)
    else:
        Image.fromarray(pixels).save(path)
    return path


def mask_of(rgb: NDArray[np.uint8], value: int = 255) -> NDArray[np.uint8]:
    """Where it is white."""
    return ((rgb.min(axis=2) > 240) * value).astype(np.uint8)


def pairs(folder: Path, count: int = 3, value: int = 255) -> Path:
    """images/ and manual/, named as the HEPASS images are."""
    for n in range(count):
        rgb = tissue(n)
        save(folder / "images" / f"100100{n}_1{n}.png", rgb)
        save(folder / "manual" / f"100100{n}_1{n}.png", mask_of(rgb, value))
    return folder
