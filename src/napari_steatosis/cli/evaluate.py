"""``napari-steatosis evaluate``: models on labelled images, with intervals and comparisons."""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..core.errors import BadValueError
from ._say import Device, Precision, bars, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..training.compare import Compared
    from ..training.evaluation import Scores
    from ..training.variance import Analysis, Over
    from ..training.working_point import WorkingPoint


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
    recall: Annotated[
        float | None, typer.Option(help="Also the threshold for this recall, such as 0.95.")
    ] = None,
    recall_on: Annotated[
        str | None,
        typer.Option(help="Official set to choose that threshold on; by default what is scored."),
    ] = None,
    anova: Annotated[
        str | None,
        typer.Option(help="Analysis of variance as published: tile, fold, patient, bootstrap."),
    ] = None,
    examples: Annotated[bool, typer.Option(help="Pictures of good and bad samples.")] = True,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    device: Device = "auto",
    precision: Precision = "auto",
) -> None:
    """Score models on labelled images that they were not trained on; compare several."""
    from ..io import open_dataset
    from ..models import load_model
    from ..training.comparison_report import to_json, write_evaluation
    from ..training.evaluate_models import Questions, evaluate_models

    if len(given) < 2:
        raise BadValueError(f"Give at least one model and then the dataset, got {given[0]!r} only.")
    *names, place = given
    if anova is not None and len(names) < 2:
        raise BadValueError(f"--anova compares models, but there is {names[0]!r} only. Name more.")
    over = cast("Over | None", anova)  # any other text is refused by Questions, with its choices
    asked = Questions(split, draws, recall, recall_on, over, examples)
    data = open_dataset(place, um_per_px=mpp)
    with bars() as progress:
        task = progress.add_task("Models", total=len(names))
        models = (load_model(name, device=device, precision=precision) for name in names)
        value = evaluate_models(models, data, asked, on_model=lambda _: progress.advance(task))
    made = write_evaluation(value, out, overwrite=overwrite)
    if as_json:
        typer.echo(json.dumps(to_json(value)))
    else:
        _show(value.models, value.differences)
        _show_points(value.points)
        _show_analyses(value.analyses)
    for note in value.notes:
        say.print(note, style="yellow", markup=False)
    for file in made:
        say.print(str(file), markup=False)


def _show(found: Sequence[Scores], compared: Sequence[Compared]) -> None:
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


def _show_points(points: Sequence[WorkingPoint]) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..training.comparison_report import number, span

    if not points:
        return
    table = Table(title=f"Threshold for a recall of {points[0].wanted:g}")
    for name in ("model", "class", "threshold", *points[0].scores, "chosen on"):
        table.add_column(name)
    for one in points:
        cells = [f"{number(c.value)} ({span(c.low, c.high)})" for c in one.scores.values()]
        threshold = f"{number(one.threshold.value)} ({span(one.threshold.low, one.threshold.high)})"
        table.add_row(one.model, one.kind, threshold, *cells, one.chosen_on)
    Console(highlight=False).print(table)


def _show_analyses(tested: Sequence[Analysis]) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..training.comparison_report import chance, number
    from ..training.variance import AS_PUBLISHED

    if not tested:
        return
    table = Table(title=AS_PUBLISHED, caption=tested[0].found.note)
    for name in ("score", "over", "values per model", "F", "p"):
        table.add_column(name)
    for one in tested:
        f, p = number(one.found.f), chance(one.found.p)
        table.add_row(one.score, f"{one.over}s", str(one.values), f, p)
    Console(highlight=False).print(table)
