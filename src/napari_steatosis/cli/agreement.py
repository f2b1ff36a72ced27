"""``napari-steatosis agreement``: measured values beside an expert's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.report import RESEARCH_USE
from ._say import Pdf, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.report import Measurement

Table = Annotated[Path, typer.Argument(help="CSV with a column of each.")]
Measured = Annotated[str, typer.Option(help="Column with what was measured.")]
Expert = Annotated[str, typer.Option(help="Column of the expert: numbers, or grades S0 to S3.")]
Patient = Annotated[
    str, typer.Option(help="Column with the patient, whose rows are averaged; else a row is one.")
]


def agreement(
    table: Table,
    measured: Measured,
    expert: Expert,
    out: Annotated[Path, typer.Option(help="Folder for agreement.html and agreement.json.")],
    patient: Patient = "",
    pdf: Pdf = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Say how far measured values and an expert's agree, one pair per patient.

    Writes the statistics with their intervals, and a page with plots.
    """
    from ..io.write import write
    from ..io.write_table import plain
    from ..pipelines.expert import agreement_of, read_pairs

    pairs = read_pairs(table, measured=measured, expert=expert, patient=patient)
    found = agreement_of(pairs)
    if as_json:
        typer.echo(json.dumps(plain(found.to_json())))
    else:
        print_statistics(found.statistics, f"{measured} against {expert}, n = {len(pairs.x)}")
        if found.note:
            typer.echo(found.note)
        typer.echo(RESEARCH_USE)
    made = write(found, out / "agreement.html", overwrite=overwrite, pdf=pdf)
    made += write(found, out / "agreement.json", overwrite=overwrite)
    for file in made:
        say.print(str(file), markup=False)


def print_statistics(statistics: Sequence[Measurement], title: str) -> None:
    """Print statistics with their intervals as a table."""
    from rich.console import Console
    from rich.table import Table as Rows

    rows = Rows(title=title, title_justify="left")
    rows.add_column("statistic", no_wrap=True)
    for column in ("value", "95 % interval"):
        rows.add_column(column, justify="right", no_wrap=True)
    rows.add_column("definition")
    for one in statistics:
        between = "" if one.interval is None else "{:.3g} to {:.3g}".format(*one.interval)
        rows.add_row(one.name, f"{one.value:.3g} {one.unit}".strip(), between, one.definition)
    Console(highlight=False).print(rows)
