"""Several analysed slides as one study: whose they are, and its tables and page."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import BadValueError
from ..core.study import SlideFacts, Study
from ..io.write import write
from ._manifest import TABLES, meant, read_table
from ._manifest_facts import contradictions
from .analyse import stem_of

TABLE = "slides.csv"
PAGE = "cohort.html"


@dataclass(frozen=True)
class Listed:
    """One row of a table that says whose a slide is."""

    number: int
    title: str
    patient: str = ""
    visit: str = ""
    group: str = ""
    expert: str = ""

    @property
    def facts(self) -> SlideFacts:
        """What a study knows of the slide."""
        return SlideFacts(self.patient, self.visit, self.group, self.expert)


def read_facts(path: str | os.PathLike[str]) -> dict[str, SlideFacts]:
    r"""Read whose each slide is, and when it was taken, from a manifest or a table like it.

    Parameters
    ----------
    path : path
        CSV with the columns ``slide`` (or ``path``) and ``patient``, and as wanted ``visit``,
        ``group`` and ``expert``; others are passed over. A slide is given by its file name, with
        or without suffix and folder.

    Returns
    -------
    dict of str to SlideFacts
        Title of a slide's report to what is known of it.

    Raises
    ------
    CannotOpenError
        Where there is no such table.
    BadValueError
        Where a column is missing, a cell is empty, or rows contradict each other; each is named.

    Examples
    --------
    >>> _ = Path("patients.csv").write_text("slide,patient,visit\nliver_017.svs,P03,2\n")
    >>> read_facts("patients.csv")["liver_017"].visit
    '2'
    """
    rows: dict[str, Listed] = {}
    faults: list[tuple[int, str]] = []
    for number, cells in read_table(Path(path), needed=("slide", "patient")):
        known = {name: cell for name, cell in meant(cells).items() if name in LISTED}
        row = Listed(number, stem_of(Path(known.pop("path", "")).name), **known)
        if not row.title or not row.patient:
            faults.append((number, "it names no slide or no patient."))
        elif (first := rows.setdefault(row.title, row)).facts != row.facts:
            faults.append(
                (
                    number,
                    f"of the slide {row.title!r} it says {_said(row)}, and row {first.number} "
                    f"{_said(first)}. Delete one of them.",
                )
            )
    faults += contradictions(rows.values())
    if faults:
        said = "\n".join(f"  row {number}: {text}" for number, text in sorted(faults))
        raise BadValueError(f"{path}: rows cannot be used.\n{said}")
    return {title: row.facts for title, row in rows.items()}


LISTED = ("path", "patient", "visit", "group", "expert")


def _said(row: Listed) -> str:
    given = {"patient": row.patient, "visit": row.visit, "group": row.group, "expert": row.expert}
    return ", ".join(f"{name} {value!r}" for name, value in given.items() if value)


def write_slides(study: Study, folder: str | os.PathLike[str], *, pdf: bool = False) -> list[Path]:
    """Write the tables and the page of a study, ``slides.csv`` first.

    ``slides.csv`` has one row per slide; beside it are written, where the study has them,
    ``slides_patients.csv``, ``slides_visits.csv``, ``slides_changes.csv``,
    ``slides_groups.csv`` and ``slides_agreement.csv``; and ``cohort.html``. Those of an earlier
    call that no longer hold are removed.

    Parameters
    ----------
    study : Study
        With at least one report.
    folder : path
        For all of them.
    pdf : bool
        Print the page as ``cohort.pdf``, too.

    Returns
    -------
    list of Path
        What was written.
    """
    path = Path(folder) / TABLE
    written = write(study, path, overwrite=True)
    written += write(study, path.with_name(PAGE), overwrite=True, pdf=pdf)
    tables = [path.with_name(f"{path.stem}_{name}.csv") for name in TABLES]
    for old in (*tables, path.with_name(PAGE).with_suffix(".pdf")):
        if old not in written:
            old.unlink(missing_ok=True)
    return written
