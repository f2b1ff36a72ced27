"""``napari-steatosis explain``: where in a slide a model finds what speaks for a class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from ..core.errors import BadValueError
from ._say import Device, Model, Mpp, Srgb, Stain, Swap, bars, say

if TYPE_CHECKING:
    from ..core.geometry import Region
    from ..core.heat_map import HeatMap
    from ..core.plane import Plane

Slide_ = Annotated[Path, typer.Argument(help="A file, or a folder (OME-Zarr, DICOM, tiles).")]
Out = Annotated[Path, typer.Option(help="map.png (over the slide) or map.tif (the values).")]
Part = Annotated[
    str | None, typer.Option("--region", help="y,x,height,width in um; all of it if left out.")
]
Target = Annotated[str | None, typer.Option("--class", help="A class; the last if left out.")]
Method = Annotated[str, typer.Option(help="grad-cam, grad-cam++, or attention.")]


def explain(
    slide: Slide_,
    out: Out,
    model: Model = "steatosis-he",
    region: Part = None,
    target: Target = None,
    method: Method = "grad-cam",
    stain: Stain = "auto",
    device: Device = "auto",
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    check: Annotated[
        bool, typer.Option("--check", help="Test the map: random weights, deletion, insertion.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Draw what a model looked at. The map shows where, not how much: it is no measurement."""
    from ..io import open_slide
    from ..io._heat_map_files import write_heat_map
    from ..models import load_model
    from ..models.explain import ways_of
    from ..pipelines._stain import stain_for

    opened = open_slide(slide, um_per_px=mpp, srgb=srgb, swap_red_blue=swap_red_blue)
    loaded: Any = load_model(model, device=device)
    offered = ways_of(loaded)
    if method not in offered:
        raise BadValueError(
            f"The model {loaded.spec.name!r} ({loaded.spec.architecture}) offers "
            f"{', '.join(offered)}, not {method!r}."
        )
    part = None if region is None else _region(region, opened.at(loaded.spec.um_per_px))
    applied = stain_for(opened, loaded.spec, stain)
    heat = _explained(opened, loaded, region=part, target=target, method=method, stain=applied)
    say.print(write_heat_map(heat, out, opened, overwrite=overwrite), markup=False)
    largest = float(np.nanmax(heat.values))
    typer.echo(
        f"{heat.name}  {heat.values.shape[0]} x {heat.values.shape[1]} px  0 to {largest:.3g}"
    )
    if check:
        from ..io._map_check_files import write_map_check
        from ..pipelines.explain_check import check_explanation

        found = check_explanation(opened, loaded, heat, stain=applied)
        for sentence in found.sentences():
            typer.echo(sentence)
        for file in write_map_check(found, out, overwrite=overwrite):
            say.print(str(file), markup=False)


def _region(text: str, plane: Plane) -> Region:
    """Return ``y,x,height,width`` in um of the tissue as pixels of a plane."""
    from ..core.geometry import Region

    try:
        y, x, height, width = (float(part) for part in text.split(","))
        sides = np.array([height, width])
        if not (np.isfinite([y, x]).all() and np.isfinite(sides).all() and (sides > 0).all()):
            raise ValueError
    except ValueError:
        raise BadValueError(
            f"--region is {text!r}; give y,x,height,width in um, such as 1000,2500,400,400."
        ) from None
    start = np.rint(plane.frame.to_px((y, x))).astype(int)
    size = np.maximum(np.rint(sides / plane.frame.um_per_px), 1).astype(int)
    return Region(y=int(start[0]), x=int(start[1]), height=int(size[0]), width=int(size[1]))


def _explained(slide: Any, model: Any, **how: Any) -> HeatMap:
    from ..pipelines.explain import explain_steps

    steps = explain_steps(slide, model, **how)
    with bars() as shown:
        task = shown.add_task("Explaining", total=100)
        while True:
            try:
                shown.update(task, completed=round(100 * next(steps)))
            except StopIteration as end:
                heat: HeatMap = end.value
                return heat
