"""``napari-steatosis calibrate``: from what is measured to what a laboratory's expert says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..core.errors import BadValueError, CannotOpenError
from ..core.report import RESEARCH_USE
from ._say import say
from .agreement import Expert, Measured, Patient, Table, print_statistics

if TYPE_CHECKING:
    from ..quantify.calibration import Kind


def calibrate(
    table: Table,
    measured: Measured,
    expert: Expert,
    out: Annotated[Path, typer.Option(help="File for the calibration (.json).")],
    kind: Annotated[str, typer.Option(help="linear, isotonic or grade.")] = "isotonic",
    patient: Patient = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file.")] = False,
) -> None:
    """Fit a calibration to an expert, check it on patients it was not fitted to, and save it.

    `analyse` and `cohort` take the file with --calibration.
    """
    from ..pipelines.expert import agreement_of, read_pairs
    from ..quantify.calibration import check_calibration, fit_calibration

    if out.suffix != ".json":
        raise BadValueError(f"{out}: a calibration is saved as .json.")
    if out.exists() and not overwrite:
        raise CannotOpenError(f"{out} is there already. Choose another name, or use --overwrite.")
    pairs = read_pairs(table, measured=measured, expert=expert, patient=patient)
    asked = cast("Kind", kind)  # any other text is refused, with the choices
    fitted = fit_calibration(pairs.x, pairs.y, kind=asked, names=(measured, expert))
    check = check_calibration(pairs.x, pairs.y, kind=asked)
    held_out = agreement_of(replace(pairs, x=tuple(check.predicted.tolist()), note=""))
    out.parent.mkdir(parents=True, exist_ok=True)
    fitted.save(out)
    title = f"{kind}, {measured} to {expert}: {fitted.n} patients, each predicted from others"
    print_statistics(held_out.statistics, title)
    if kind == "grade":
        cuts = ", ".join(f"{cut:.3g}" for cut in fitted.curve[0])
        typer.echo(f"A grade begins at: {cuts}")
    low, high = fitted.span
    typer.echo(
        f"Fitted to {measured} from {low:.3g} to {high:.3g}; beyond it is a guess. "
        f"Valid for this laboratory, stain and model."
    )
    if pairs.note:
        typer.echo(pairs.note)
    typer.echo(RESEARCH_USE)
    say.print(str(out), markup=False)
