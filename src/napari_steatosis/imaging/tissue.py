"""Where the parenchyma is: stain evidence, closed over droplets, less glass and large lumina."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.grid import Grid
from ..core.mask import Mask
from ..core.plane import Plane
from ..core.slide import Slide, mirrored
from .optics import density_table, spread_pixels, white_level

VERSION = 1
FINE_UM = 2.0
"""Resolution at which stain is looked for: the septa between droplets are still seen, um."""

NEAR_UM = 4.0
"""Resolution at which stained places are closed over droplets, um."""

EDGE_UM = 2.0
"""A partly stained pixel counts as stained, which moves edges out by this; it is undone, um."""

CRUMB_UM2 = 400.0
"""Stained places smaller than this are loose cells and debris in a lumen, um2."""

BLOCK_PX = 512
"""Side of the blocks that are read at that resolution, px."""

DARK = 50
"""Below this in every channel a pixel is scan edge, padding or ink, not stained tissue."""

STAINED_SHARE = 60
"""Share of stained fine pixels, of 255, from which a mask pixel counts as stained."""


def find_tissue(
    slide: Slide,
    *,
    um_per_px: float = 8.0,
    stain: float = 0.06,
    gap_um: float = 16.0,
    lumen_um: float = 55.0,
    piece_um: float = 70.0,
) -> Mask:
    """Return where a slide shows parenchyma, fat included.

    A pixel is stained where its optical density differs between the channels, relative to
    the slide's own white. A white place is kept when a disk of `gap_um` does not fit into
    it (droplets and their clusters, sinusoids) or when it is smaller than a vessel of
    `lumen_um`; glass, tears and large lumina stay out. Nothing here looks at brightness
    alone, so fat is not lost and dust, shadows and black borders are not gained.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    um_per_px : float
        Resolution of the mask, um; it is never finer than 2 or than the slide.
    stain : float
        Difference of optical density between the channels (natural logarithm) from which a
        pixel is stained.
    gap_um : float
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
        "gap_um": float(gap_um),
        "lumen_um": float(lumen_um),
        "piece_um": float(piece_um),
    }
    for name, value in parameters.items():
        if not value > 0:
            raise BadValueError(f"{name} must be positive, got {value}.")
    fine = slide.at(max(FINE_UM, slide.frame().mean_um_per_px))
    near = max(1, round(min(NEAR_UM, um_per_px) / fine.frame.mean_um_per_px))
    step = max(1, round(um_per_px / (near * fine.frame.mean_um_per_px)))
    frame = fine.frame.coarser(near * step)
    pixels = spread_pixels(fine)
    white = white_level(pixels)
    made: dict[str, Any] = {"method": "find_tissue", "version": VERSION, **parameters}
    made["white"] = [round(value, 2) for value in white]
    if np.mean(pixels.max(1) > 3 * DARK) < 0.01:
        shape = (-(-fine.height // (near * step)), -(-fine.width // (near * step)))
        made["reason"] = "the slide is dark all over: not a stained section in bright light"
        return Mask(np.zeros(shape, bool), frame, made)
    share = _stained_share(fine, near, white, stain)
    grain = fine.frame.coarser(near)
    closed = _closed(share, gap_um / grain.mean_um_per_px, CRUMB_UM2 / grain.um2_per_px, step)
    del share
    edge = min(254, int(255 * (0.5 + EDGE_UM / frame.mean_um_per_px)))
    values = ~_lumina(closed, np.pi / 4 * lumen_um**2 / frame.um2_per_px, edge)
    values = _drop_small(values, np.pi / 4 * piece_um**2 / frame.um2_per_px)
    if not values.any():
        made["reason"] = "no stained tissue was found"
    return Mask(values, frame, made)


def _stained_share(
    fine: Plane, factor: int, white: tuple[float, float, float], stain: float
) -> NDArray[np.uint8]:
    """Return the share of stained fine pixels in every mask pixel, 0 to 255."""
    table = np.rint(np.clip(density_table(white), 0, 2.5) * 100).astype(np.uint8)
    limit = round(100 * stain)
    share = np.zeros((-(-fine.height // factor), -(-fine.width // factor)), np.uint8)
    for tile in Grid(fine.height, fine.width, max(1, BLOCK_PX // factor) * factor):
        stained = _stained(fine.read(tile.inner), table, limit)
        block = _share_of(stained, factor)
        y, x = tile.inner.y // factor, tile.inner.x // factor
        share[y : y + block.shape[0], x : x + block.shape[1]] = block
    return share


def _stained(rgb: NDArray[np.uint8], table: NDArray[np.uint8], limit: int) -> NDArray[np.bool_]:
    red, green, blue = (table[channel][rgb[..., channel]] for channel in range(3))
    low, high = np.minimum(red, blue), np.maximum(red, blue)
    colour = np.maximum(high, green) - np.minimum(low, green)
    ink = low > green.astype(np.int16) + 10  # green absorbs least: felt pen, no tissue stain
    return (colour >= limit) & (rgb.max(-1) >= DARK) & ~ink


def _closed(
    share: NDArray[np.uint8], disk_px: float, crumb_px: float, step: int
) -> NDArray[np.uint8]:
    """Close the stained places with a disk; return their share in blocks of `step`.

    Works in parts, for distances take eight bytes a pixel.
    """
    from scipy.ndimage import distance_transform_edt

    radius, halo = disk_px / 2, int(2 * disk_px) + 3
    height, width = share.shape
    values = np.empty((-(-height // step), -(-width // step)), np.uint8)
    for tile in Grid(height, width, 1024 // step * step, halo):
        rows = mirrored(np.arange(tile.inner.y - halo, tile.inner.y_end + halo), height)
        columns = mirrored(np.arange(tile.inner.x - halo, tile.inner.x_end + halo), width)
        closed = _drop_small(share[rows][:, columns] >= STAINED_SHARE, crumb_px)
        if closed.any() and not closed.all():
            grown = distance_transform_edt(~closed) <= radius
            closed = grown if grown.all() else distance_transform_edt(grown) > radius
        inner = closed[halo:-halo, halo:-halo]
        part = _share_of(inner, step)
        y, x = tile.inner.y // step, tile.inner.x // step
        values[y : y + part.shape[0], x : x + part.shape[1]] = part
    return values


def _share_of(yes: NDArray[np.bool_], factor: int) -> NDArray[np.uint8]:
    """Return the share of yes pixels in blocks of `factor` x `factor`, 0 to 255."""
    ragged = (-yes.shape[0] % factor, -yes.shape[1] % factor)
    padded = np.pad(yes, ((0, ragged[0]), (0, ragged[1])), mode="edge")
    count = np.zeros((padded.shape[0] // factor, padded.shape[1] // factor), np.uint32)
    for dy in range(factor):
        for dx in range(factor):
            count += padded[dy::factor, dx::factor]
    return (count * 255 // factor**2).astype(np.uint8)


def _lumina(closed: NDArray[np.uint8], area_px: float, edge: int) -> NDArray[np.bool_]:
    """Return the large white places: joined where no septum passes, drawn to their edge."""
    from scipy.ndimage import binary_dilation

    cores = _drop_small(closed == 0, area_px, diagonal=False)
    reach: NDArray[np.bool_] = binary_dilation(cores, np.ones((3, 3)))
    return reach & (closed <= edge)


def _drop_small(
    values: NDArray[np.bool_], area_px: float, *, diagonal: bool = True
) -> NDArray[np.bool_]:
    """Return the map without connected places of fewer than `area_px` pixels.

    What is cut by the edge of the map goes on outside, so there half is enough.
    """
    from scipy.ndimage import generate_binary_structure, label

    neighbours = generate_binary_structure(2, 2 if diagonal else 1)
    labels, _ = label(values, neighbours, output=np.int32)
    area = np.bincount(labels.ravel())
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    area[np.unique(edge)] *= 2
    area[0] = 0
    kept: NDArray[np.bool_] = (area >= area_px)[labels]
    return kept
