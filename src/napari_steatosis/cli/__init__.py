"""The command line: one file per command, each with the words and none of the work."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

from .. import __version__
from ..core.errors import SteatosisError
from ._say import FAILED, say, show_warning
from .agreement import agreement
from .analyse import analyse
from .calibrate import calibrate
from .classify import classify
from .cohort import cohort
from .demo import demo
from .evaluate import evaluate
from .explain import explain
from .models import models
from .normalise import normalise
from .quality import quality
from .slides import export, info, snapshot
from .tissue import tissue
from .train import train
from .validate import validate

app = typer.Typer(
    name="napari-steatosis",
    help="Measure liver fat on whole-slide images. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    analyse,
    classify,
    cohort,
    agreement,
    calibrate,
    normalise,
    demo,
    explain,
    info,
    quality,
    tissue,
    export,
    snapshot,
    train,
    evaluate,
    validate,
):
    app.command()(command)
app.add_typer(models, name="models")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"napari-steatosis {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main() -> None:
    """Run the command line; an error of this package is one message and exit code 1."""
    warnings.showwarning = show_warning
    try:
        app()
    except SteatosisError as error:
        say.print(str(error), style="red", markup=False)
        sys.exit(FAILED)
