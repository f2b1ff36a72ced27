"""Zones, hepatocytes and grade in a study: of each patient, and why a slide has none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..core.report import Report
from ..core.study import PatientFat
from ..quantify._patient_findings import findings_of
from ..quantify.patients import Slides

WHY = {
    "zone_": "No zones: portal and central regions were not both given for this slide.",
    "ring_": "No rings: neither portal nor central regions alone were given for this slide.",
    "hepatocyte_nuclei": "Hepatocytes were not counted by their nuclei on this slide.",
}
"""How a measurement begins that other slides of the study have, and what its lack is."""


def with_lacks(reports: Sequence[Report]) -> tuple[Report, ...]:
    """Return the reports with a flag where others have zones or nuclei, so that no cell is bare.

    Examples
    --------
    >>> from napari_steatosis.core.report import Measurement
    >>> both = Report("a", (Measurement("hepatocyte_nuclei", 7.0, "", ""),)), Report("b", ())
    >>> [one.flags for one in with_lacks(both)]
    [(), ('Hepatocytes were not counted by their nuclei on this slide.',)]
    """
    own = [{one.name for one in report.measurements} for report in reports]
    there = set().union(*own)
    made = []
    for report, names in zip(reports, own, strict=True):
        lacks = [
            text
            for begin, text in WHY.items()
            if any(name.startswith(begin) for name in there)
            and not any(name.startswith(begin) for name in names)
        ]
        new = [text for text in lacks if text not in report.flags]
        made.append(replace(report, flags=(*report.flags, *new)))
    return tuple(made)


def with_findings(patients: Sequence[PatientFat], slides: Slides) -> tuple[PatientFat, ...]:
    """Add to patients, or patients and visits, what was found beside their fat."""
    names = [one.name for report, _ in slides for one in report.measurements]
    made = []
    for one in patients:
        own = [
            report
            for report, facts in slides
            if facts.patient == one.patient and one.visit in ("", facts.visit)
        ]
        made.append(replace(one, findings=findings_of(own, names)))
    return tuple(made)
