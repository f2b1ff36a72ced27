"""``napari-steatosis normalise``: a slide in the colours of a reference."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ..core.errors import CannotOpenError
from ._say import Blocks, Mpp, Reference, Srgb, Swap, bars, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from ..core.stain import StainTransform
    from ..pipelines.analyse import Share, Stage

Made = TypeVar("Made")


def normalise(
    path: Annotated[Path, typer.Argument(help="The slide: a file, or a folder.")],
    out: Annotated[
        Path | None, typer.Option(help="The slide, normalised: x.ome.zarr or x.ome.tif.")
    ] = None,
    amounts: Annotated[
        Path | None,
        typer.Option(help="How much haematoxylin and eosin is where, two channels: x.ome.zarr."),
    ] = None,
    method: Annotated[str, typer.Option(help="How the stain is fitted.")] = "macenko",
    reference: Reference = "he",
    stains: Annotated[
        str, typer.Option(help="For the method matrix: six numbers, haematoxylin first, or H&E.")
    ] = "H&E",
    save_reference: Annotated[
        Path | None,
        typer.Option(help="Keep the colours of this slide as a reference for others (.json)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the places that are sampled.")] = 0,
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was fitted, as JSON.")] = False,
) -> None:
    """Fit a stain transform to a slide, and write the slide in the colours of a reference.

    Without --out, --amounts and --save-reference nothing is written: it says what was fitted.
    """
    from ..io import open_slide
    from ..io.write import write
    from ..pipelines.normalise import Exemplar, finding_reference, fitting, goal_of
    from ..pipelines.normalise import normalise as normalised
    from ..pipelines.stain_amounts import amounts_of, separation_of

    slide = open_slide(path, um_per_px=mpp, srgb=srgb, swap_red_blue=swap_red_blue)
    files = (save_reference, out, amounts)
    for file in files:
        _refuse_to_replace(file, overwrite)
    with bars() as shown:
        if save_reference is not None:
            colours = Exemplar(slide, name=path.name)
            _followed(finding_reference(colours, seed=seed), shown).save(save_reference)
        if save_reference is None or out is not None or amounts is not None:
            goal = goal_of(reference)
            steps = fitting(slide, method=method, reference=goal, stains=stains, seed=seed)
            transform = _followed(steps, shown)
            _print(transform, as_json)
        if out is not None:
            made = normalised(slide, transform)
            write(made, out, overwrite=overwrite, on_block=Blocks(shown, out.name))
        if amounts is not None:
            apart = amounts_of(slide, separation_of(transform))
            write(apart, amounts, overwrite=overwrite, on_block=Blocks(shown, amounts.name))
    for file in files:
        if file is not None and not as_json:
            typer.echo(file)


def _followed(steps: Generator[Stage | Share, None, Made], shown: Bars) -> Made:
    """Print what is being done, and return what it gives."""
    from ..pipelines.analyse import Stage

    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            made: Made = end.value
            return made
        if isinstance(event, Stage):
            shown.print(event.text, style="dim", markup=False)


def _refuse_to_replace(file: Path | None, overwrite: bool) -> None:
    """Raise before a long fit where its result could not be written."""
    if file is not None and file.exists() and not overwrite:
        raise CannotOpenError(
            f"{file} is there already. Choose another name, or allow it to be replaced "
            f"(--overwrite)."
        )


def _print(transform: StainTransform, as_json: bool) -> None:
    values: dict[str, Any] = transform.to_json()
    if as_json:
        typer.echo(json.dumps({**values, "findings": list(transform.findings)}))
        return
    for finding in transform.findings:
        say.print(f"! {finding}", style="yellow", markup=False)
    for name, value in values.items():
        if not isinstance(value, dict):
            typer.echo(f"  {name:<16} {value}")
