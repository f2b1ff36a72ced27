"""A study as tables: slides, patients, visits, changes, groups, agreement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..core.report import RESEARCH_USE
from ..core.study import Comparison, PatientFat, Study

if TYPE_CHECKING:
    from pandas import DataFrame

SHARE = "fat_area_fraction"


def study_tables(study: Study, slides: DataFrame) -> dict[str, DataFrame]:
    """Return the tables of a study: end of the file's stem to rows.

    Parameters
    ----------
    study : Study
        What is written.
    slides : DataFrame
        One row per slide, as it is without a study; columns are added.
    """
    from pandas import DataFrame

    tables = {"": _with_facts(study, slides)}
    if study.patients:
        grouped = any(one.group for one in study.patients)
        rows = [_whole(one) | ({"group": one.group} if grouped else {}) for one in study.patients]
        tables["_patients"] = DataFrame(_spread_out(rows, study.patients))
    if study.visits:
        rows = [
            {"patient": one.patient, "visit": one.visit, "group": one.group} | _whole(one)
            for one in study.visits
        ]
        tables["_visits"] = DataFrame(_spread_out(rows, study.visits))
    if study.changes:
        tables["_changes"] = DataFrame(
            [
                {
                    "patient": one.patient,
                    "group": one.group,
                    "first_visit": one.first,
                    "visit": one.visit,
                    f"{SHARE}_first_percent": one.before,
                    f"{SHARE}_percent": one.after,
                    f"{SHARE}_change_percent": one.points,
                }
                for one in study.changes
            ]
        )
    if study.comparisons:
        tables["_groups"] = DataFrame([row for one in study.comparisons for row in _groups(one)])
    if study.agreement is not None and study.agreement.statistics:
        tables["_agreement"] = _agreement(study)
    return tables


def _with_facts(study: Study, slides: DataFrame) -> DataFrame:
    facts = [study.facts[title] for title in slides["slide"]]
    slides = slides.copy()
    for name in ("expert", "group", "visit"):
        cells = [getattr(one, name) for one in facts]
        if any(cells):
            slides.insert(2, name, cells)
    return slides


def _spread(one: PatientFat) -> dict[str, Any]:
    from ._tables import measured_cells

    low, high = one.interval or (math.nan, math.nan)
    said = [measured_cells(found) for found in one.calibrated]
    said += [{**measured_cells(own), f"{own.name}_slides": own.n or 0} for own in one.findings]
    flags = dict.fromkeys((*one.flags, *(own.note for own in one.findings if own.note)))
    return {
        f"{SHARE}_ci95_low_percent": low,
        f"{SHARE}_ci95_high_percent": high,
        f"{SHARE}_mean_of_slides_percent": one.mean,
        f"{SHARE}_least_slide_percent": one.span[0],
        f"{SHARE}_largest_slide_percent": one.span[1],
        **{name: cell for cells in said for name, cell in cells.items()},
        "flags": " | ".join(flags),
    }


def _whole(one: PatientFat) -> dict[str, Any]:
    return {
        "patient": one.patient,
        "slides": one.slides,
        "tissue_area_mm2": one.tissue_mm2,
        "fat_area_mm2": one.fat_mm2,
        f"{SHARE}_percent": one.pooled,
    }


def _spread_out(
    rows: Sequence[dict[str, Any]], patients: Sequence[PatientFat]
) -> list[dict[str, Any]]:
    return [row | _spread(one) for row, one in zip(rows, patients, strict=True)]


def _groups(one: Comparison) -> Sequence[dict[str, Any]]:
    low, high = one.interval or (math.nan, math.nan)
    return [
        {
            "visit": one.visit,
            "group": group.name,
            "patients": len(group.values),
            f"{SHARE}_p25_percent": group.quartiles[0],
            f"{SHARE}_median_percent": group.quartiles[1],
            f"{SHARE}_p75_percent": group.quartiles[2],
            "test": one.test,
            "p": math.nan if one.p is None else one.p,
            "difference_of_medians_percent": math.nan if one.difference is None else one.difference,
            "difference_ci95_low_percent": low,
            "difference_ci95_high_percent": high,
            "note": one.note,
        }
        for group in one.groups
    ]


def _agreement(study: Study) -> DataFrame:
    from ._tables import SUMMARY_COLUMNS, summary_table

    assert study.agreement is not None
    table = summary_table(study.agreement.statistics)
    table.insert(0, "measured", study.agreement.of)
    table.insert(1, "notice", RESEARCH_USE)
    return table[["measured", *SUMMARY_COLUMNS, "notice"]]
