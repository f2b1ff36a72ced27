"""Several analysed slides as one table, and whose slides they are."""

from __future__ import annotations

import os
from pathlib import Path

from ..core.errors import BadValueError, CannotOpenError
from ..core.study import Study
from ..io.write import write
from ._manifest import TABLES
from .analyse import stem_of

TABLE = "slides.csv"


def read_patients(path: str | os.PathLike[str]) -> dict[str, str]:
    r"""Read whose each slide is, from a CSV with the columns ``slide`` and ``patient``.

    Parameters
    ----------
    path : path
        A slide is given by its file name, with or without suffix.

    Returns
    -------
    dict of str to str
        Title of a slide's report to patient.

    Raises
    ------
    CannotOpenError
        Where there is no such table.
    BadValueError
        Where a column is missing, a cell is empty, or a slide is listed twice.

    Examples
    --------
    >>> _ = Path("patients.csv").write_text("slide,patient\nliver_017.svs,P03\n")
    >>> read_patients("patients.csv")
    {'liver_017': 'P03'}
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise CannotOpenError(f"{path} cannot be read as a table ({error}).") from error
    if missing := [name for name in ("slide", "patient") if name not in table]:
        raise BadValueError(
            f"{path} has no column {' and '.join(missing)}; it has: {', '.join(table)}. "
            f"One row per slide: its file name, and the patient."
        )
    patients: dict[str, str] = {}
    for number, (slide, patient) in enumerate(
        zip(table["slide"].str.strip(), table["patient"].str.strip(), strict=True), start=2
    ):
        title = stem_of(Path(slide).name)
        if not title or not patient:
            raise BadValueError(f"{path}: row {number} names no slide or no patient.")
        if patients.setdefault(title, patient) != patient:
            raise BadValueError(
                f"{path}: row {number} gives the slide {slide!r} to {patient!r}, and an earlier "
                f"row to {patients[title]!r}."
            )
    return patients


def write_slides(study: Study, folder: str | os.PathLike[str]) -> list[Path]:
    """Write the tables of a study, ``slides.csv`` first.

    ``slides.csv`` has one row per slide; beside it are written, where the study has them,
    ``slides_patients.csv``, ``slides_visits.csv``, ``slides_changes.csv``,
    ``slides_groups.csv`` and ``slides_agreement.csv``. Those of an earlier call that no longer
    hold are removed.
    """
    path = Path(folder) / TABLE
    written = write(study, path, overwrite=True)
    for name in TABLES:
        if (old := path.with_name(f"{path.stem}_{name}.csv")) not in written:
            old.unlink(missing_ok=True)
    return written
