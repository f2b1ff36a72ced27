"""``napari-steatosis quality``: whether slides are fit to be measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import BadValueError, SteatosisError
from ._many import Slides, end
from ._say import Mpp, Srgb, Swap, bars, say

if TYPE_CHECKING:
    from ..core.heat_map import HeatMap
    from ..core.quality import SlideQuality
    from ..core.slide import Slide

COLOURS = {"good": "green", "flagged": "red", "not judged": "dim"}

FocusMap = Annotated[
    Path | None,
    typer.Option(
        help="Also look at all of the tissue, and write where it is out of focus: map.png (over "
        "the slide) or map.tif (values). For one slide."
    ),
]


def quality(
    slides: Slides,
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    seed: Annotated[int, typer.Option(help="Decides which places are sampled.")] = 0,
    focus_map: FocusMap = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the map.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per slide.")] = False,
) -> None:
    """Judge focus, folds, bubbles, ink, light, stain and amount of tissue, from a sample.

    The exit code is 1 if a slide could not be opened, whatever was found on the others.
    """
    from ..imaging.quality import quality as judge
    from ..io import open_slide
    from ..io._heat_map_files import write_heat_map

    if focus_map is not None and len(slides) != 1:
        raise BadValueError(
            f"--focus-map is for one slide, and {len(slides)} were given. Call it for each of them."
        )
    done = 0
    for path in slides:
        try:
            slide = open_slide(path, um_per_px=mpp, srgb=srgb, swap_red_blue=swap_red_blue)
            heat = None if focus_map is None else _focus(slide)
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
        if heat is not None and focus_map is not None:
            if reason := heat.provenance.get("reason"):
                said = f"{path}: the focus could be judged nowhere: {reason}."
                say.print(said, style="red", markup=False)
            say.print(write_heat_map(heat, focus_map, slide, overwrite=overwrite), markup=False)
    end(done, len(slides))


def _focus(slide: Slide) -> HeatMap:
    from ..imaging.focus_map import focus_steps

    steps = focus_steps(slide)
    with bars() as shown:
        task = shown.add_task("Looking at the focus", total=100)
        while True:
            try:
                shown.update(task, completed=round(100 * next(steps)))
            except StopIteration as end:
                heat: HeatMap = end.value
                return heat


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
