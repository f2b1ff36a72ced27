"""``info``, ``export`` and ``snapshot``: what a slide is, and the slide in another format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ._say import FAILED, Blocks, Mpp, Srgb, Swap, bars, say

Path_ = Annotated[Path, typer.Argument(help="A file, or a folder (OME-Zarr, DICOM, tiles).")]


def info(
    path: Path_,
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    remember: Annotated[
        bool, typer.Option("--remember", help="Keep the --mpp beside the slide for every opening.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say which reader opens a slide and what it holds, or why each reader refuses it.

    The exit code is 1 where no reader opens it.
    """
    from ..core.errors import BadValueError
    from ..io import remember_scale
    from ..pipelines.opening import explain_open

    if remember and mpp is None:
        raise BadValueError("--remember keeps the pixel size that --mpp gives; add --mpp.")
    found = explain_open(path, um_per_px=mpp, srgb=srgb, swap_red_blue=swap_red_blue)
    typer.echo(json.dumps(found.to_json()) if as_json else str(found))
    if found.slide is None:
        raise typer.Exit(FAILED)
    if remember and mpp is not None:
        say.print(f"Kept in {remember_scale(found.slide, mpp)}", markup=False)


def export(
    path: Path_,
    out: Annotated[Path, typer.Argument(help="What to write: slide.ome.zarr or slide.ome.tif.")],
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    version: Annotated[
        str | None, typer.Option(help="OME-Zarr: 0.4 (default, read by most) or 0.5.")
    ] = None,
    compression: Annotated[
        str | None, typer.Option(help="OME-TIFF: deflate (default), zstd, lzw, jpeg, none ...")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a slide as an OME-Zarr or OME-TIFF pyramid, whatever its size."""
    from ..io import open_slide
    from ..io.write import write

    slide = open_slide(path, um_per_px=mpp, srgb=srgb, swap_red_blue=swap_red_blue)
    options: dict[str, Any] = {"version": version, "compression": compression}
    given = {name: value for name, value in options.items() if value is not None}
    with bars() as shown:
        blocks = Blocks(shown, out.name)
        made = write(slide, out, overwrite=overwrite, on_block=blocks, **given)
    for file in made:
        typer.echo(file)


def snapshot(
    path: Path_,
    out: Annotated[Path, typer.Argument(help="What to write: view.png or view.svg.")],
    results: Annotated[
        Path | None, typer.Option(help="Results store or OME-Zarr whose labels lie over it.")
    ] = None,
    box: Annotated[
        tuple[int, int, int, int] | None,
        typer.Option(help="Top, left, height and width in level 0 px; the whole slide if none."),
    ] = None,
    width: Annotated[int, typer.Option(help="Of the picture, px.")] = 1200,
    title: Annotated[str, typer.Option(help="A line above the picture.")] = "",
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a view of a slide with its labels, a scale bar and a legend."""
    from ..core.geometry import Region
    from ..core.snapshot import Snapshot
    from ..io import open_labels, open_slide
    from ..io.write import write

    slide = open_slide(path, um_per_px=mpp, srgb=srgb, swap_red_blue=swap_red_blue)
    top, left, high, wide = (0, 0, *slide.shape) if box is None else box
    view = Snapshot(
        slide,
        Region(y=top, x=left, height=high, width=wide),
        () if results is None else open_labels(results),
        width_px=width,
        title=title,
    )
    for file in write(view, out, overwrite=overwrite):
        typer.echo(file)
