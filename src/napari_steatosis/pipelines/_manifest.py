"""The slides of a cohort as rows of a table, checked before anything is computed."""

from __future__ import annotations

import csv
import difflib
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.errors import BadValueError, CannotOpenError, SteatosisError
from ..core.slide import PLAUSIBLE_UM_PER_PX
from ..models import shipped_folder
from ._manifest_choices import (
    Tissue,
    counting_of,
    reference_of,
    stain_of,
    tissue_faults,
    tissue_of,
)
from ._manifest_facts import contradictions
from .analyse import stem_of

COLUMNS = {
    "path": "path",
    "slide": "path",
    "name": "name",
    "patient": "patient",
    "visit": "visit",
    "group": "group",
    "expert": "expert",
    "um_per_px": "um_per_px",
    "mpp": "um_per_px",
    "model": "model",
    "regions": "regions",
    "region_class": "region_class",
    "exclude": "exclude",
    "tissue": "tissue",
    "zones": "zones",
    "hepatocytes": "hepatocytes",
    "stain": "stain",
    "reference": "reference",
    "srgb": "srgb",
    "swap_red_blue": "swap_red_blue",
}
"""Column to what it gives; other columns are passed over."""

PLACES = ("regions", "exclude", "zones")
"""Columns with the place of GeoJSON."""

YES, NO = ("1", "true", "yes"), ("", "0", "false", "no")
TABLES = ("patients", "visits", "changes", "groups", "agreement")
RESERVED = ("slides", "failed", "cohort", *(f"slides_{table}" for table in TABLES))
MOST_FAULTS = 20


@dataclass(frozen=True)
class Row:
    """One slide of a cohort, and how it is to be opened and analysed.

    Parameters
    ----------
    path : Path
        The slide.
    name : str
        Stem of its results.
    patient : str
        Whose it is; empty where unknown.
    visit, group, expert : str
        When it was taken, what its patient belongs to, and what an expert said of it (a
        number, or a grade as ``S2``); empty where unknown.
    um_per_px : float, optional
        Size of a level 0 pixel, um, in place of what the file states.
    model : str
        Name or folder of a model; empty for that of the cohort.
    regions, exclude : Path, optional
        GeoJSON, or a folder of it: analyse only inside, leave out.
    region_class : tuple of str
        Only areas of these classes.
    tissue : float or Path, optional
        Sensitivity with which it is found, or a mask.
    zones : Path, optional
        GeoJSON, or a folder of it, with portal and central regions.
    hepatocytes : str
        How they are counted; empty for that of the cohort.
    stain, reference : str
        What is done to the colours before the model sees them; empty for that of the cohort.
    srgb, swap_red_blue : bool
        As for `open_slide`.
    number : int
        Row of the manifest, the header being row 1.
    cells : mapping of str to str
        The row as it was given.
    """

    path: Path
    name: str
    patient: str = ""
    visit: str = ""
    group: str = ""
    expert: str = ""
    um_per_px: float | None = None
    model: str = ""
    regions: Path | None = None
    exclude: Path | None = None
    region_class: tuple[str, ...] = ()
    tissue: Tissue = None
    zones: Path | None = None
    hepatocytes: str = ""
    stain: str = ""
    reference: str = ""
    srgb: bool = False
    swap_red_blue: bool = False
    number: int = 0
    cells: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def read_rows(
    manifest: str | os.PathLike[str] | Sequence[str | os.PathLike[str] | Mapping[str, Any]],
) -> list[Row]:
    """Read the slides of a cohort and check all that can be known without computing.

    Parameters
    ----------
    manifest : path, or sequence of mapping or path
        A CSV, whose relative paths start from its own folder, or its rows.

    Raises
    ------
    CannotOpenError
        Where there is no such table.
    BadValueError
        Where rows cannot be used; the message names each with its number and the remedy.
    """
    if isinstance(manifest, str | os.PathLike):
        source, folder = str(manifest), Path(manifest).absolute().parent
        given = list(read_table(Path(manifest)))
    else:
        source, folder = "The list of slides", Path.cwd()
        given = [
            (number, _cells({"path": one} if isinstance(one, str | os.PathLike) else one))
            for number, one in enumerate(manifest, start=1)
        ]
    rows, faults = [], []
    for number, cells in given:
        try:
            row = _row(cells, folder, number)
        except (SteatosisError, ValueError) as error:
            faults.append((number, str(error)))
        else:
            rows.append(row)
            faults += [(number, text) for text in _faults(row)]
    faults = sorted([*faults, *_collisions(rows), *contradictions(rows)])
    if faults:
        shown = "\n".join(f"  row {number}: {text}" for number, text in faults[:MOST_FAULTS])
        more = len(faults) - MOST_FAULTS
        raise BadValueError(
            f"{source}: nothing was computed, because rows cannot be used.\n{shown}"
            + (f"\n  and {more} more" if more > 0 else "")
        )
    if not rows:
        raise BadValueError(f"{source} lists no slide.")
    return rows


def read_table(
    path: Path, *, needed: Sequence[str] = ("path",)
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV with their numbers, the header being row 1.

    Parameters
    ----------
    path : Path
        UTF-8, separated by commas, semicolons or tabs.
    needed : sequence of str
        Columns that must be there, under any of their names.

    Raises
    ------
    CannotOpenError, BadValueError
        Where there is no such table, or its columns cannot be used.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CannotOpenError(
            f"{path} cannot be read as a table ({error}). Save it as CSV in UTF-8."
        ) from error
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    table = csv.DictReader(text.splitlines(), delimiter=separator)
    names = [(name or "").strip() for name in table.fieldnames or ()]
    _check_columns(path, names, needed)
    table.fieldnames = names
    for cells in table:
        if any(cells.values()):
            yield table.line_num, _cells(cells)


def _check_columns(path: Path, names: Sequence[str], needed: Sequence[str]) -> None:
    known = {name.lower() for name in names}
    there = {COLUMNS[name] for name in known if name in COLUMNS}
    if missing := [name for name in needed if COLUMNS[name] not in there]:
        said = " and ".join("path (or slide)" if one == "path" else one for one in missing)
        raise BadValueError(
            f"{path} has no column {said}; it has: {', '.join(names) or 'nothing'}. "
            f"The first row names the columns: path, and as wanted "
            f"{', '.join(name for name in COLUMNS if name not in ('path', 'slide', 'mpp'))}."
        )
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise BadValueError(f"{path} has the column {twice[0]!r} twice; rename one.")
    for name in names:
        near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.8)
        if near and name.lower() not in COLUMNS and near[0] not in known:
            raise BadValueError(
                f"{path} has a column {name!r}. Is {near[0]!r} meant? Rename it to that, or to "
                f"something less alike if it is another thing."
            )


def _cells(given: Mapping[Any, Any]) -> dict[str, str]:
    if None in given:
        raise BadValueError(
            "A row has more cells than there are columns; quote a cell that holds the separator."
        )
    return {str(k): "" if _missing(v) else str(v).strip() for k, v in given.items()}


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def meant(cells: Mapping[str, str]) -> dict[str, str]:
    """Return what a row says, by the names that `COLUMNS` gives its columns.

    Examples
    --------
    >>> meant({"Slide": "a.svs", "mpp": "0.5", "sex": "f"})
    {'path': 'a.svs', 'um_per_px': '0.5'}
    """
    values: dict[str, str] = {}
    for column, cell in cells.items():
        name = COLUMNS.get(column.lower())
        if name and (column.lower() == name or name not in values):
            values[name] = cell
    return values


def _row(cells: dict[str, str], folder: Path, number: int) -> Row:
    values = meant(cells)
    if not values.get("path"):
        raise BadValueError("the path is empty. Give the file or folder of the slide.")
    path = folder / values["path"]
    places = {key: folder / values[key] if values.get(key) else None for key in PLACES}
    model = values.get("model", "")
    return Row(
        path=path,
        name=values.get("name") or stem_of(path.name),
        patient=values.get("patient", ""),
        visit=values.get("visit", ""),
        group=values.get("group", ""),
        expert=values.get("expert", ""),
        um_per_px=_um_per_px(values.get("um_per_px", "")),
        model=str(folder / model) if (folder / model).is_dir() and model else model,
        **places,
        region_class=tuple(filter(None, map(str.strip, values.get("region_class", "").split(";")))),
        tissue=tissue_of(values.get("tissue", ""), folder),
        hepatocytes=counting_of(values.get("hepatocytes", "")),
        stain=stain_of(values.get("stain", "")),
        reference=reference_of(values.get("reference", ""), folder),
        srgb=_yes("srgb", values.get("srgb", "")),
        swap_red_blue=_yes("swap_red_blue", values.get("swap_red_blue", "")),
        number=number,
        cells=cells,
    )


def _um_per_px(cell: str) -> float | None:
    if not cell:
        return None
    low, high = PLAUSIBLE_UM_PER_PX
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise BadValueError(
            f"um_per_px is {cell!r}; write the size of a level 0 pixel in um, {low:g} to {high:g}, "
            f"with a point (0.25 is usual for a 40x scan), or leave it empty to take the file's."
        )
    return value


def _yes(column: str, cell: str) -> bool:
    if cell.lower() in YES:
        return True
    if cell.lower() in NO:
        return False
    raise BadValueError(f"{column} is {cell!r}; write yes or no.")


def _faults(row: Row) -> Iterator[str]:
    if not row.path.exists():
        yield f"{row.path}: there is no such file or folder. Correct the path."
    for name in PLACES:
        place = getattr(row, name)
        if place is not None and not place.exists():
            yield f"{place}, of the column {name}, is not there. Correct the path."
    yield from tissue_faults(row.tissue, row.path)
    if row.name in ("", ".", "..") or Path(row.name).name != row.name or "\\" in row.name:
        yield f"the name {row.name!r} cannot be that of a file. Give another in a column name."
    if row.name.casefold() in RESERVED:
        yield (
            f"the name {row.name!r} is that of a table of the whole cohort. Give another in a "
            f"column name."
        )
    if row.model:
        try:
            folder = shipped_folder(row.model)
        except SteatosisError as error:
            yield str(error)
        else:
            if not (folder / "model.json").is_file():
                yield f"the model {folder} has no model.json. Give the folder of a saved model."


def _collisions(rows: Iterable[Row]) -> Iterator[tuple[int, str]]:
    """Find slides that are listed twice, and results that would replace each other."""
    by_path: dict[Path, Row] = {}
    by_file: dict[str, Row] = {}
    for row in rows:
        first = by_path.setdefault(row.path.resolve(), row)
        if first is not row:
            yield row.number, f"{row.path} is the slide of row {first.number}. Delete one of them."
            continue
        for end in ("", "_summary", "_tiles"):
            other = by_file.setdefault(f"{row.name}{end}".casefold(), row)
            if other is not row:
                yield (
                    row.number,
                    f"its results would be named {row.name}{end}, as those of row "
                    f"{other.number} ({other.path}). Give one of them another name in a column "
                    f"name.",
                )
                break


def with_model(rows: Sequence[Row], model: str) -> list[Row]:
    """Return the rows with the cohort's model where they name none; the model is checked.

    Raises
    ------
    UnknownNameError, BadValueError
        Where there is no such model.
    """
    folder = shipped_folder(model)
    if not (folder / "model.json").is_file():
        raise BadValueError(f"The model {folder} has no model.json. Give a saved model's folder.")
    named = model if folder.name == model and not Path(model).is_dir() else str(folder.absolute())
    return [row if row.model else replace(row, model=named) for row in rows]
