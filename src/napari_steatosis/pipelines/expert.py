"""Pairs of measured values and an expert's, one per patient: from a table to what they share."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..core.errors import BadValueError, CannotOpenError
from ..core.report import Measurement
from ..core.study import ExpertAgreement
from ..quantify._agreement_intervals import OF_CORRELATION, proportion_interval
from ..quantify.agreement import FEWEST, agreement
from ..quantify.kappa import kappa_interval, weighted_kappa
from ._manifest_facts import expert_value, is_grade

GRADES = 4
MOST_GRADES = 5


@dataclass(frozen=True, eq=False)
class Pairs:
    """Two columns of a table, one pair per patient.

    Parameters
    ----------
    measured, expert : str
        Names of the columns.
    x, y : tuple of float
        Their values; what is incomplete is left out.
    graded : bool
        The expert wrote grades (``S2``).
    rows, left_out : int
        Of the table, and those of them that were incomplete.
    note : str
        How patients were made of rows.
    """

    measured: str
    expert: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    graded: bool
    rows: int
    left_out: int
    note: str = ""


def read_pairs(
    path: str | os.PathLike[str], *, measured: str, expert: str, patient: str = ""
) -> Pairs:
    r"""Read two columns of a table as pairs.

    Parameters
    ----------
    path : path
        CSV in UTF-8, separated by commas, semicolons or tabs.
    measured, expert : str
        Names of columns with numbers; the expert's may be grades, ``S0`` to ``S3``. Empty
        cells are left out.
    patient : str
        Column with the patient, whose rows are averaged (grades: rounded); without it every
        row is taken for a patient of its own.

    Raises
    ------
    CannotOpenError
        Where there is no such table.
    BadValueError
        Where a column is missing or a cell is no number.

    Examples
    --------
    >>> _ = Path("lab.csv").write_text("who,area,grade\nP1,2.0,S1\nP1,4.0,S1\nP2,,S0\n")
    >>> found = read_pairs("lab.csv", measured="area", expert="grade", patient="who")
    >>> found.x, found.y, found.left_out
    ((3.0,), (1.0,), 1)
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotOpenError(
            f"{path} cannot be read as a table ({error}). Save it as CSV in UTF-8."
        ) from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    table = csv.DictReader(text.splitlines(), delimiter=separator)
    names = [(name or "").strip() for name in table.fieldnames or ()]
    table.fieldnames = names
    for wanted in filter(None, (measured, expert, patient)):
        if wanted not in names:
            raise BadValueError(f"{path} has no column {wanted!r}; it has: {', '.join(names)}.")
    by_patient: dict[str, list[tuple[float, float]]] = {}
    rows, left_out, graded = 0, 0, False
    for row in table:
        cells = [(row[name] or "").strip() for name in (measured, expert)]
        who = (row[patient] or "").strip() if patient else str(table.line_num)
        if not any(cells):
            continue
        rows += 1
        if not all(cells) or not who:
            left_out += 1
            continue
        values = [expert_value(cell) for cell in cells]
        for cell, value, name in zip(cells, values, (measured, expert), strict=True):
            if math.isnan(value):
                raise BadValueError(
                    f"{path}, row {table.line_num}: {name} is {cell!r}. Write a number with a "
                    f"point, a grade S0 to S3, or leave the cell empty."
                )
        graded = graded or is_grade(cells[1])
        by_patient.setdefault(who, []).append((values[0], values[1]))
    means = [np.mean(own, axis=0).tolist() for own in by_patient.values()]
    note = ""
    if any(len(own) > 1 for own in by_patient.values()):
        note = "Several rows of a patient were averaged" + (", and grades rounded." * graded or ".")
    y = tuple(float(np.rint(one[1])) if graded else one[1] for one in means)
    return Pairs(measured, expert, tuple(one[0] for one in means), y, graded, rows, left_out, note)


def agreement_of(pairs: Pairs) -> ExpertAgreement:
    """Return how the pairs of a table agree.

    Where both columns hold nothing but whole numbers from 0 to 4 they are taken for grades, too,
    and the kappa with quadratic weights is given beside the rest. A grade and something that
    is none share ranks, nothing else.

    Raises
    ------
    BadValueError
        Where fewer than three pairs are complete.
    """
    x, y = pairs.x, pairs.y
    if len(x) < FEWEST:
        raise BadValueError(
            f"{len(x)} pairs of {pairs.measured} and {pairs.expert} are complete; agreement needs "
            f"at least {FEWEST}."
        )
    both = {*x, *y}
    grades = both <= set(map(float, range(MOST_GRADES)))
    note = pairs.note
    statistics: tuple[Measurement, ...]
    if grades:
        own = grades_agree(x, y)
        statistics = own if pairs.graded else (*own[:2], *numbers_agree(x, y))
    elif pairs.graded:
        statistics = tuple(one for one in numbers_agree(x, y) if one.name == "spearman_rho")
        note += (
            " Grades and what is none cannot agree, only rise together: calibrate first, with the "
            "kind grade."
        )
    else:
        statistics = numbers_agree(x, y)
    if pairs.left_out:
        note += f" {pairs.left_out} of {pairs.rows} rows were left out: a cell is empty."
    return ExpertAgreement(pairs.measured, pairs.expert, pairs.x, pairs.y, statistics, note.strip())


def numbers_agree(x: Sequence[float], y: Sequence[float]) -> tuple[Measurement, ...]:
    """Return the statistics of two series of numbers as measurements."""
    return tuple(
        Measurement(
            one.name,
            one.value,
            "",
            one.definition,
            (one.low, one.high) if math.isfinite(one.low) else None,
            len(x),
            one.note,
        )
        for one in agreement(x, y).statistics
    )


def grades_agree(x: Sequence[float], y: Sequence[float]) -> tuple[Measurement, ...]:
    """Return kappa, share of same grades and rank correlation of two series of grades."""
    pairs = np.rint([x, y]).astype(int)
    n, top = len(x), max(GRADES, int(pairs.max()) + 1)
    same = int(np.count_nonzero(pairs[0] == pairs[1]))
    least, most = proportion_interval(same, n)
    rank = next(one for one in numbers_agree(x, y) if one.name == "spearman_rho")
    whole, interval = weighted_kappa(*pairs, grades=top), kappa_interval(*pairs)
    note = "" if interval else "No interval: the grades agree perfectly, or hardly vary."
    if not math.isfinite(whole):
        note = "Undefined: both gave all the same grade."
    return (
        Measurement(
            "weighted_kappa",
            whole,
            "",
            f"Cohen's kappa with quadratic weights. {OF_CORRELATION}",
            interval,
            n,
            note,
        ),
        Measurement(
            "same_grade",
            100 * same / n,
            "%",
            "Share of patients with the same grade. Interval: Wilson.",
            (100 * least, 100 * most),
            n,
        ),
        rank,
    )
