"""All measures on one slide, and what a reader must know before using them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..core.prediction import Prediction
from ..core.report import Measurement, Report
from . import MEASURES
from ._droplets import DropletRule
from ._evidence import Evidence
from ._hepatocytes import TERRITORIES, Hepatocytes
from ._origin import scale_source_of, title_of
from ._outlines import trace_droplets
from ._reasons import with_reasons
from ._squares import SQUARE_UM
from ._tiles import tile_table
from ._zone_labels import ZONES, zone_labels
from ._zone_map import Landmarks
from .heterogeneity import FEWEST_SQUARES
from .zones import zone_flags, zone_measurements

LITTLE_TISSUE_MM2 = 1.0
MANY_AT_BORDER = 0.1
FAILURES_NAMED = 10


def measure(
    prediction: Prediction,
    *,
    measures: Iterable[str] | None = None,
    smallest_um2: float = 3.0,
    macro_um2: float = 65.0,
    landmarks: Landmarks | None = None,
    nuclei: Hepatocytes | None = None,
) -> Report:
    """Measure a class map of fat.

    The class map is read once, in bands of rows: memory grows with the width of the plane
    and the number of droplets, not with its height.

    Parameters
    ----------
    prediction : Prediction
        With a class ``"fat"``; numpy or stored.
    measures : iterable of str, optional
        Rows of `MEASURES`; all of them where it is left out.
    smallest_um2 : float
        Smaller regions of fat are no droplets; they still count as area of fat.
    macro_um2 : float
        Droplets from this area on are ``macro``.
    landmarks : Landmarks, optional
        Drawn portal tracts and central veins: fat is measured per zone, too.
    nuclei : Hepatocytes, optional
        From `find_hepatocytes`: hepatocytes are counted by their nuclei, too, and the grade
        rests on these.

    Returns
    -------
    Report
        With the tables ``"droplets"`` and ``"tiles"``, and ``"hepatocytes"`` where nuclei were
        given; with the maps ``"zones"`` and ``"territories"`` where there are landmarks and nuclei.

    Raises
    ------
    UnknownNameError
        A measure that is not in the table, or a prediction without fat.
    BadValueError
        Areas that make no sense.

    Examples
    --------
    >>> from napari_steatosis.core.geometry import Frame
    >>> half_fat = np.repeat(np.uint8([[1, 2]]), 50, axis=1).repeat(100, axis=0)
    >>> fat = Prediction("fat", [half_fat], ("tissue", "fat"), Frame((0.5, 0.5)))
    >>> print(measure(fat)["fat_area_fraction"])
    50 %
    """
    names = list(MEASURES) if measures is None else list(measures)
    functions = [MEASURES[name] for name in names]
    rule = DropletRule(smallest_um2, macro_um2)
    rows = None if nuclei is None else nuclei.table
    evidence = Evidence.gather(prediction, rule, landmarks=landmarks, nuclei=rows)
    made = [one for function in functions for one in function(evidence)]
    if evidence.zones is not None:
        made += zone_measurements(evidence)
    measurements = with_reasons(made, evidence)
    tables = {"droplets": evidence.droplets, "tiles": tile_table(evidence)}
    if evidence.nuclei is not None:
        tables["hepatocytes"] = evidence.nuclei
    maps = {}
    if evidence.zones is not None:
        maps[ZONES] = zone_labels(prediction, evidence.zones.zones)
    if nuclei is not None and nuclei.territories is not None:
        maps[TERRITORIES] = nuclei.territories
    settings: dict[str, Any] = {
        "measures": names,
        "smallest_um2": smallest_um2,
        "macro_um2": macro_um2,
        "square_um": SQUARE_UM,
    }
    if landmarks is not None:
        settings["landmarks"] = landmarks.identity
    if nuclei is not None:
        settings["nuclei"] = dict(nuclei.made_by)
    return Report(
        title=title_of(prediction),
        measurements=measurements,
        tables=tables,
        provenance={**prediction.provenance, "measure": settings},
        flags=tuple(_flags(evidence, measurements)),
        prediction=prediction,
        outlines=partial(trace_droplets, prediction, evidence.droplets),
        maps=maps,
    )


def _flags(evidence: Evidence, measurements: tuple[Measurement, ...]) -> Iterator[str]:
    prediction, droplets = evidence.prediction, evidence.droplets
    if not prediction.finished:
        yield (
            "The run is not finished: what it has not reached is not analysed, and every number "
            "is of a part of the slide. Make the same run again to complete it."
        )
    if failed := prediction.failed:
        more = len(failed) - FAILURES_NAMED
        yield (
            f"{len(failed)} tile(s) could not be read and were not analysed: "
            + " | ".join(failed[:FAILURES_NAMED])
            + (f" | and {more} more." if more > 0 else "")
        )
    if evidence.tissue_mm2 == 0:
        yield "Nothing was analysed, so fractions and densities are undefined."
    elif evidence.tissue_mm2 < LITTLE_TISSUE_MM2:
        yield (
            f"Little tissue: {evidence.tissue_mm2:.3g} mm^2 were analysed; below "
            f"{LITTLE_TISSUE_MM2:g} mm^2 the value depends on where the section was taken."
        )
    squares = int(np.count_nonzero(evidence.squares.analysed))
    if 0 < squares < FEWEST_SQUARES:
        yield (
            f"Only {squares} square(s) of {SQUARE_UM:g} um hold tissue; "
            + ("an interval needs 2." if squares == 1 else "intervals rest on few, side by side.")
        )
    elif squares and evidence.fat_mm2 == 0:
        yield "No fat was found: no interval can be given for a fraction of 0."
    n = len(droplets["id"])
    at_border = int(np.count_nonzero(droplets["touches_border"]))
    if n and at_border > MANY_AT_BORDER * n:
        yield (
            f"{at_border} of {n} droplets ({100 * at_border / n:.0f} %) touch the border of what "
            f"was analysed and may be cut: their sizes are lower bounds."
        )
    if evidence.oversized:
        yield (
            f"{evidence.oversized} connected region(s) of fat are longer than 2048 px. They were "
            f"measured whole, not taken apart, and have no outline: look at them for vessels, "
            f"tears or glass taken for fat."
        )
    if scale_source_of(prediction).startswith("given"):
        yield (
            "The pixel size was given by the user, not by the file: every length and area "
            "depends on it."
        )
    if evidence.zones is not None:
        yield from zone_flags(evidence)
    undefined = [m.name for m in measurements if math.isnan(m.value)]
    if undefined and evidence.tissue_mm2 > 0:
        yield f"Undefined, for lack of droplets or of tissue: {', '.join(undefined)}."
