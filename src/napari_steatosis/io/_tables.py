"""Reports as tables: one row per droplet, tile, measurement, slide or patient."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..core.errors import BadValueError
from ..core.report import Measurement, Report, Reports
from ..core.study import Study
from ._study_tables import study_tables

if TYPE_CHECKING:
    from pandas import DataFrame

UNIT_SUFFIXES = {
    "%": "percent",
    "1/mm^2": "per_mm2",
    "mm^2": "mm2",
    "um^2": "um2",
    "mm": "mm",
    "um": "um",
    "px": "px",
    "": "",
}
"""Unit to what stands at the end of the name of a column."""

SUMMARY_COLUMNS = {
    "measurement": "str",
    "value": "float64",
    "unit": "str",
    "ci95_low": "float64",
    "ci95_high": "float64",
    "n": "Int64",
    "definition": "str",
    "note": "str",
}
PATIENT_COLUMNS = {
    "patient": "str",
    "slides": "int64",
    "tissue_area_mm2": "float64",
    "fat_area_mm2": "float64",
    "fat_area_fraction_percent": "float64",
}


def tables_of(value: Report | Reports | Study) -> dict[str, DataFrame]:
    """Return the tables of a value: end of the file's stem to rows.

    Parameters
    ----------
    value : Report, Reports or Study
        One slide: droplets, or classes where it was classified, ``_summary``, and ``_tiles``
        and ``_hepatocytes`` where the report has them. Several: one row per slide, and
        ``_patients`` where slides have any. A study: those, and what is known of visits, groups
        and an expert.

    Raises
    ------
    BadValueError
        A unit without a place in `UNIT_SUFFIXES`, or a patient whose slides lack areas.
    """
    from pandas import DataFrame

    if isinstance(value, Study):
        return study_tables(value, _slides(value.reports))
    if isinstance(value, Reports):
        patients = {"_patients": _patients(value)} if value.patients else {}
        return {"": _slides(value), **patients}
    tables = {
        "": DataFrame(dict(value.tables.get("droplets", value.tables.get("classes", {})))),
        "_summary": summary_table(value.measurements),
    }
    if "tiles" in value.tables:
        tables["_tiles"] = DataFrame(dict(value.tables["tiles"]))
    if "hepatocytes" in value.tables:
        tables["_hepatocytes"] = DataFrame(dict(value.tables["hepatocytes"]))
    return tables


def column_name(name: str, unit: str) -> str:
    """Return the name of a column with its unit at the end.

    Examples
    --------
    >>> column_name("droplet_density", "1/mm^2"), column_name("droplet_count", "")
    ('droplet_density_per_mm2', 'droplet_count')
    """
    if unit not in UNIT_SUFFIXES:
        known = ", ".join(unit for unit in UNIT_SUFFIXES if unit)
        raise BadValueError(
            f"The measurement {name!r} has the unit {unit!r}, which has no name in a table. "
            f"Known: {known}."
        )
    return f"{name}_{UNIT_SUFFIXES[unit]}".rstrip("_")


def unit_of(column: str) -> str:
    """Return the unit that the name of a column ends in, ``""`` where there is none.

    Examples
    --------
    >>> unit_of("area_um2"), unit_of("droplet_density_per_mm2"), unit_of("roundness")
    ('um^2', '1/mm^2', '')
    """
    for unit, suffix in UNIT_SUFFIXES.items():
        if suffix and column.endswith(f"_{suffix}"):
            return unit
    return ""


def summary_table(measurements: Iterable[Measurement]) -> DataFrame:
    """Return one row per measurement."""
    return _typed([_summary_row(one) for one in measurements], SUMMARY_COLUMNS)


def _typed(rows: list[dict[str, Any]], kinds: dict[str, str]) -> DataFrame:
    from pandas import DataFrame

    return DataFrame(rows, columns=list(kinds)).astype(kinds)


def _summary_row(one: Measurement) -> dict[str, Any]:
    low, high = one.interval or (math.nan, math.nan)
    return {
        "measurement": one.name,
        "value": one.value,
        "unit": one.unit,
        "ci95_low": low,
        "ci95_high": high,
        "n": one.n,
        "definition": one.definition,
        "note": one.note,
    }


def _slides(value: Reports) -> DataFrame:
    kinds, rows = {"slide": "str", "patient": "str"}, []
    for report in value.items:
        row: dict[str, Any] = {
            "slide": report.title,
            "patient": value.patients.get(report.title, ""),
        }
        for one in report.measurements:
            own: dict[str, Any] = dict(measured_cells(one))
            kinds |= dict.fromkeys(own, "float64")
            if one.n is not None:
                own[f"{one.name}_n"] = one.n
                kinds[f"{one.name}_n"] = "Int64"
            row |= own
        row["flags"] = " | ".join(report.flags)
        rows.append(row)
    return _typed(rows, {**kinds, "flags": "str"})


def measured_cells(one: Measurement) -> dict[str, float]:
    """Return a measurement as cells of a row: its value, and the ends of its interval."""
    cells = {column_name(one.name, one.unit): one.value}
    if one.interval is not None:
        cells[column_name(f"{one.name}_ci95_low", one.unit)] = one.interval[0]
        cells[column_name(f"{one.name}_ci95_high", one.unit)] = one.interval[1]
    return cells


def _patients(value: Reports) -> DataFrame:
    """Sum the areas of each patient's slides; one ratio of sums, without an interval."""
    by_patient: dict[str, list[tuple[float, float]]] = {}
    for report in value.items:
        if report.title in value.patients:
            areas = _area_mm2(report, "tissue_area"), _area_mm2(report, "fat_area")
            by_patient.setdefault(value.patients[report.title], []).append(areas)
    rows = []
    for patient, slides in by_patient.items():
        tissue, fat = (math.fsum(areas) for areas in zip(*slides, strict=True))
        share = 100 * fat / tissue if tissue else math.nan
        values = (patient, len(slides), tissue, fat, share)
        rows.append(dict(zip(PATIENT_COLUMNS, values, strict=True)))
    return _typed(rows, PATIENT_COLUMNS)


def _area_mm2(report: Report, name: str) -> float:
    found = [one for one in report.measurements if (one.name, one.unit) == (name, "mm^2")]
    if not found:
        raise BadValueError(
            f"The report of {report.title!r} has no {name} in mm^2, so the slides of its patient "
            f"cannot be summed. Measure the slide with the measure 'fat_area'."
        )
    return found[0].value
