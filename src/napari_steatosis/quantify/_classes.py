"""How much of a slide a classifier gave to each class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.prediction import NOT_ANALYSED, Prediction
from ..core.report import Measurement, Report
from ._origin import scale_source_of, title_of

BAND = 512
"""Rows of cells that are read at once."""


def measure_classes(prediction: Prediction) -> Report:
    """Count the cells of every class of a classified slide, and average the probabilities.

    The area of a class is that of its cells, whole squares: what part of a cell is tissue, or
    of another class, is not known.

    Parameters
    ----------
    prediction : Prediction
        From `classify`, with probabilities.

    Returns
    -------
    Report
        Number of cells, area, share of the analysed area and mean probability of every class,
        and the table ``"classes"``: a row per class with ``cells``, ``area_mm2``,
        ``share_percent``, ``mean_probability`` (over all analysed cells) and
        ``mean_probability_of_own_cells``.

    Raises
    ------
    BadValueError
        Where the prediction holds no probabilities.

    Examples
    --------
    >>> from napari_steatosis.core.geometry import Frame
    >>> made = np.uint8([[1, 2], [2, 2]]), np.uint8([[[255, 51], [0, 0]], [[0, 204], [255, 255]]])
    >>> found = Prediction("classes", [made[0]], ("calm", "busy"), Frame((100.0, 100.0)),
    ...                    probabilities=[made[1]])
    >>> print(measure_classes(found)["busy_share"])
    75 %
    """
    if not prediction.probabilities:
        raise BadValueError(
            f"The prediction {prediction.name!r} holds no probabilities, as classify() makes them; "
            f"measure() measures a class map of fat."
        )
    cells, total, own = _counted(prediction)
    area = cells * prediction.frame.um2_per_px / 1e6
    with np.errstate(invalid="ignore", divide="ignore"):
        table = {
            "class": np.array(prediction.classes),
            "cells": cells,
            "area_mm2": area,
            "share_percent": 100 * cells / cells.sum(),
            "mean_probability": total / 255 / cells.sum(),
            "mean_probability_of_own_cells": own / 255 / cells,
        }
    return Report(
        title=title_of(prediction),
        measurements=tuple(_measurements(prediction.classes, table, area.sum())),
        tables={"classes": table},
        provenance=prediction.provenance,
        flags=tuple(_flags(prediction, int(cells.sum()))),
        prediction=prediction,
    )


def _counted(prediction: Prediction) -> tuple[NDArray[np.int64], ...]:
    """Return per class the cells, the sum of its stored values, and that over its own cells."""
    classes, stored = prediction.levels[0], prediction.probabilities[0]
    names = len(prediction.classes)
    cells, total, own = (np.zeros(names, np.int64) for _ in range(3))
    for row in range(0, prediction.shape[0], BAND):
        band = np.asarray(classes[row : row + BAND])
        values = np.asarray(stored[:, row : row + BAND])
        cells += np.bincount(band.ravel(), minlength=names + 1)[1:]
        total += values[:, band != NOT_ANALYSED].sum(1, dtype=np.int64)
        own += [values[i, band == i + 1].sum(dtype=np.int64) for i in range(names)]
    return cells, total, own


def _measurements(
    classes: tuple[str, ...], table: dict[str, NDArray[np.generic]], analysed_mm2: float
) -> Iterator[Measurement]:
    yield Measurement(
        "analysed_area", float(analysed_mm2), "mm^2", "Area of the cells that were classified."
    )
    note = "" if analysed_mm2 else "Undefined: nothing was classified."
    for i, name in enumerate(classes):
        own, of = f"of the class {name!r}", "cells that were classified"
        values = {key: float(column[i]) for key, column in table.items() if key != "class"}
        yield Measurement(f"{name}_cells", values["cells"], "", f"Number of cells {own}.")
        yield Measurement(f"{name}_area", values["area_mm2"], "mm^2", f"Area of the cells {own}.")
        share = f"Cells {own}, divided by the {of}."
        yield Measurement(f"{name}_share", values["share_percent"], "%", share, note=note)
        mean = f"Mean of the probability {own} over the {of}."
        percent = 100 * values["mean_probability"]
        yield Measurement(f"{name}_mean_probability", percent, "%", mean, note=note)


def _flags(prediction: Prediction, analysed: int) -> Iterator[str]:
    if not prediction.finished:
        yield (
            "The run is not finished: what it has not reached is not classified, and every number "
            "is of a part of the slide. Make the same run again to complete it."
        )
    if failed := prediction.failed:
        yield (
            f"{len(failed)} block(s) of cells could not be read and were not classified: "
            + " | ".join(failed[:10])
            + (f" | and {len(failed) - 10} more." if len(failed) > 10 else "")
        )
    if not analysed:
        yield "Nothing was classified, so shares are undefined."
    if scale_source_of(prediction).startswith("given"):
        yield (
            "The pixel size was given by the user, not by the file: every area depends on it, and "
            "so does what the model saw."
        )
