"""A heat map as a picture over its slide, or as its values."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UnknownNameError
from ..core.geometry import Region
from ..core.heat_map import HeatMap
from ..core.replacing import replacing
from ..core.slide import Slide
from ..core.snapshot import Snapshot
from ._snapshot.overlay import LegendEntry
from ._snapshot.page import page
from .write_snapshot import picture, save_page


@dataclass(frozen=True)
class Look:
    """How a kind of heat map is drawn, in files and on the screen.

    Parameters
    ----------
    name : str
        What its colours say.
    colours : str
        Of matplotlib.
    clear : float
        Up to this value nothing is drawn.
    note : str
        What a reader of the picture must know.
    """

    name: str
    colours: str
    clear: float
    note: str


LOOKED_AT = Look("what the model looked at", "plasma", 0.0, "Shows where, not how much.")
LOOKS = {
    "focus_map": Look("out of focus", "viridis", 0.4, "From 0.5 on a place is out of focus."),
}
"""By the method in the provenance of a map; the others show what a model looked at."""

OPACITY = 0.9
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Values that the legend shows."""


def write_heat_map(heat: HeatMap, path: Path, slide: Slide, *, overwrite: bool = False) -> Path:
    """Write a heat map as PNG (over the slide, with bar, caption and legend) or TIFF (values).

    Parameters
    ----------
    heat : HeatMap
        Of the slide.
    path : Path
        Its suffix says what: ``.png``; or ``.tif``, ``.tiff``: float32 with the size of a pixel,
        the place and the provenance in the description.
    slide : Slide
        With a pixel size.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    UnknownNameError
        For another suffix.
    CannotOpenError
        Something stands at `path` and `overwrite` is False.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        _write_picture(heat, path, slide, overwrite)
    elif suffix in (".tif", ".tiff"):
        _write_values(heat, path, overwrite)
    else:
        raise UnknownNameError(f"{path}: a map is written as .png (a picture) or .tif (values).")
    return path


def _write_picture(heat: HeatMap, path: Path, slide: Slide, overwrite: bool) -> None:
    rows, columns = heat.values.shape
    frame = slide.frame()
    edges = heat.frame.to_um([(-0.5, -0.5), (rows - 0.5, columns - 0.5)])
    (y, x), (y_end, x_end) = np.rint(frame.to_px(edges) + 0.5).astype(int).tolist()
    region = Region(y=y, x=x, height=max(1, y_end - y), width=max(1, x_end - x))
    named = ", ".join(filter(None, (heat.name, heat.provenance.get("model"))))
    look = look_of(heat)
    title = f"{named}. {heat.provenance.get('reason', look.note)}"
    view = Snapshot(slide, region, width_px=int(np.clip(columns, 800, 4000)), title=title)
    rgb, _ = picture(view)
    seen = view.view.height / region.height, view.view.width / region.width
    colours = heat_colours(_spread(heat.values, rgb.shape[:2], seen), look)
    shown, share = 255 * colours[..., :3], colours[..., 3:]
    blended = np.rint(rgb * (1 - share) + shown * share).astype(np.uint8)
    legend = [_entry(step, look) for step in STEPS if step >= look.clear]
    save_page(page(view, blended, legend), path, overwrite=overwrite)


def _spread(
    values: NDArray[np.float32], shape: tuple[int, int], seen: tuple[float, float]
) -> NDArray[np.float32]:
    """Return the values at the pixels of a picture, from the nearest pixel of the map.

    `seen` is which share of the map's rows and columns the picture shows: the last pixels of a
    map may stick out of the slide.
    """
    rows, columns = (
        ((np.arange(side) + 0.5) * (own * share / side)).astype(np.int64)
        for side, own, share in zip(shape, values.shape, seen, strict=True)
    )
    return values[np.ix_(rows, columns)]


def look_of(heat: HeatMap) -> Look:
    """Return how a heat map is drawn."""
    return LOOKS.get(str(heat.provenance.get("method")), LOOKED_AT)


def heat_colours(values: NDArray[np.float32], look: Look = LOOKED_AT) -> NDArray[np.float32]:
    """Return ``(..., 4)`` colours, 0 to 1, as opaque as the value is high; NaN is clear.

    Examples
    --------
    >>> heat_colours(np.float32([0.2, 1.0, np.nan]), LOOKS["focus_map"])[:, 3].round(1).tolist()
    [0.0, 0.8999999761581421, 0.0]
    """
    from matplotlib import colormaps

    above = np.maximum(np.nan_to_num(values) - np.float32(look.clear), 0)
    known = above / np.float32(1 - look.clear)
    colours = np.asarray(colormaps[look.colours](known), np.float32)
    colours[..., 3] = OPACITY * np.sqrt(known)
    return colours


def _entry(value: float, look: Look) -> LegendEntry:
    red, green, blue = (
        np.rint(255 * heat_colours(np.array([value], np.float32), look)[0, :3]).astype(int).tolist()
    )
    return LegendEntry(f"{value:g}", (red, green, blue, 255))


def _write_values(heat: HeatMap, path: Path, overwrite: bool) -> None:
    import tifffile

    place = {"um_per_px": heat.frame.um_per_px, "origin_um": heat.frame.origin_um}
    about = json.dumps({"name": heat.name, **place, "made_by": dict(heat.provenance)})
    tall, wide = heat.frame.um_per_px
    values = np.asarray(heat.values, np.float32)
    with replacing(path, overwrite=overwrite) as part:
        tifffile.imwrite(
            part,
            values,
            description=about,
            resolution=(1e4 / wide, 1e4 / tall),
            resolutionunit="CENTIMETER",
            compression="zlib",
            metadata=None,
        )
