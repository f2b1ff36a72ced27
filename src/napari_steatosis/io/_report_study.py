"""What the page of a study, and that of an agreement, are filled with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ..core.report import Report
from ..core.study import ExpertAgreement, Study
from ._study_pictures import agreement_picture, groups_picture, visits_picture

DEFINITIONS = (
    (
        "Fat, % of tissue",
        "Area of fat divided by the analysed area of tissue, each summed over the slides: a slide "
        "counts by its tissue.",
    ),
    ("Mean of slides", "Mean of the slides' own shares: every slide counts the same."),
    (
        "95 % interval of a patient",
        "Slides of the patient drawn with replacement (2000 times); their standard error times "
        "sqrt(n / (n - 1)), with Student's t of n - 1 degrees of freedom. From 3 slides on. It "
        "says how slides of this patient vary, not how the model errs.",
    ),
    (
        "95 % interval of a slide",
        "Bootstrap over squares of 256 um; at least 8 are needed.",
    ),
    (
        "Groups",
        "One value per patient (and visit). Two groups: Mann-Whitney U, and the difference of "
        "medians with a bootstrap interval over patients; more: Kruskal-Wallis. From 3 patients a "
        "group on.",
    ),
    ("Change", "A later visit minus the patient's first, in points of fat, % of tissue."),
)


def of_study(study: Study) -> dict[str, Any]:
    """Return what the page of a study shows."""
    agreement = study.agreement
    return {
        "study": study,
        "grouped": any(one.group for one in study.patients),
        "key_figures": list(_key_figures(study)),
        "pictures": {
            "groups": groups_picture(study.comparisons),
            "visits": visits_picture(study.visits, study.order),
            "agreement": None if agreement is None else agreement_picture(agreement),
        },
        "slides": [_slide(one, study) for one in study.reports.items],
        "definitions": DEFINITIONS,
        "provenance": list(_shared(study.reports.items)),
    }


def of_agreement(found: ExpertAgreement) -> dict[str, Any]:
    """Return what the page of an agreement shows."""
    return {"found": found, "picture": agreement_picture(found)}


def _key_figures(study: Study) -> Iterator[tuple[str, str, str]]:
    import numpy as np

    from .write_report import number, share

    values = [one.pooled for one in study.patients if math.isfinite(one.pooled)]
    if values:
        low, middle, high = np.percentile(values, [25, 50, 75])
        text = f"quartiles {share(float(low))} to {share(float(high))} %"
        yield "Fat, median of patients", f"{share(float(middle))} %", text
    yield "Patients", str(len(study.patients)), ""
    failed = f"{len(study.failed)} failed" if study.failed else ""
    yield "Slides", str(len(study.reports.items)), failed
    tissue = math.fsum(one["tissue_area"].value for one in study.reports.items)
    yield "Tissue analysed", f"{number(tissue)} mm²", ""


def _slide(report: Report, study: Study) -> tuple[Any, ...]:
    fat = report["fat_area_fraction"]
    patient = study.reports.patients.get(report.title, "")
    return report.title, patient, report["tissue_area"].value, fat.value, fat.interval, report.flags


def _shared(reports: tuple[Report, ...]) -> Iterator[tuple[str, str]]:
    """Yield what all slides have in common, and how many values the rest has."""
    from .write_report import flat

    values: dict[str, dict[str, None]] = {}
    for report in reports:
        own: Mapping[str, Any] = report.provenance
        for name, text in flat(own):
            values.setdefault(name, {})[text] = None
    for name, found in values.items():
        if len(found) == 1:
            yield name, next(iter(found))
        else:
            yield name, f"{len(found)} values; see the report of each slide"
