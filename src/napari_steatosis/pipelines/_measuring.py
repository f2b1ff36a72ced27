"""Measuring a stored result: of fat with zones and nuclei where asked for, or of collagen."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from ..core.errors import BadValueError
from ..core.model import ModelSpec
from ..core.prediction import Prediction
from ..core.report import Report
from ..core.slide import Slide
from ..quantify import Hepatocytes, Landmarks
from ._events import Share, Stage
from .hepatocytes import Counting, checked_for_nuclei, hepatocyte_steps

COUNTINGS = ("squares", "nuclei")


def check_findings(
    slide: Slide, spec: ModelSpec, landmarks: Landmarks | None, hepatocytes: Counting
) -> None:
    """Raise where zones or nuclei are asked for that cannot be had, before anything is computed.

    Raises
    ------
    BadValueError
        The model finds no fat, or nuclei cannot be looked for on the slide.
    """
    if hepatocytes not in COUNTINGS:
        raise BadValueError(f"hepatocytes is one of {', '.join(COUNTINGS)}, got {hepatocytes!r}.")
    if "fat" not in spec.classes and (landmarks is not None or hepatocytes == "nuclei"):
        raise BadValueError(
            f"Zones and hepatocytes are measured on fat, which the model {spec.name!r} does not "
            f"find; it finds: {', '.join(spec.classes)}. Leave these options out."
        )
    if hepatocytes == "nuclei":
        checked_for_nuclei(slide)


def measured(
    prediction: Prediction,
    landmarks: Landmarks | None,
    hepatocytes: Counting,
    *,
    should_stop: Callable[[], bool],
) -> Generator[Stage | Share, None, Report | None]:
    """Measure a result and say what is being done.

    Yields
    ------
    Stage, Share

    Returns
    -------
    Report, optional
        None where it was stopped.
    """
    from ..quantify import measure, measure_fibrosis

    found: dict[str, Any] = {"landmarks": landmarks}
    if hepatocytes == "nuclei":
        found["nuclei"] = yield from nuclei_shares(prediction, should_stop)
        if should_stop():
            return None
    yield Stage("Measuring")
    of_collagen = "collagen" in prediction.classes
    report: Report = measure_fibrosis(prediction) if of_collagen else measure(prediction, **found)
    return report


def nuclei_shares(
    prediction: Prediction, should_stop: Callable[[], bool]
) -> Generator[Stage | Share, None, Hepatocytes]:
    """Look for nuclei and say how far it is; `find_hepatocytes` is the same without.

    Yields
    ------
    Stage, Share

    Returns
    -------
    Hepatocytes
    """
    yield Stage("Looking for nuclei")
    steps = hepatocyte_steps(prediction, should_stop=should_stop)
    while True:
        try:
            yield Share(next(steps))
        except StopIteration as end:
            found: Hepatocytes = end.value
            return found
