"""Droplets and tissue as GeoJSON that QuPath reads, streamed feature by feature."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ..core.digest import digest
from ..core.errors import BadValueError
from ..core.geometry import Frame
from ..core.prediction import Prediction
from ..core.report import Report
from ._palette import DROPLET_COLOURS
from ._tissue_outline import tissue_outline
from .write import replacing

DECIMALS = 2
TISSUE_COLOUR = (60, 140, 60)
MEASUREMENTS = {
    "Area µm^2": "area_um2",
    "Diameter µm": "diameter_um",
    "Roundness": "roundness",
    "Axis ratio": "axis_ratio",
    "Touches border": "touches_border",
    "Droplet": "id",
}
"""Name in QuPath to column of the droplet table."""

ToPixels = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def write_geojson(value: Report, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write droplets as detections and the analysed tissue as an annotation, for QuPath.

    Coordinates are (x, y) in pixels of the slide's level 0, whose pixel (0, 0) reaches from
    0 to 1. Outlines run along the sides of the pixels of the class map, so an outline holds
    exactly the area that was measured. Identities depend on the result only. Regions of fat
    that are too large to be taken apart have no outline (the report's flags name them).
    A path that ends in ``.gz`` is compressed.

    Raises
    ------
    BadValueError
        The report has no outlines, or the pixel size of the slide's level 0 is not known.
    """
    prediction = value.prediction
    if prediction is None or value.outlines is None:
        raise BadValueError(
            f"{path}: the report {value.title!r} holds no outlines. Measure the class map again: "
            f"write(measure(prediction), path)."
        )
    slide = slide_frame(prediction)
    with replacing(path, overwrite=overwrite) as part, _open(part, path) as file:
        file.write('{"type":"FeatureCollection","features":[\n')
        separator = ""
        for feature in _features(value, prediction, slide):
            file.write(separator + json.dumps(feature, separators=(",", ":"), ensure_ascii=False))
            separator = ",\n"
        file.write("\n]}\n")
    return [path]


def slide_frame(prediction: Prediction) -> Frame:
    """Return the frame of the slide's level 0, in whose pixels other programs think."""
    if prediction.slide is not None:
        return prediction.slide.frame()
    slide = prediction.provenance.get("slide", {})
    stated, origin = slide.get("um_per_px"), slide.get("origin_um", (0.0, 0.0))
    if stated is None:
        raise BadValueError(
            f"The prediction {prediction.name!r} does not say which slide it is of, so outlines "
            f"cannot be given in that slide's pixels. Open it with its slide: "
            f"open_results(path, slide=open_slide(...))."
        )
    return Frame((float(stated[0]), float(stated[1])), (float(origin[0]), float(origin[1])))


@contextmanager
def _open(part: Path, path: Path) -> Iterator[TextIO]:
    if path.suffix.lower() != ".gz":
        with part.open("w", encoding="utf-8") as file:
            yield file
        return
    with (  # no name and no time inside, so the same result gives the same file
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8") as text,
    ):
        yield text


def _features(report: Report, prediction: Prediction, slide: Frame) -> Iterator[dict[str, Any]]:
    assert report.outlines is not None
    identity = digest(dict(report.provenance))

    def name(what: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{identity}:{what}"))

    def ring(points_um: NDArray[np.float64]) -> list[list[float]]:
        corner = slide.to_px(points_um) + 0.5
        rounded: list[list[float]] = np.round(corner[:, ::-1], DECIMALS).tolist()
        return rounded

    for number, polygon in enumerate(tissue_outline(prediction)):
        yield {
            "type": "Feature",
            "id": name(f"tissue {number}"),
            "geometry": {"type": "Polygon", "coordinates": [ring(one) for one in polygon]},
            "properties": {
                "objectType": "annotation",
                "name": "Analysed tissue",
                "color": list(TISSUE_COLOUR),
                "isLocked": True,
            },
        }
    table = report.tables["droplets"]
    classes = {
        size: {"name": f"Fat droplet: {size}", "color": list(colour)}
        for size, colour in DROPLET_COLOURS.items()
    }
    columns = {key: table[column] for key, column in MEASUREMENTS.items()}
    for outline in report.outlines(None):
        row = outline.row
        rings = [ring(prediction.frame.to_um(one)) for one in outline.rings]
        yield {
            "type": "Feature",
            "id": name(f"droplet {table['id'][row]}"),
            "geometry": {"type": "Polygon", "coordinates": rings},
            "properties": {
                "objectType": "detection",
                "classification": classes[str(table["size_class"][row])],
                "measurements": {key: round(float(of[row]), 3) for key, of in columns.items()},
            },
        }
