"""Nuclei of hepatocytes as points, those with fat in another colour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .fat_map import MAP_OF
from .layers import LayerTuple

if TYPE_CHECKING:
    import napari.layers

    from ..core.report import Report

MOST_POINTS = 50_000
"""Beyond this number those nearest to the middle of the view are shown."""

NUCLEI = "nuclei"
WIDER = 1.3
"""Rings are so much wider than nuclei, which stay visible in them."""


def nuclei_layer(
    report: Report, labels: napari.layers.Labels, middle_px: NDArray[np.float64]
) -> LayerTuple:
    """Return the nuclei of a report as layer data of points that lie on labels.

    Parameters
    ----------
    report : Report
        With the table ``"hepatocytes"``.
    labels : napari.layers.Labels
        With a prediction in its metadata.
    middle_px : (2,) float
        Where the user looks, px of the labels.
    """
    from ..io._palette import HEPATOCYTE_COLOURS

    table, frame = report.tables["hepatocytes"], labels.metadata["prediction"].frame
    centres = frame.to_px(np.stack([table["y_um"], table["x_um"]], axis=1))
    shown = np.arange(len(centres))
    if len(shown) > MOST_POINTS:
        away = np.hypot(*(centres - middle_px).T)
        shown = np.argpartition(away, MOST_POINTS)[:MOST_POINTS]
    with_fat = table["with_fat"][shown].astype(bool)
    across = 2 * np.sqrt(table["nucleus_area_um2"][shown] / np.pi) / frame.mean_um_per_px
    colours = np.divide([HEPATOCYTE_COLOURS["without fat"], HEPATOCYTE_COLOURS["with fat"]], 255)
    names = ("scale", "translate", "rotate", "shear", "affine", "units")
    options: dict[str, Any] = {
        "name": f"nuclei: {labels.name}",
        "size": WIDER * across,
        "face_color": "transparent",
        "border_color": colours[with_fat.astype(int)],
        "border_width": 0.12,
        "features": {"with fat": with_fat, "fat, um2": table["fat_area_um2"][shown]},
        "metadata": {MAP_OF: NUCLEI},
        **{name: getattr(labels, name) for name in names},
    }
    return centres[shown], options, "points"
