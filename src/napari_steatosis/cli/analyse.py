"""``napari-steatosis analyse``: slides in, fat and reports out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import SteatosisError
from ..core.report import RESEARCH_USE
from ._cluster import Scheduler, absolute_model, cluster
from ._say import FAILED, Device, Model, Mpp, Precision, Shown, Srgb, Swap, bars, say

if TYPE_CHECKING:
    from ..core.report import Report


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
Patients = Annotated[
    Path | None,
    typer.Option(help="CSV with the columns slide and patient, for the tables of all slides."),
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


def analyse(
    slides: Slides,
    out: Out,
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    regions: Regions = None,
    region_class: RegionClass = None,
    exclude: Exclude = None,
    patients: Patients = None,
    model: Model = "steatosis-he",
    device: Device = "auto",
    precision: Precision = "auto",
    resume: Resume = True,
    accept_unreadable: AcceptUnreadable = False,
    workers: Workers = 0,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Segment the fat of slides and measure it.

    For each slide this writes a class map (OME-Zarr), a report (HTML, JSON), a droplet
    table (CSV) and outlines (GeoJSON for QuPath); for several slides also one table of all
    (slides.csv), and of their patients. The exit code is 1 if a slide failed.
    """
    from ..pipelines.slides import read_patients, write_slides

    options = {
        "model": model,
        "device": device,
        "precision": precision,
        "overwrite": not resume,
        "accept_unreadable": accept_unreadable,
    }
    areas = {"region": (regions, region_class or ()), "exclude": (exclude, ())}
    asked = {"um_per_px": mpp, "srgb": srgb, "swap_red_blue": swap_red_blue}
    whose = {} if patients is None else read_patients(patients)
    done: list[Report] = []
    if scheduler is not None:  # a worker has another working directory
        slides, options["model"] = [path.absolute() for path in slides], absolute_model(model)
    with cluster(workers, scheduler) as client:
        for path in slides:
            try:
                report = _analyse_one(path, out, asked, {**options, "client": client}, areas)
            except (SteatosisError, OSError) as error:
                _print_failure(path, _text_of(error, out), as_json)
            else:
                done.append(replace(report, tables={}, prediction=None, outlines=None))
                _print_report(path, report, as_json)
    if done and (whose or len(slides) > 1):
        for file in write_slides(done, out, whose):
            say.print(f"All slides: {file}", markup=False)
    if len(done) < len(slides):
        say.print(f"{len(slides) - len(done)} of {len(slides)} slides failed.", style="red")
        raise typer.Exit(FAILED)


def _print_failure(path: Path, text: str, as_json: bool) -> None:
    say.print(f"{path}: failed. {text}", style="red", markup=False)
    if as_json:
        typer.echo(json.dumps({"slide": str(path), "error": text}))


def _text_of(error: Exception, out: Path) -> str:
    if isinstance(error, SteatosisError):
        return str(error)
    return (
        f"The results cannot be written to {out} ({error}). Make room there or choose another "
        f"folder with --out; the same command goes on with what is stored."
    )


def _analyse_one(
    path: Path,
    out: Path,
    asked: dict[str, Any],
    options: dict[str, Any],
    areas: Mapping[str, tuple[Path | None, Sequence[str]]],
) -> Report:
    from ..io import open_slide
    from ..pipelines.analyse import analyse as run_analysis
    from ..pipelines.regions import read_regions

    slide = open_slide(path, **asked)
    for name, (place, classes) in areas.items():
        if place is not None:
            options[name] = read_regions(place, slide, classes=classes)
    with bars() as shown:
        shown.print(f"{path}: {slide.shape[0]} x {slide.shape[1]} px", markup=False)
        report: Report = run_analysis(slide, out, on_event=Shown(shown), **options)
    return report


def _print_report(path: Path, report: Report, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"slide": str(path), **report.to_json()}))
        return
    typer.echo(str(path))
    for measurement in report.measurements:
        typer.echo(f"  {measurement.name:<28} {measurement}")
    for flag in report.flags:
        typer.echo(f"  ! {flag}")
    typer.echo(f"  {RESEARCH_USE}")
