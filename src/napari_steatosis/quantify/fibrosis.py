"""Collagen as a share of the analysed tissue."""

from __future__ import annotations

import numpy as np

from ..core.prediction import Prediction
from ..core.report import Measurement, Report
from ._origin import title_of
from ._squares import SQUARE_UM, SquareCounts, count_squares
from .fat_area import INTERVAL, percent_interval, why_no_interval

COLLAGEN = "collagen"


def measure_fibrosis(prediction: Prediction) -> Report:
    """Measure a class map of collagen.

    Parameters
    ----------
    prediction : Prediction
        With a class ``"collagen"``, as the model ``fibrosis-hue`` gives it.

    Returns
    -------
    Report
        ``fibrosis_area_fraction`` with its interval, ``tissue_area`` and ``collagen_area``.

    Raises
    ------
    UnknownNameError
        Where the prediction has no class ``"collagen"``.

    Examples
    --------
    >>> from napari_steatosis.core.geometry import Frame
    >>> fifth = np.where(np.arange(100) % 5, np.uint8(1), np.uint8(2))[None].repeat(100, 0)
    >>> found = Prediction("collagen", [fifth], ("tissue", "collagen"), Frame((0.5, 0.5)))
    >>> print(measure_fibrosis(found)["fibrosis_area_fraction"])
    20 %
    """
    squares = count_squares(prediction, COLLAGEN)
    return Report(
        title=title_of(prediction),
        measurements=_measurements(squares, prediction.frame.um2_per_px / 1e6),
        provenance=dict(prediction.provenance),
        flags=tuple(_flags(squares)),
        prediction=prediction,
    )


def _measurements(squares: SquareCounts, mm2_per_px: float) -> tuple[Measurement, ...]:
    used = squares.analysed > 0
    tissue = squares.analysed[used].astype(np.int64)
    collagen = squares.found[used].astype(np.int64)
    total = int(tissue.sum())
    why = why_no_interval(collagen, tissue, f"square of {SQUARE_UM:g} um")
    note = f"No interval: {why}." if why else ""
    if not total:
        note = "Undefined: nothing was analysed."
    return (
        Measurement(
            "fibrosis_area_fraction",
            100 * int(collagen.sum()) / total if total else float("nan"),
            "%",
            "Area of collagen divided by the analysed area of tissue. Collagen of normal vessels "
            "and portal tracts counts. An area, not a stage: METAVIR F0 to F4 and the stages of "
            f"NASH CRN do not follow from it. Interval: {INTERVAL}.",
            percent_interval(collagen, tissue),
            len(tissue),
            note,
        ),
        Measurement("tissue_area", total * mm2_per_px, "mm^2", "Area that was analysed."),
        Measurement("collagen_area", int(collagen.sum()) * mm2_per_px, "mm^2", "Area of collagen."),
    )


def _flags(squares: SquareCounts) -> list[str]:
    if squares.analysed.any():
        return [
            "Collagen was found by its colour. The thresholds are those of the model: look at the "
            "result, and fit them to outlined images of this laboratory."
        ]
    return ["Nothing was analysed, so the fraction is undefined."]
