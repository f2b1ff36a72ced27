"""Droplets and tissue of a report as annotations on level 0 of its slide."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from ...core.annotation import Annotation, Annotations
from ...core.digest import digest
from ...core.errors import BadValueError
from ...core.geometry import Frame
from ...core.prediction import Prediction
from ...core.report import Outline, Report
from .._palette import DROPLET_COLOURS
from .._tissue_outline import tissue_outline
from .encode import identities

BATCH = 1000
MEASUREMENT_DECIMALS = 3
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


def outlined(value: Report | Annotations, what: str) -> tuple[int, Iterator[Annotation]]:
    """Return how many annotations a report or annotations hold, and the annotations.

    The number is an upper bound: droplets too large to be taken apart have no outline.

    Raises
    ------
    BadValueError
        The report has no outlines, or the pixel size of the slide's level 0 is not known;
        `what` begins the message.
    """
    if isinstance(value, Annotations):
        return len(value), iter(value)
    prediction = value.prediction
    if prediction is None or value.outlines is None:
        raise BadValueError(
            f"{what}: the report {value.title!r} holds no outlines. Measure the class map again: "
            f"write(measure(prediction), path)."
        )
    slide = slide_frame(prediction)
    tissue = tissue_of(value, prediction, slide)
    count = len(tissue) + len(value.tables["droplets"]["id"])
    return count, chain(tissue, droplets_of(value, prediction, slide, value.outlines(None)))


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


def tissue_of(report: Report, prediction: Prediction, slide: Frame) -> list[Annotation]:
    """Return the outline of what was analysed, one locked annotation per piece."""
    identity = identities(f"{digest(dict(report.provenance))}:tissue")
    return [
        Annotation(
            "polygon",
            (tuple(slide.to_px(ring) for ring in polygon),),
            name="Analysed tissue",
            colour=TISSUE_COLOUR,
            locked=True,
            identity=identity(number),
        )
        for number, polygon in enumerate(tissue_outline(prediction))
    ]


def droplets_of(
    report: Report, prediction: Prediction, slide: Frame, outlines: Iterator[Outline]
) -> Iterator[Annotation]:
    """Yield the droplets of some outlines as detections."""
    table = report.tables["droplets"]
    columns = [np.asarray(table[column], np.float64) for column in MEASUREMENTS.values()]
    numbers = np.round(np.stack(columns, axis=1), MEASUREMENT_DECIMALS)
    identity = identities(f"{digest(dict(report.provenance))}:droplets")
    looks = {size: (f"Fat droplet: {size}", rgb) for size, rgb in DROPLET_COLOURS.items()}
    classes = table["size_class"]
    while batch := list(islice(outlines, BATCH)):
        for outline, rings in zip(batch, _on_slide(batch, prediction.frame, slide), strict=True):
            class_name, colour = looks[str(classes[outline.row])]
            values = numbers[outline.row].tolist()
            yield Annotation(
                "polygon",
                (rings,),
                kind="detection",
                class_name=class_name,
                colour=colour,
                measurements=dict(zip(MEASUREMENTS, values, strict=True)),
                identity=identity(int(table["id"][outline.row])),
            )


def _on_slide(
    outlines: list[Outline], own: Frame, slide: Frame
) -> Iterator[tuple[NDArray[np.float64], ...]]:
    """Yield the rings of each outline in px of the slide; all are converted at once."""
    rings = [ring for outline in outlines for ring in outline.rings]
    points = slide.to_px(own.to_um(np.concatenate(rings)))
    ends = np.cumsum([len(ring) for ring in rings]).tolist()
    placed = iter([points[a:b] for a, b in zip([0, *ends], ends, strict=False)])
    for outline in outlines:
        yield tuple(islice(placed, len(outline.rings)))
