"""A report with what this laboratory's expert would say, by a calibration fitted before."""

from __future__ import annotations

import math
from dataclasses import replace

from ..core.errors import BadValueError
from ..core.report import Measurement, Report
from .calibration import Calibration

SUFFIXES = {"%": "percent", "mm^2": "mm2", "1/mm^2": "per_mm2", "um^2": "um2", "um": "um"}
"""Unit to what a column of a table ends in."""


def with_calibration(report: Report, calibration: Calibration | None) -> Report:
    """Return a report with ``calibrated_score``, or ``calibrated_grade`` and its probabilities.

    Parameters
    ----------
    report : Report
        Of one slide.
    calibration : Calibration, optional
        None changes nothing.

    Raises
    ------
    BadValueError
        Where the report has no measurement of the name that the calibration was fitted to.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_steatosis.quantify.calibration import fit_calibration
    >>> lab = fit_calibration(np.arange(20.0), np.arange(20.0) * 4, kind="linear")
    >>> found = Report("a", (Measurement("fat_area_fraction", 5.0, "%", ""),))
    >>> round(with_calibration(found, lab)["calibrated_score"].value, 6)
    20.0
    """
    if calibration is None:
        return report
    source = measured_by(report, calibration)
    found, guessed = calibrated(source.value, source, calibration)
    return replace(
        report,
        measurements=(*report.measurements, *found),
        provenance={
            **report.provenance,
            "calibration": {
                "kind": calibration.kind,
                "measured": calibration.measured,
                "expert": calibration.expert,
                "patients": calibration.n,
                "curve": calibration.to_json()["curve"],
            },
        },
        flags=(*report.flags, *guessed),
    )


def calibrated(
    value: float, source: Measurement, calibration: Calibration
) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
    """Return what the expert would say to a value, and a flag where that is a guess.

    Parameters
    ----------
    value : float
        Of a slide or a patient.
    source : Measurement
        What the value is one of: its name and unit.
    calibration : Calibration
        Fitted to such values.
    """
    flags: tuple[str, ...] = ()
    if math.isfinite(value) and not calibration.is_within(value):
        low, high = calibration.span
        flags = (
            f"The calibration was fitted to {source.name} from {low:.3g} to {high:.3g} "
            f"{source.unit}; here it is {value:.3g}, so the calibrated value is a guess.",
        )
    return _measurements(value, source.name, calibration), flags


def measured_by(report: Report, calibration: Calibration) -> Measurement:
    """Return the measurement that a calibration was fitted to.

    Its name may be that of the measurement, of a column with its unit, or name, comma and unit.

    Raises
    ------
    BadValueError
        Where the report has no such measurement.
    """
    for one in report.measurements:
        column = f"{one.name}_{SUFFIXES[one.unit]}" if one.unit in SUFFIXES else one.name
        if calibration.measured in (one.name, column, f"{one.name}, {one.unit}"):
            return one
    known = ", ".join(one.name for one in report.measurements)
    raise BadValueError(
        f"The calibration was fitted to {calibration.measured!r}, which {report.title!r} does not "
        f"have; it has: {known}. Fit it to a column of slides.csv or slides_patients.csv."
    )


def _measurements(value: float, name: str, calibration: Calibration) -> tuple[Measurement, ...]:
    known = math.isfinite(value)
    note = "" if known else f"Undefined: {name} is."
    what = (
        f"{calibration.expert}, as predicted from {name} by a {calibration.kind} calibration to "
        f"{calibration.n} patients. Valid for the laboratory, stain and model it was fitted to"
    )
    if calibration.kind != "grade":
        interval = calibration.interval(value) if known else None
        unit = "%" if calibration.expert.endswith(("percent", "%")) else ""
        return (
            Measurement(
                "calibrated_score",
                float(calibration.predict(value)),
                unit,
                f"{what}. Interval: of the calibration, patients drawn with replacement, widened "
                "as Student's t is.",
                interval,
                calibration.n,
                note,
            ),
        )
    shares = calibration.probabilities(value) if known else [math.nan] * calibration.grades
    return (
        Measurement(
            "calibrated_grade",
            float(calibration.predict(value)),
            "",
            f"{what}.",
            None,
            calibration.n,
            note,
        ),
        *(
            Measurement(
                f"calibrated_grade_{number}_share",
                100 * float(share),
                "%",
                f"Share of calibrations, refitted to patients drawn with replacement, that give "
                f"grade {number}.",
                note=note,
            )
            for number, share in enumerate(shares)
        ),
    )
