"""``napari-steatosis validate``: training data, looked at before the first epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ._say import FAILED, bars, say

if TYPE_CHECKING:
    from ..training.validate import Rules, Validation

COLOURS = {"error": "red", "warning": "yellow", "note": "dim"}
EXAMPLES = 3


def validate(
    folder: Annotated[Path, typer.Argument(help="Folder, zip file or manifest (CSV).")],
    rules: Annotated[
        str, typer.Option(help="default, or hepass: the five categories of that check.")
    ] = "default",
    out: Annotated[Path | None, typer.Option(help="Folder for the report.")] = None,
    join: Annotated[
        list[Path] | None, typer.Option(help="CSV to join, repeatable: patients, scores, labels.")
    ] = None,
    mpp: Annotated[float | None, typer.Option(help="Size of a pixel, um, if unstated.")] = None,
    modality: Annotated[str, typer.Option(help="As ultrasound, which has no stain.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Look at training data: what is wrong is said, nothing is dropped.

    The exit code is 1 where something must be mended before training.
    """
    from ..io.datasets import open_dataset
    from ..training.validate import validate as run
    from ..training.validation_report import summary, to_json

    data = open_dataset(folder, join=join or (), um_per_px=mpp, modality=modality)
    with bars() as shown:
        task = shown.add_task("Images", total=len(data))
        found = run(
            data,
            cast("Rules", rules),  # any other text is refused, with the choices
            on_sample=lambda done, total: shown.update(task, completed=done),
        )
    if as_json:
        typer.echo(json.dumps(to_json(found)))
    else:
        for name, text in summary(data):
            typer.echo(f"{name:<14} {text}")
        for name, rows in found.categories.items():
            typer.echo(f"{name:<16} {len(rows)}")
        _show(found)
    for file in found.write(out, overwrite=overwrite) if out is not None else ():
        say.print(str(file), markup=False)
    if found.errors:
        raise typer.Exit(FAILED)


def _show(found: Validation) -> None:
    for (severity, kind), count in found.kinds.items():
        say.print(f"{severity} {kind}: {count}", style=COLOURS[severity], markup=False)
        some = [one for one in found.of(kind) if one.severity == severity][:EXAMPLES]
        for one in some:
            where = f"{one.sample}: " if one.sample else ""
            say.print(f"  {where}{one.message}", markup=False)
        if some[0].remedy:
            say.print(f"  {some[0].remedy}", style="dim", markup=False)
