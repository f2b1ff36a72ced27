"""Zones, hepatocytes and grade on the page of a study: a row per patient, or per slide."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..core.report import Measurement
from ..core.study import PatientFat, Study

ZONES, HEPATOCYTES = "Zones of the lobule", "Hepatocytes and grade, estimated"
COLUMNS = {
    HEPATOCYTES: {
        "hepatocyte_equivalent": "With fat, by squares, %",
        "hepatocytes_with_fat": "With fat, by nuclei, %",
        "hepatocyte_nuclei": "Nuclei counted",
        "steatosis_grade": "Grade",
    },
}
RATIO = "zone_3_to_1_ratio"
OF_ROW = re.compile(r"; here \w+")
"""What of a definition holds for one patient alone."""


@dataclass(frozen=True)
class Findings:
    """A table of the page.

    Parameters
    ----------
    heading : str
    columns : tuple of str
        Of the values; the name of the row comes first, the number of slides second.
    rows : tuple of (str, str, tuple of str)
        Name, slides that have a value, and the values with their intervals.
    notes : tuple of str
        What is missing, why, and of whom.
    definitions : tuple of (str, str)
        Heading of a column and what it is.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]
    notes: tuple[str, ...]
    definitions: tuple[tuple[str, str], ...]


def findings_tables(study: Study) -> list[Findings]:
    """Return the tables of zones and of hepatocytes, as far as there are any."""
    if study.visits:
        rows = [(_dated(one), one.findings) for one in study.visits]
    elif study.patients:
        rows = [(one.patient, one.findings) for one in study.patients]
    else:
        rows = [(one.title, one.measurements) for one in study.reports.items]
    names = list(dict.fromkeys(one.name for _, own in rows for one in own))
    columns = {ZONES: dict(_zone_columns(rows, names)), **COLUMNS}
    made = (_table(heading, known, rows) for heading, known in columns.items())
    return [one for one in made if one is not None]


def _dated(one: PatientFat) -> str:
    return f"{one.patient}, visit {one.visit}"


def _zone_columns(
    rows: Sequence[tuple[str, Sequence[Measurement]]], names: Iterable[str]
) -> Iterator[tuple[str, str]]:
    said: dict[str, str] = {}
    for one in (one for _, own in rows for one in own):
        text = one.definition.partition(":")[0]
        said[one.name] = max(said.get(one.name, ""), text, key=len)  # without a value it is short
    for name in names:
        zone = name.removesuffix("_fat_area_fraction")
        if zone != name and zone[:5] in ("zone_", "ring_"):
            yield name, f"{said[name]}: fat, %"
    if RATIO in said:
        yield RATIO, "Zone 3 over zone 1"


def _table(
    heading: str, known: dict[str, str], rows: Sequence[tuple[str, Sequence[Measurement]]]
) -> Findings | None:
    there = {one.name: one for _, own in rows for one in own if one.name in known}
    if not there:
        return None
    columns = [name for name in known if name in there]
    made, notes = [], dict[str, list[str]]()
    for who, own in rows:
        found = {one.name: one for one in own if one.name in columns}
        counts = [one.n for one in found.values() if one.n is not None]
        made.append((who, str(max(counts, default=0)), tuple(_cell(found.get(n)) for n in columns)))
        for note in dict.fromkeys(one.note for one in found.values() if one.note):
            notes.setdefault(note, []).append(who)
    return Findings(
        heading,
        tuple(known[name] for name in columns),
        tuple(made),
        tuple(f"{_listed(who)}: {note}" for note, who in notes.items()),
        tuple((known[name], OF_ROW.sub("", there[name].definition)) for name in columns),
    )


def _listed(who: Sequence[str], most: int = 6) -> str:
    return ", ".join(who[:most]) + (f" and {len(who) - most} more" if len(who) > most else "")


def _cell(one: Measurement | None) -> str:
    """Return a value with its interval.

    Examples
    --------
    >>> _cell(Measurement("a", 8.5, "%", "", (7.25, 9.0))), _cell(None)
    ('8.50 (7.25 to 9.00)', '–')
    """
    from .write_report import number, share

    if one is None or math.isnan(one.value):
        return "–"
    text = share if one.unit == "%" else number
    if one.interval is None:
        return text(one.value)
    low, high = one.interval
    return f"{text(one.value)} ({text(low)} to {text(high)})"
