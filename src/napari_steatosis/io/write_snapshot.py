"""A view of a slide as PNG or SVG, with scale bar, legend and notice."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame, Region
from ..core.plane import Plane
from ..core.replacing import replacing
from ..core.snapshot import Snapshot
from ._snapshot.overlay import LegendEntry, Overlay
from ._snapshot.page import page

BLOCK_PX = 8_000_000
"""Pixels of the file that are read at once."""

BAND_ROWS = 128
SAMPLES = 3
"""Places per side of a picture's pixel at which coarser overlays are sampled."""

LEVEL_0 = Frame((1.0, 1.0))
"""Pixels of level 0 as the unit of length."""


def write_snapshot(value: Snapshot, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write a picture of a region, 300 dots per inch, as the suffix says: PNG or SVG.

    The slide is read at the resolution of the picture; enlarged pixels stay squares. A scale
    bar of a round length stands in the picture, in px where the size of a pixel is unknown;
    names and colours of the overlays stand below it. In an SVG the pixels are embedded, bar
    and legend are vectors, and text is text.

    Raises
    ------
    UnreadableRegionError
        The slide cannot be read there.
    CannotOpenError
        Something stands at `path` and `overwrite` is False.
    """
    rgb, legend = picture(value)
    save_page(page(value, rgb, legend), path, overwrite=overwrite)
    return [path]


def save_page(figure: Any, path: Path, *, overwrite: bool) -> None:
    """Write a page as the suffix says, the same bytes each time; it appears whole or not at all."""
    import matplotlib as mpl

    kind = path.suffix[1:].lower()
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "snapshot"}
    with (
        replacing(path, overwrite=overwrite) as part,
        mpl.rc_context(settings),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)  # a box stands there
        figure.savefig(part, format=kind, dpi=figure.dpi, metadata=metadata)


def picture(snapshot: Snapshot) -> tuple[NDArray[np.uint8], list[LegendEntry]]:
    """Return the pixels of a snapshot, ``(y, x, 3) uint8``, and what its colours mean."""
    rgb = _ground(snapshot)
    if not snapshot.overlays:
        return rgb, []
    overlays: list[Overlay] = []
    for one in snapshot.overlays:
        taken = {colour for other in overlays for colour in other.colours}
        overlays.append(Overlay(one, snapshot.slide, taken))
    height, width = rgb.shape[:2]
    view, (step_y, step_x) = snapshot.view, snapshot.step_px
    n = SAMPLES if max(step_y, step_x) > 1 else 1
    columns = view.x - 0.5 + (np.arange(width * n) + 0.5) * step_x / n
    for top in range(0, height, BAND_ROWS):
        band = rgb[top : top + BAND_ROWS]
        rows = view.y - 0.5 + (top * n + np.arange(len(band) * n) + 0.5) * step_y / n
        for overlay in overlays:
            band[:] = _blended(band, overlay.rgba(rows, columns), n, snapshot.opacity)
    legend = [entry for overlay in overlays for entry in overlay.legend()]
    return rgb, list(dict.fromkeys(legend))


def _blended(
    rgb: NDArray[np.uint8], rgba: NDArray[np.float32], n: int, opacity: float
) -> NDArray[np.uint8]:
    """Lay colours, of which `n` x `n` samples fall on each pixel, over pixels."""
    alpha = rgba[..., 3:] * np.float32(opacity / 255)
    colour = rgba[..., :3] * alpha
    if n > 1:
        height, width = rgb.shape[:2]
        alpha = alpha.reshape(height, n, width, n, 1).mean(axis=(1, 3))
        colour = colour.reshape(height, n, width, n, 3).mean(axis=(1, 3))
    return np.rint(rgb * (1 - alpha) + colour).astype(np.uint8)


def _ground(snapshot: Snapshot) -> NDArray[np.uint8]:
    """Return the slide's pixels: averaged where they are finer than the picture's."""
    from PIL import Image

    view, (height, width) = snapshot.view, snapshot.picture_shape
    step_y, step_x = snapshot.step_px
    if max(step_y, step_x) <= 1:
        rows = ((np.arange(height) + 0.5) * step_y).astype(np.int64)
        columns = ((np.arange(width) + 0.5) * step_x).astype(np.int64)
        return snapshot.slide.read(view)[np.ix_(rows, columns)]
    flat = replace(snapshot.slide, um_per_px=LEVEL_0.um_per_px, origin_um=LEVEL_0.origin_um)
    plane = flat.at(max(1.0, min(step_y, step_x) / 2))
    corners = [(view.y - 0.5, view.x - 0.5), (view.y_end - 0.5, view.x_end - 0.5)]
    sides = np.clip(plane.frame.to_px(corners) + 0.5, 0, (plane.height, plane.width))
    y, x = np.floor(sides[0] + 1e-6).astype(int).tolist()
    y_end, x_end = np.ceil(sides[1] - 1e-6).astype(int).tolist()
    cover = Region(y=y, x=x, height=max(1, y_end - y), width=max(1, x_end - x))
    inside = np.clip(sides - (y, x), 0, (cover.height, cover.width))
    (top, left), (bottom, right) = inside.tolist()
    fine = Image.fromarray(_read_in_bands(plane, cover))
    box = (left, top, right, bottom)
    return np.array(fine.resize((width, height), Image.Resampling.BOX, box=box))


def _read_in_bands(plane: Plane, region: Region) -> NDArray[np.uint8]:
    out = np.empty((region.height, region.width, 3), np.uint8)
    per_row = region.width * plane.factor[0] * plane.factor[1]
    rows = max(1, int(BLOCK_PX / per_row))
    for top in range(0, region.height, rows):
        part: Any = out[top : top + rows]
        part[:] = plane.read(replace(region, y=region.y + top, height=len(part)))
    return out
