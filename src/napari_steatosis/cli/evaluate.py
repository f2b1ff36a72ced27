"""``napari-steatosis evaluate``: models on labelled images, with intervals and comparisons."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import BadValueError
from ._say import Device, Precision, bars, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..io._pictures import Picture
    from ..training.compare import Compared
    from ..training.evaluation import Scores


def evaluate(
    given: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL... DATASET",
            help="Models (names or folders); last the labelled images: folder, zip file or CSV.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for table, JSON and page.")],
    split: Annotated[
        str | None, typer.Option(help="Only this official set of the manifest: val, test.")
    ] = None,
    mpp: Annotated[float | None, typer.Option(help="Size of a pixel, um, if unstated.")] = None,
    draws: Annotated[int, typer.Option(help="Bootstrap draws.", min=1)] = 1000,
    examples: Annotated[bool, typer.Option(help="Pictures of good and bad samples.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    device: Device = "auto",
    precision: Precision = "auto",
) -> None:
    """Score models on labelled images that they were not trained on; compare several."""
    from ..io import open_dataset
    from ..models import load_model
    from ..training.compare import compare
    from ..training.comparison_report import to_json, write_evaluation
    from ..training.evaluate import evaluate as run
    from ..training.examples import example_pictures

    if len(given) < 2:
        raise BadValueError(f"Give at least one model and then the dataset, got {given[0]!r} only.")
    *names, place = given
    data = open_dataset(place, um_per_px=mpp)
    part = data if split is None else data.where(split=split)
    found: list[Scores] = []
    shown: dict[str, Sequence[Picture]] = {}
    with bars() as progress:
        task = progress.add_task("Models", total=len(names))
        for name in names:
            model = load_model(name, device=device, precision=precision)
            scores = run(model, data, split=split, draws=draws)
            if any(one.model == scores.model for one in found):
                scores = replace(scores, model=f"{scores.model} {scores.digest[:8]}")
            found.append(scores)
            if examples:
                shown[scores.model] = example_pictures(model, part, scores)
            progress.advance(task)
    compared = compare(found, draws=draws)
    made = write_evaluation(found, compared, out, examples=shown, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(to_json(found, compared)))
    else:
        _show(found, compared)
    for note in dict.fromkeys(f"{one.model}: {note}" for one in found for note in one.notes):
        say.print(note, style="yellow", markup=False)
    for file in made:
        say.print(str(file), markup=False)


def _show(found: list[Scores], compared: list[Compared]) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..training.comparison_report import chance, number, ordered, span

    first, console = found[0], Console(highlight=False)
    counts = ", ".join(f"{name} {count}" for name, count in first.counts.items())
    table = Table(title=f"{first.n} samples of {first.groups} patients ({counts})")
    table.add_column("score")
    for one in found:
        table.add_column(one.model, justify="right")
    for name in ordered(found):
        cells = [one.values[name] for one in found]
        table.add_row(name, *(f"{number(c.value)} ({span(c.low, c.high)})" for c in cells))
    console.print(table)
    for (first_name, second_name), rows in groupby(compared, lambda row: (row.first, row.second)):
        table = Table(title=f"{first_name} less {second_name}")
        for name in ("score", "test", "difference", "p", "p, Holm"):
            table.add_column(name)
        for row in rows:
            gap = row.difference
            value = f"{number(gap.value)} ({span(gap.low, gap.high)})"
            table.add_row(row.score, gap.test, value, chance(gap.p), chance(row.p_holm))
        console.print(table)
