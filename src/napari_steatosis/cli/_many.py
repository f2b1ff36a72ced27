"""What every command that takes many slides has in common: areas, failures, exit code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ..core.errors import SteatosisError, StoreWriteError
from ..core.report import RESEARCH_USE, Report
from ._say import FAILED, say

if TYPE_CHECKING:
    from ..core.slide import Slide

Result = TypeVar("Result")

Slides = Annotated[list[Path], typer.Argument(help="Slides: files, or OME-Zarr folders.")]
Out = Annotated[Path, typer.Option(help="Folder for the results.")]
Regions = Annotated[
    Path | None,
    typer.Option(help="Only inside these areas: GeoJSON, or a folder of <slide>.geojson."),
]
RegionClass = Annotated[
    list[str] | None, typer.Option(help="Only areas of this class; may be repeated.")
]
Exclude = Annotated[
    Path | None, typer.Option(help="Leave these areas out: GeoJSON, or a folder as above.")
]
Tissue = Annotated[
    Path | None,
    typer.Option(
        help="Tissue mask instead of finding it: what `tissue` wrote (OME-Zarr, PNG, GeoJSON), "
        "edited or not; or a folder with one per slide."
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume/--overwrite", help="Take up a stopped run, or begin anew.")
]
AcceptUnreadable = Annotated[
    bool, typer.Option(help="Report on the rest where parts of a slide cannot be read.")
]
Workers = Annotated[
    int, typer.Option(help="Processes of a local dask cluster; 0 computes in this one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object per slide.")]

Areas = Mapping[str, tuple[Path | None, Sequence[str]]]
"""Field of a request to a place with areas, if any, and the classes to take from it."""


def each_slide(
    slides: Sequence[Path], work: Callable[[Path], Result], *, out: Path, as_json: bool
) -> tuple[list[Result], dict[Path, str]]:
    """Do the work for every slide; return what it gave, and why slides failed, which is told."""
    done: list[Result] = []
    failed: dict[Path, str] = {}
    for path in slides:
        try:
            done.append(work(path))
        except (SteatosisError, OSError) as error:
            failed[path] = text = _text_of(error, out)
            say.print(f"{path}: failed. {text}", style="red", markup=False)
            if as_json:
                typer.echo(json.dumps({"slide": str(path), "error": text}))
    return done, failed


def end(done: int, asked: int) -> None:
    """End with exit code 1 where a slide failed."""
    if done < asked:
        say.print(f"{asked - done} of {asked} slides failed.", style="red")
        raise typer.Exit(FAILED)


def masks_of(slide: Slide, areas: Areas) -> dict[str, Any]:
    """Return the areas of a slide as masks or landmarks, by the field that they are for."""
    from ..pipelines.landmarks import read_landmarks
    from ..pipelines.regions import read_regions
    from ..pipelines.tissue import read_tissue

    own: dict[str, Any] = {"tissue": read_tissue, "landmarks": read_landmarks}
    return {
        name: own[name](place, slide)
        if name in own
        else read_regions(place, slide, classes=classes)
        for name, (place, classes) in areas.items()
        if place is not None
    }


def print_report(path: Path, report: Report, as_json: bool) -> None:
    """Print the numbers of a slide, what must be known before using them, and the notice."""
    if as_json:
        from ..io.write_table import plain

        typer.echo(json.dumps(plain({"slide": str(path), **report.to_json()})))
        return
    typer.echo(str(path))
    for measurement in report.measurements:
        typer.echo(f"  {measurement.name:<28} {measurement}")
    for flag in report.flags:
        typer.echo(f"  ! {flag}")
    typer.echo(f"  {RESEARCH_USE}")


def _text_of(error: Exception, out: Path) -> str:
    if isinstance(error, StoreWriteError):
        return f"{error} (--out names the folder.)"
    if isinstance(error, SteatosisError):
        return str(error)
    return (
        f"The results cannot be written to {out} ({error}). Make room there or choose another "
        f"folder with --out; the same command goes on with what is stored."
    )
