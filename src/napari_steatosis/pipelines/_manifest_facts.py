"""Patients, visits, groups and experts of a manifest: what contradicts itself is said at once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Protocol

GRADE = re.compile(r"[sS]([0-3])")


class Known(Protocol):
    """A row of a manifest, as far as it is looked at here."""

    @property
    def patient(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def expert(self) -> str: ...
    @property
    def number(self) -> int: ...


def contradictions(rows: Iterable[Known]) -> Iterator[tuple[int, str]]:
    """Find patients in two groups, and experts that give neither numbers nor grades, or both."""
    group_of: dict[str, Known] = {}
    graded: Known | None = None
    counted: Known | None = None
    for row in rows:
        if row.patient and row.group:
            first = group_of.setdefault(row.patient, row)
            if first.group != row.group:
                yield (
                    row.number,
                    f"patient {row.patient!r} is in group {row.group!r}, and in row "
                    f"{first.number} in {first.group!r}. Groups are compared with the patient as "
                    f"the unit: give each patient one, or name the column otherwise.",
                )
        if not row.expert:
            continue
        value = expert_value(row.expert)
        if math.isnan(value):
            yield (
                row.number,
                f"expert is {row.expert!r}; write a number with a point (12.5), or a grade S0 to "
                f"S3, or leave it empty.",
            )
        elif is_grade(row.expert):
            graded = graded or row
        else:
            counted = counted or row
    if graded is not None and counted is not None:
        yield (
            graded.number,
            f"expert is the grade {graded.expert!r}, and in row {counted.number} the number "
            f"{counted.expert!r}. Give grades or numbers, not both.",
        )


def is_grade(cell: str) -> bool:
    """Whether an expert's cell is a grade.

    Examples
    --------
    >>> is_grade("S2"), is_grade("12.5")
    (True, False)
    """
    return GRADE.fullmatch(cell) is not None


def expert_value(cell: str) -> float:
    """Return a grade or a number of an expert's cell, NaN for what is neither.

    Examples
    --------
    >>> expert_value("S2"), expert_value("12.5"), expert_value("much")
    (2.0, 12.5, nan)
    """
    if found := GRADE.fullmatch(cell):
        return float(found[1])
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
