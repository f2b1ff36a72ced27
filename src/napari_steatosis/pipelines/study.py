"""A study from the reports of its slides: patients, visits, groups, and an expert beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..core.report import Report, Reports
from ..core.study import ExpertAgreement, PatientFat, SlideFacts, Study
from ..quantify._calibrated import calibrated, measured_by
from ..quantify.agreement import FEWEST
from ..quantify.calibration import Calibration
from ..quantify.grade import grade_of
from ..quantify.patients import Slides, changes_of, compare_groups, in_order, patients_of
from ._manifest_facts import expert_value, is_grade
from ._study_findings import with_findings, with_lacks
from .expert import grades_agree, numbers_agree


def study_of(
    reports: Sequence[Report],
    facts: Mapping[str, SlideFacts],
    *,
    title: str = "Study",
    failed: Mapping[str, str] | None = None,
    left: Sequence[str] = (),
    calibration: Calibration | None = None,
) -> Study:
    """Gather what follows from the reports of a study for its patients.

    Parameters
    ----------
    reports : sequence of Report
        One per finished slide, at least one.
    facts : mapping of str to SlideFacts
        Title of a slide to what is known of it; slides that are not there are passed over.
    title : str
        Of the page.
    failed : mapping of str to str, optional
        Name of a slide to why it failed.
    left : sequence of str
        Names of the slides that are neither finished nor failed.
    calibration : Calibration, optional
        Adds what the expert would say of each patient, and this is what an expert is compared
        with, instead of the measured value.

    Returns
    -------
    Study

    Examples
    --------
    >>> from napari_steatosis.core.report import Measurement
    >>> found = Report("a", (Measurement("fat_area", 1.0, "mm^2", ""),
    ...                      Measurement("tissue_area", 8.0, "mm^2", "")))
    >>> study_of([found], {"a": SlideFacts("P1")}).patients[0].pooled
    12.5
    """
    reports = with_lacks(reports)
    slides = [(report, facts.get(report.title, SlideFacts())) for report in reports]
    known = {report.title: own for report, own in slides}
    measured = [pair for pair in slides if pair[1].patient and _has_fat(pair[0])]
    patients, visits = (
        with_findings(_calibrated(found, measured, calibration), measured)
        for found in (patients_of(measured), patients_of(measured, by_visit=True))
    )
    order = tuple(in_order(one.visit for one in visits))
    return Study(
        title,
        Reports(reports, {t: one.patient for t, one in known.items() if one.patient}),
        known,
        patients,
        visits,
        order,
        changes_of(visits),
        compare_groups(visits or patients),
        expert_agreement(slides, calibration),
        failed or {},
        tuple(_flags(slides, len(failed or {}), len(left))),
    )


def _has_fat(report: Report) -> bool:
    return any(one.name == "fat_area" for one in report.measurements)


def _calibrated(
    patients: tuple[PatientFat, ...], slides: Slides, calibration: Calibration | None
) -> tuple[PatientFat, ...]:
    """Add what the expert would say of each patient, from the value of all slides together."""
    if calibration is None:
        return patients
    made = []
    for one in patients:
        own = [
            (report, facts)
            for report, facts in slides
            if facts.patient == one.patient and one.visit in ("", facts.visit)
        ]
        sources = [measured_by(report, calibration) for report, _ in own]
        value = _by_tissue(own, [source.value for source in sources])
        found, flags = calibrated(value, sources[0], calibration)
        made.append(replace(one, calibrated=found, flags=(*one.flags, *flags)))
    return tuple(made)


def _flags(slides: Slides, failed: int, left: int) -> list[str]:
    flags = []
    if failed:
        flags.append(f"{_count(failed, 'slide')} failed and {_is(failed)} in no number.")
    if left:
        flags.append(f"{_count(left, 'slide')} {_is(left)} not analysed yet.")
    alone = sum(1 for _, facts in slides if not facts.patient)
    if 0 < alone < len(slides):
        flags.append(f"{_count(alone, 'slide')} without a patient {_is(alone)} in no patient's.")
    dated = sum(1 for _, facts in slides if facts.patient and facts.visit)
    owned = sum(1 for _, facts in slides if facts.patient)
    if 0 < dated < owned:
        flags.append(
            f"{_count(owned - dated, 'slide')} without a visit {_is(owned - dated)} in no visit "
            f"and in no group, but in the patient's whole."
        )
    flagged = sum(1 for report, _ in slides if report.flags)
    if flagged:
        flags.append(
            f"{_count(flagged, 'slide')} with flags of {'its' if flagged == 1 else 'their'} own: "
            f"read the pages of the slides, or the column flags of slides.csv."
        )
    return flags


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _is(n: int) -> str:
    return "is" if n == 1 else "are"


def expert_agreement(
    slides: Slides, calibration: Calibration | None = None
) -> ExpertAgreement | None:
    """Compare what was measured of each patient with what the expert said, a pair per patient.

    Parameters
    ----------
    slides : sequence of (Report, SlideFacts)
        Slides with an ``expert``; a slide without a patient counts as one of its own.
    calibration : Calibration, optional
        Compare what it makes of the measured value.

    Returns
    -------
    ExpertAgreement, optional
        None where no slide has an expert. Grades are compared with grades (kappa with
        quadratic weights), numbers with numbers.
    """
    by_patient: dict[tuple[str, str], list[tuple[Report, SlideFacts]]] = {}
    for report, facts in slides:
        if facts.expert:
            key = (facts.patient, "") if facts.patient else ("", report.title)
            by_patient.setdefault(key, []).append((report, facts))
    if not by_patient:
        return None
    graded = any(is_grade(facts.expert) for _, facts in slides)
    of, measured = _measured(list(by_patient.values()), graded, calibration)
    said = [
        float(np.mean([expert_value(facts.expert) for _, facts in own]))
        for own in by_patient.values()
    ]
    several = any(len(own) > 1 for own in by_patient.values())
    note = "Several slides of a patient: measured by tissue, expert's mean. " if several else ""
    pairs = [(x, y) for x, y in zip(measured, said, strict=True) if math.isfinite(x)]
    x, y = tuple(one for one, _ in pairs), tuple(one for _, one in pairs)
    expert = "grade of the expert" if graded else "expert"
    if len(pairs) < FEWEST:
        note += f"{_count(len(pairs), 'patient')} with both values; {FEWEST} are needed."
        return ExpertAgreement(of, expert, x, y, (), note)
    statistics = grades_agree(x, y) if graded else numbers_agree(x, y)
    return ExpertAgreement(of, expert, x, y, statistics, note.strip())


def _measured(
    patients: Sequence[Slides], graded: bool, calibration: Calibration | None
) -> tuple[str, list[float]]:
    if calibration is not None and (calibration.kind == "grade") == graded:
        values = [
            _by_tissue(own, [measured_by(report, calibration).value for report, _ in own])
            for own in patients
        ]
        what = "calibrated_grade" if graded else "calibrated_score"
        return what, calibration.predict(values).tolist()
    name = "hepatocyte_equivalent" if graded else "fat_area_fraction"
    found = [_by_tissue(own, [_value(report, name) for report, _ in own]) for own in patients]
    return ("steatosis_grade", grade_of(found).tolist()) if graded else (name, found)


def _value(report: Report, name: str) -> float:
    return next((one.value for one in report.measurements if one.name == name), math.nan)


def _by_tissue(own: Slides, values: Sequence[float]) -> float:
    tissue = [report["tissue_area"].value for report, _ in own]
    used = [(v, t) for v, t in zip(values, tissue, strict=True) if t > 0 and math.isfinite(v)]
    total = math.fsum(t for _, t in used)
    return math.fsum(v * t for v, t in used) / total if total else math.nan
