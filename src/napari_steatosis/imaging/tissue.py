"""Where the parenchyma is: stain evidence, closed over droplets, less glass and large lumina."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Region
from ..core.grid import Grid
from ..core.mask import Mask
from ..core.plane import Plane
from ..core.resample import box_mean
from ..core.slide import Slide
from .optics import density_table, white_level

VERSION = 1
FINE_UM = 2.0
"""Resolution at which stain is looked for: the septa between droplets are still seen, um."""

BLOCK_PX = 512
"""Side of the blocks that are read at that resolution, px."""

DARK = 50
"""Below this in every channel a pixel is scan edge, padding or ink, not stained tissue."""

STAINED_SHARE = 64
"""Share of stained fine pixels, of 255, from which a mask pixel counts as stained."""

LONELY_SHARE = 20
"""Share within `droplet_um` around, of 255, below which stain is dirt."""


def find_tissue(
    slide: Slide,
    *,
    um_per_px: float = 8.0,
    stain: float = 0.06,
    droplet_um: float = 50.0,
    lumen_um: float = 80.0,
    piece_um: float = 150.0,
) -> Mask:
    """Return where a slide shows parenchyma, fat included.

    A pixel is stained where its optical density differs between the channels, relative to
    the slide's own white. A white place is kept when a disk of `droplet_um` does not fit into
    it (droplets and their clusters, sinusoids) or when it is smaller than a vessel of
    `lumen_um`; glass, tears and large lumina stay out. Nothing here looks at brightness
    alone, so fat is not lost and dust, shadows and black borders are not gained.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    um_per_px : float
        Resolution of the mask, um; at least 2.
    stain : float
        Difference of optical density between the channels (natural logarithm) from which a
        pixel is stained.
    droplet_um : float
        Diameter of the largest single droplet to keep wherever it lies, um.
    lumen_um : float
        White places with the area of a circle of this diameter, or more, are lumina, um.
    piece_um : float
        Pieces of tissue with less than the area of a circle of this diameter are dirt, um.

    Returns
    -------
    Mask
        With area 0 where there is no tissue; ``provenance["reason"]`` then says why.

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    BadValueError
        Where a parameter is not positive.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> mask = find_tissue(st.drawn_liver(1024, 1024, seed=1))
    >>> mask.area_mm2 > 0
    True
    """
    parameters = {
        "um_per_px": float(um_per_px),
        "stain": float(stain),
        "droplet_um": float(droplet_um),
        "lumen_um": float(lumen_um),
        "piece_um": float(piece_um),
    }
    for name, value in parameters.items():
        if not value > 0:
            raise BadValueError(f"{name} must be positive, got {value}.")
    fine = slide.at(max(FINE_UM, slide.frame().mean_um_per_px))
    factor = max(1, round(um_per_px / fine.frame.mean_um_per_px))
    frame = fine.frame.coarser(factor)
    light = _light(fine)
    made: dict[str, Any] = {"method": "find_tissue", "version": VERSION, **parameters}
    made["white"] = [round(value, 2) for value in light.white]
    if light.dark:
        shape = (-(-fine.height // factor), -(-fine.width // factor))
        made["reason"] = "the slide is dark all over: not a stained section in bright light"
        return Mask(np.zeros(shape, bool), frame, made)
    share = _stained_share(fine, factor, light.white, stain)
    values = _closed(share, droplet_um / frame.mean_um_per_px)
    per_px = frame.um2_per_px
    values = ~_drop_small(~values, np.pi / 4 * lumen_um**2 / per_px)
    largest = min(np.pi / 4 * piece_um**2 / per_px, values.size / 4)
    values = _drop_small(values, largest)
    if not values.any():
        made["reason"] = "no stained tissue was found"
    return Mask(values, frame, made)


@dataclass(frozen=True)
class _Light:
    white: tuple[float, float, float]
    dark: bool


def _light(fine: Plane) -> _Light:
    """Look at up to 8 x 8 patches, spread evenly, for the white level and for darkness."""
    side = 128
    patches = []
    for y in _spread(fine.height, side):
        for x in _spread(fine.width, side):
            height, width = min(side, fine.height - y), min(side, fine.width - x)
            patch = fine.read(Region(y=y, x=x, height=height, width=width))
            patches.append(patch.reshape(-1, 3))
    pixels = np.concatenate(patches)
    bright = pixels.max(1)
    dark = float(np.mean(bright > 3 * DARK)) < 0.01
    return _Light(white_level(pixels), dark)


def _spread(length: int, side: int) -> list[int]:
    count = min(8, -(-length // side))
    last = max(0, length - side)
    return [round(i * last / max(1, count - 1)) for i in range(count)]


def _stained_share(
    fine: Plane, factor: int, white: tuple[float, float, float], stain: float
) -> NDArray[np.uint8]:
    """Return the share of stained fine pixels in every mask pixel, 0 to 255."""
    table = np.rint(np.clip(density_table(white), 0, 2.5) * 100).astype(np.uint8)
    limit = round(100 * stain)
    share = np.zeros((-(-fine.height // factor), -(-fine.width // factor)), np.uint8)
    for tile in Grid(fine.height, fine.width, max(1, BLOCK_PX // factor) * factor):
        stained = _stained(fine.read(tile.inner), table, limit)
        block = box_mean(np.repeat((stained * np.uint8(255))[..., None], 3, 2), factor)[..., 0]
        y, x = tile.inner.y // factor, tile.inner.x // factor
        share[y : y + block.shape[0], x : x + block.shape[1]] = block
    return share


def _stained(rgb: NDArray[np.uint8], table: NDArray[np.uint8], limit: int) -> NDArray[np.bool_]:
    red, green, blue = (table[channel][rgb[..., channel]] for channel in range(3))
    low, high = np.minimum(red, blue), np.maximum(red, blue)
    colour = np.maximum(high, green) - np.minimum(low, green)
    ink = low > green.astype(np.int16) + 10  # green absorbs least: felt pen, no tissue stain
    return (colour >= limit) & (rgb.max(-1) >= DARK) & ~ink


def _closed(share: NDArray[np.uint8], disk_px: float) -> NDArray[np.bool_]:
    """Close the stained places with a disk, block by block (distances need much memory)."""
    from scipy.ndimage import distance_transform_edt, uniform_filter

    around = uniform_filter(share, size=2 * int(disk_px) + 1, mode="reflect")
    stained = (share >= STAINED_SHARE) & (around >= LONELY_SHARE)
    radius, halo = disk_px / 2, int(disk_px) + 3
    padded = np.pad(stained, halo, mode="symmetric")
    values = np.empty_like(stained)
    for tile in Grid(*stained.shape, 1024, halo):
        y, x = tile.inner.y, tile.inner.x
        cut = padded[y : y + tile.inner.height + 2 * halo, x : x + tile.inner.width + 2 * halo]
        if cut.any() and not cut.all():
            grown = distance_transform_edt(~cut) <= radius
            cut = distance_transform_edt(grown) > radius if not grown.all() else grown
        values[tile.inner.slices] = cut[halo:-halo, halo:-halo]
    return values


def _drop_small(values: NDArray[np.bool_], area_px: float) -> NDArray[np.bool_]:
    """Return the map without connected places of fewer than `area_px` pixels."""
    from scipy.ndimage import label

    labels, _ = label(values, output=np.int32)
    large = np.bincount(labels.ravel()) >= area_px
    large[0] = False
    kept: NDArray[np.bool_] = large[labels]
    return kept
