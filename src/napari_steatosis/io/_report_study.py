"""What the page of a study, and that of an agreement, are filled with."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.report import Measurement, Report
from ..core.study import ExpertAgreement, Study
from ._study_findings import findings_tables
from ._study_pictures import agreement_picture, groups_picture, visits_picture

GRADE_SHARE = re.compile(r"calibrated_grade_\d+_share")
SHARES = {
    "fat_area_fraction": "Fat, % of tissue",
    "fibrosis_area_fraction": "Collagen, % of tissue",
}

DEFINITIONS = (
    (
        "Fat, % of tissue",
        "Area of fat divided by the analysed area of tissue, each summed over the slides: a slide "
        "counts by its tissue.",
    ),
    ("Mean of slides", "Mean of the slides' own shares: every slide counts the same."),
    (
        "95 % interval of a patient",
        "Student's t on the logit scale, slides weighted by tissue; from 2 slides on, of which it "
        "is wide. It says how slides of this patient vary, not how the model errs.",
    ),
    (
        "95 % interval of a slide",
        "Student's t on the logit scale, squares of 256 um weighted by tissue.",
    ),
    (
        "Groups",
        "One value per patient (and visit). Two groups: Mann-Whitney U, and the difference of "
        "medians with its interval (Bonett and Price 2002); more: Kruskal-Wallis. From 3 patients "
        "a group on.",
    ),
    ("Change", "A later visit minus the patient's first, in points of fat, % of tissue."),
)


def of_study(study: Study) -> dict[str, Any]:
    """Return what the page of a study shows."""
    agreement = study.agreement
    share, found = share_of(study.reports.items[0]), findings_tables(study)
    return {
        "study": study,
        "share_heading": SHARES[share.name] if share else "Fat, % of tissue",
        "grouped": any(one.group for one in study.patients),
        "calibrated": calibrated_heading(study),
        "key_figures": list(_key_figures(study)),
        "pictures": {
            "groups": groups_picture(study.comparisons),
            "visits": visits_picture(study.visits, study.order),
            "agreement": None if agreement is None else agreement_picture(agreement),
        },
        "findings": found,
        "slides": [_slide(one, study) for one in study.reports.items],
        "definitions": [
            *DEFINITIONS,
            *_calibration(study),
            *(pair for one in found for pair in one.definitions),
        ],
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


def share_of(report: Report) -> Measurement | None:
    """Return what of the tissue a slide was measured for: fat, or collagen."""
    return next((one for one in report.measurements if one.name in SHARES), None)


def _calibration(study: Study) -> Iterator[tuple[str, str]]:
    for one in study.reports.items[0].measurements:
        if one.name in ("calibrated_score", "calibrated_grade"):
            yield "Calibrated", one.definition[:1].upper() + one.definition[1:]
        if one.name == "calibrated_grade_0_share":
            yield "Share of a grade", one.definition.replace("grade 0", "it")


def calibrated_heading(study: Study) -> str:
    """Return what the column of calibrated values is called; empty where there are none."""
    names = {one.name for report in study.reports.items for one in report.measurements}
    known = {
        "calibrated_grade": "Calibrated grade (share of each, %)",
        "calibrated_score": "Calibrated to the expert (95 % interval)",
    }
    return next((heading for name, heading in known.items() if name in names), "")


def calibrated_text(measurements: Sequence[Measurement]) -> str:
    """Return what an expert would say: a score and its interval, or a grade and its neighbours.

    Examples
    --------
    >>> grade = Measurement("calibrated_grade", 1.0, "", "")
    >>> shares = [Measurement(f"calibrated_grade_{g}_share", s, "%", "")
    ...           for g, s in enumerate((4.0, 95.5, 0.5))]
    >>> calibrated_text([grade, *shares])
    '1 (0: 4, 1: 96, 2: 0)'
    """
    from .write_report import number

    found = {one.name: one for one in measurements}
    if (score := found.get("calibrated_score")) is not None:
        text = f"{number(score.value)} {score.unit}".rstrip()
        if score.interval is None:
            return text
        return f"{text} ({number(score.interval[0])} to {number(score.interval[1])})"
    grade = found.get("calibrated_grade")
    if grade is None or math.isnan(grade.value):
        return "–"
    shares = {
        int(name.split("_")[2]): one.value
        for name, one in found.items()
        if GRADE_SHARE.fullmatch(name)
    }
    shown = [
        f"{which}: {value:.0f}"
        for which, value in shares.items()
        if abs(which - grade.value) <= 1 or value >= 0.5
    ]
    return f"{grade.value:.0f} ({', '.join(shown)})"


def _slide(report: Report, study: Study) -> dict[str, Any]:
    share = share_of(report)
    return {
        "name": report.title,
        "patient": study.reports.patients.get(report.title, ""),
        "tissue": report["tissue_area"].value,
        "share": math.nan if share is None else share.value,
        "interval": None if share is None else share.interval,
        "calibrated": report.measurements,
        "flags": report.flags,
    }


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
