"""Zones, hepatocytes and grade of one patient, from the reports of the patient's slides."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ..core.report import Measurement, Report
from ._intervals import FEWEST_UNITS, RATIO_METHOD, SHARE_METHOD, pair_of, ratio_interval
from .grade import CUT_OFFS, grade_of
from .patients import slide_interval

Numbers = NDArray[np.float64]
Pairs = list[tuple[float, float]]

SQUARES, NUCLEI, COUNT = "hepatocyte_equivalent", "hepatocytes_with_fat", "hepatocyte_nuclei"
GRADE, RATIO = "steatosis_grade", "zone_3_to_1_ratio"
SLIDES = "slides of the patient are the units"
NO_ZONES = "No slide has zones: no portal or central region was given for any."
NO_RINGS = "No slide has rings: portal and central regions, or neither, were given."
NO_NUCLEI = "Hepatocytes were counted by nuclei on no slide."


def findings_of(own: Sequence[Report], names: Iterable[str]) -> tuple[Measurement, ...]:
    """Return what was found of a patient beside the share of fat.

    Shares are pooled: numerator and denominator are summed over the slides that have them. `n` is
    the number of these slides. A value that no slide has is NaN, and its note says why.

    Parameters
    ----------
    own : sequence of Report
        Of the patient.
    names : iterable of str
        All measurements of the study, so that every patient has the same rows.

    Examples
    --------
    >>> def slide(title, count, percent):
    ...     return Report(title, (Measurement("hepatocyte_nuclei", count, "", ""),
    ...                           Measurement("hepatocytes_with_fat", percent, "%", "")))
    >>> both = [slide("a", 100.0, 10.0), slide("b", 300.0, 50.0)]
    >>> share, nuclei, grade = findings_of(both, ["hepatocytes_with_fat"])
    >>> share.value, nuclei.value, grade.value, share.note
    (40.0, 400.0, 2.0, '')
    """
    there = list(dict.fromkeys(names))
    found = [*_zones(own, there)]
    if SQUARES in there:
        found.append(_share(own, SQUARES, "tissue_area", "hepatocyte squares with fat, by tissue"))
    if NUCLEI in there:
        found.append(_share(own, NUCLEI, COUNT, "hepatocytes with fat, of those whose nucleus was "
                            "found", missing=NO_NUCLEI))  # fmt: skip
        found.append(_sum(own, COUNT, "", "Nuclei taken for those of hepatocytes", NO_NUCLEI))
    shares = [one for one in found if one.name in (SQUARES, NUCLEI)]
    if shares:
        known = [one for one in shares if not math.isnan(one.value)] or shares
        found.append(_grade(known[-1], by_squares=len(known) < len(shares)))
    return tuple(found)


def _zones(own: Sequence[Report], names: list[str]) -> Iterator[Measurement]:
    for area in names:
        zone = area.removesuffix("_tissue_area")
        kind, _, number = zone.partition("_")
        if zone == area or kind not in ("zone", "ring") or not number.isdigit():
            continue
        missing = NO_ZONES if kind == "zone" else NO_RINGS
        said = _said(own, area) or f"{kind.capitalize()} {number}"
        yield _sum(own, area, "mm^2", f"{said}: analysed area", missing)
        what = f"{said}: area of fat divided by analysed area"
        yield _share(own, f"{zone}_fat_area_fraction", area, what, missing=missing)
    if RATIO in names:
        yield _ratio(own)


def _said(own: Sequence[Report], name: str) -> str:
    found = (one.definition for report in own for one in report.measurements if one.name == name)
    return next(found, "").partition(":")[0]


def _pairs(own: Sequence[Report], *names: str) -> list[tuple[float, ...]]:
    """Return the values of the slides that have all of them."""
    rows = []
    for report in own:
        known = {one.name: one.value for one in report.measurements}
        row = tuple(known.get(name, math.nan) for name in names)
        if not any(math.isnan(value) for value in row):
            rows.append(row)
    return rows


def _share(
    own: Sequence[Report], name: str, weight: str, what: str, *, missing: str = ""
) -> Measurement:
    rows = np.array(_pairs(own, name, weight)).reshape(-1, 2)
    part, whole = rows[:, 0] * rows[:, 1] / 100, rows[:, 1]
    definition = f"{what}, summed over the slides. Interval: {SHARE_METHOD}; {SLIDES}."
    definition = definition[:1].upper() + definition[1:]
    if not whole.sum():
        note = _why_none(own, weight, missing)
        return Measurement(name, math.nan, "%", definition, n=len(rows), note=note)
    interval, reason = slide_interval(part, whole)
    value = 100 * float(part.sum() / whole.sum())
    note = _note(f"{reason[:1].upper()}{reason[1:]}." if reason else "", len(rows), len(own))
    return Measurement(name, value, "%", definition, interval, len(rows), note)


def _sum(own: Sequence[Report], name: str, unit: str, what: str, missing: str) -> Measurement:
    values = [one for (one,) in _pairs(own, name)]
    total = math.fsum(values) if values else math.nan
    note = _note("", len(values), len(own)) if values else missing
    return Measurement(name, total, unit, f"{what}, summed over the slides.", None,
                       len(values), note)  # fmt: skip


def _ratio(own: Sequence[Report]) -> Measurement:
    names = [f"zone_{n}_{end}" for n in (1, 3) for end in ("fat_area_fraction", "tissue_area")]
    rows = np.array(_pairs(own, *names)).reshape(-1, 4)
    areas = np.stack([rows[:, 3], rows[:, 1]])
    parts = np.stack([rows[:, 2], rows[:, 0]]) * areas / 100
    definition = (
        "Fat area fraction of zone 3 divided by that of zone 1, each pooled. "
        f"Interval: {RATIO_METHOD}; {SLIDES}."
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        above, below = parts.sum(axis=1) / areas.sum(axis=1)
        value = float(above / below)
    if not math.isfinite(value):
        note = "Undefined: there is no fat in zone 1." if len(rows) else NO_ZONES
        return Measurement(RATIO, math.nan, "", definition, n=len(rows), note=note)
    interval = pair_of(ratio_interval(parts, areas))
    note = _note("" if interval else _why_no_ratio(parts, areas), len(rows), len(own))
    return Measurement(RATIO, value, "", definition, interval, len(rows), note)


def _why_no_ratio(parts: Numbers, areas: Numbers) -> str:
    n = int(np.count_nonzero(areas, axis=-1).min())
    if n < FEWEST_UNITS:
        slides = "slide" if n == 1 else "slides"
        return f"No interval: {n} {slides} with zones, {FEWEST_UNITS} are needed."
    if not parts[0].any():
        return "No interval: there is no fat in zone 3."
    return "No interval: its slides do not differ."


def _grade(of: Measurement, *, by_squares: bool) -> Measurement:
    """Return the grade of a share; `by_squares` where others of the study have nuclei."""
    first, second, third = CUT_OFFS
    interval = None if of.interval is None else grade_of(of.interval)
    return Measurement(
        GRADE,
        float(grade_of(of.value)),
        "",
        f"Steatosis grade 0 to 3 by the cut-offs of {first:g}, {second:g} and {third:g} % (Kleiner "
        f"2005) applied to the patient's share of hepatocytes with fat, by nuclei where they were "
        f"counted, else by squares; here {of.name}. Research use only, no diagnosis.",
        None if interval is None else (float(interval[0]), float(interval[1])),
        of.n,
        " ".join(filter(None, (of.note, "Grade by squares." if by_squares else ""))),
    )


def _why_none(own: Sequence[Report], weight: str, missing: str) -> str:
    known = {one.name for report in own for one in report.measurements}
    nothing = "Undefined: nothing that was analysed lies in it."
    return nothing if weight in known or not missing else missing


def _note(reason: str, used: int, there: int) -> str:
    some = f"Of {used} of {there} slides; the others have no such value." if used < there else ""
    return " ".join(one for one in (reason, some) if one)
