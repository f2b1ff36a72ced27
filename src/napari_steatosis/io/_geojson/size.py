"""How large a GeoJSON file would be, from some hundred of its features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...core.annotation import Annotation, Annotations
from ...core.geometry import Region
from ...core.report import Outline, Report
from .encode import FOOT, HEAD, SEPARATOR, encoded
from .report_outlines import droplets_of, outlined, slide_frame, tissue_of

SAMPLE = 400
WINDOWS, WINDOW_PX = 16, 512


def geojson_size(value: Report | Annotations) -> int:
    """Estimate the size of ``.geojson`` before it is written, from some hundred features.

    The length of a feature grows with the droplet's diameter, or with the number of an
    annotation's corners, both of which are known of every one. With gzip a file of droplets
    takes about a ninth of it.

    Parameters
    ----------
    value : Report or Annotations
        What would be written.

    Returns
    -------
    int
        Bytes, uncompressed.

    Raises
    ------
    BadValueError
        The report has no outlines, or the pixel size of the slide's level 0 is not known.

    Examples
    --------
    >>> from napari_steatosis.core.annotation import Annotation, Annotations
    >>> ring = np.array([[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]], float)
    >>> square = Annotation("polygon", ((ring,),), class_name="Tissue")
    >>> 100_000 < geojson_size(Annotations((square,) * 1000)) < 300_000
    True
    """
    outlined(value, "The size of GeoJSON")  # refuses what cannot be written
    around = len(HEAD) + len(FOOT)
    if isinstance(value, Annotations):
        corners = np.array([_corners(one) for one in value], np.float64)
        chosen = np.unique(np.linspace(0, max(len(value) - 1, 0), SAMPLE).astype(int))
        sample = [value.items[index] for index in chosen[: len(value)]]
        known = np.array([_corners(one) for one in sample], np.float64)
        return around + _total(known, _lengths(sample), corners)
    assert value.prediction is not None
    tissue = tissue_of(value, value.prediction, slide_frame(value.prediction))
    diameters = np.asarray(value.tables["droplets"]["diameter_um"], np.float64)
    sample = _droplet_sample(value)
    known = np.array([one.measurements["Diameter µm"] for one in sample], np.float64)
    return around + int(_lengths(tissue).sum()) + _total(known, _lengths(sample), diameters)


def _corners(one: Annotation) -> int:
    return sum(len(ring) for parts in (one.parts, one.nucleus) for part in parts for ring in part)


def _lengths(sample: list[Annotation]) -> NDArray[np.float64]:
    return np.array([len(line) + len(SEPARATOR) for line in encoded(sample)], np.float64)


def _droplet_sample(report: Report) -> list[Annotation]:
    """Return the droplets of windows around some of them, spread over the slide."""
    assert report.prediction is not None
    assert report.outlines is not None
    table, count = report.tables["droplets"], len(report.tables["droplets"]["id"])
    outlines: dict[int, Outline] = {}
    for row in np.linspace(0, count - 1, min(count, WINDOWS)).astype(int).tolist():
        y, x = (int(table[key][row]) - WINDOW_PX // 2 for key in ("y_px", "x_px"))
        window = Region(y=y, x=x, height=WINDOW_PX, width=WINDOW_PX)
        outlines.update((found.row, found) for found in report.outlines(window))
    slide = slide_frame(report.prediction)
    return list(droplets_of(report, report.prediction, slide, iter(outlines.values())))


def _total(
    known: NDArray[np.float64], lengths: NDArray[np.float64], of_all: NDArray[np.float64]
) -> int:
    """Return the sum of lengths that a straight line through the known ones gives for all."""
    if len(known) == 0:
        return 0
    spread = known - known.mean()
    variance = float(spread @ spread)
    slope = float(spread @ (lengths - lengths.mean())) / variance if variance > 0 else 0.0
    return round(len(of_all) * lengths.mean() + slope * float((of_all - known.mean()).sum()))
