"""``napari-steatosis quality``: whether slides are fit to be measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import SteatosisError
from ._many import Slides, end
from ._say import Mpp, Srgb, Swap, say

if TYPE_CHECKING:
    from ..core.quality import SlideQuality

COLOURS = {"good": "green", "flagged": "red", "not judged": "dim"}


def quality(
    slides: Slides,
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    seed: Annotated[int, typer.Option(help="Decides which places are sampled.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per slide.")] = False,
) -> None:
    """Judge focus, folds, ink, light, stain and amount of tissue of slides, from a sample.

    The exit code is 1 if a slide could not be opened, whatever was found on the others.
    """
    from ..imaging.quality import quality as judge
    from ..io import open_slide

    done = 0
    for path in slides:
        try:
            slide = open_slide(path, um_per_px=mpp, srgb=srgb, swap_red_blue=swap_red_blue)
        except SteatosisError as error:
            say.print(f"{path}: failed. {error}", style="red", markup=False)
            if as_json:
                typer.echo(json.dumps({"slide": str(path), "error": str(error)}))
            continue
        found = judge(slide, seed=seed)
        done += 1
        if as_json:
            typer.echo(json.dumps(found.to_json()))
        else:
            _show(path, found)
    end(done, len(slides))


def _show(path: Path, found: SlideQuality) -> None:
    """Print the aspects of a slide as a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(str(path)), title_justify="left")
    for column in ("aspect", "figure", "verdict", "what it says"):
        table.add_column(column, justify="right" if column == "figure" else "left")
    for one in found.aspects:
        figure = "" if one.value is None else f"{one.value:.3g} {one.unit}"
        verdict = Text(one.verdict, style=COLOURS[one.verdict])
        table.add_row(Text(one.name), Text(figure), verdict, Text(one.text))
    Console(highlight=False).print(table)
