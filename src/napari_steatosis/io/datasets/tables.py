"""CSV tables of a dataset, with the names of their columns brought to one spelling."""

from __future__ import annotations

import csv
import difflib
import math
from collections.abc import Mapping, Sequence

from ...core.errors import BadValueError, CannotOpenError
from .places import read_bytes

Rows = list[dict[str, str]]


def read_table(path: str) -> tuple[list[str], Rows]:
    """Read a CSV table: names of its columns, and its rows that are not empty.

    Comma, semicolon or tab separate the cells. Names are stripped and in small letters.

    Raises
    ------
    CannotOpenError
        Where there is no such text.
    BadValueError
        Where a column is there twice, or a row has more cells than the head.
    """
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CannotOpenError(
            f"{path} cannot be read as a table ({error}). Save it as CSV in UTF-8."
        ) from error
    head = text.partition("\n")[0]
    table = csv.DictReader(text.splitlines(), delimiter=max(",;\t", key=head.count))
    names = [(name or "").strip().lower() for name in table.fieldnames or ()]
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise BadValueError(f"{path} has the column {twice[0]!r} twice; rename one.")
    table.fieldnames = names
    rows = []
    for cells in table:
        if None in cells:
            raise BadValueError(
                f"{path}, line {table.line_num}: more cells than columns; quote a cell that holds "
                f"the separator."
            )
        if any(cells.values()):
            rows.append({name: (cell or "").strip() for name, cell in cells.items()})
    return names, rows


def meant_by(names: Sequence[str], spellings: Mapping[str, str], path: str) -> dict[str, str]:
    """Return the columns that are known: name in the table to what it gives.

    Raises
    ------
    BadValueError
        Where a name is nearly a known one (``patientx``).
    """
    found: dict[str, str] = {}
    for name in names:
        if name in spellings and (name == spellings[name] or spellings[name] not in found.values()):
            found = {other: meant for other, meant in found.items() if meant != spellings[name]}
            found[name] = spellings[name]
    for name in names:
        near = difflib.get_close_matches(name, spellings, n=1, cutoff=0.85)
        if near and name not in spellings and spellings[near[0]] not in found.values():
            raise BadValueError(
                f"{path} has a column {name!r}. Is {near[0]!r} meant? Rename it to that, or to "
                f"something less alike if it is another thing."
            )
    return found


def number(cell: str, column: str, where: str) -> float | None:
    """Return the number in a cell, None where it is empty.

    Raises
    ------
    BadValueError
        Where it is no finite number.

    Examples
    --------
    >>> number("12.5 %", "score", "scores.csv"), number("", "score", "scores.csv")
    (12.5, None)
    """
    if not cell or cell.lower() in ("nan", "na", "n/a", "none"):
        return None
    try:
        value = float(cell.removesuffix("%"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise BadValueError(f"{where}: {column} is {cell!r}; write a number with a point.")
    return value
