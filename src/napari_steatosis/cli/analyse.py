"""``napari-steatosis analyse``: slides in, fat and reports out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._cluster import Scheduler, absolute_model, cluster
from ._many import (
    AcceptUnreadable,
    Areas,
    AsJson,
    Exclude,
    Out,
    RegionClass,
    Regions,
    Resume,
    Slides,
    Tissue,
    Workers,
    each_slide,
    end,
    masks_of,
    print_report,
)
from ._say import (
    Calibrated,
    Device,
    Hepatocytes,
    Model,
    Mpp,
    Pdf,
    Precision,
    Reference,
    Shown,
    Srgb,
    Stain,
    Swap,
    bars,
    command_again,
    opened,
    say,
)

if TYPE_CHECKING:
    from ..core.report import Report

Patients = Annotated[
    Path | None,
    typer.Option(
        help="CSV with the columns slide and patient, and as wanted visit, group, expert: tables "
        "and a page of the study. A manifest of `cohort` will do."
    ),
]

Zones = Annotated[
    Path | None,
    typer.Option(
        help="Fat per zone of the lobule, from areas or points of the classes portal and central: "
        "GeoJSON, or a folder of <slide>.geojson."
    ),
]
Border = Annotated[
    str,
    typer.Option(help="At the edge of a slide: reflect it, or exclude what lacks context."),
]
Probabilities = Annotated[
    bool, typer.Option("--probabilities", help="Store the probabilities, too (8 bits a class).")
]


def analyse(
    slides: Slides,
    out: Out,
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    regions: Regions = None,
    region_class: RegionClass = None,
    exclude: Exclude = None,
    tissue: Tissue = None,
    patients: Patients = None,
    calibration: Calibrated = None,
    zones: Zones = None,
    hepatocytes: Hepatocytes = "squares",
    pdf: Pdf = False,
    model: Model = "steatosis-he",
    device: Device = "auto",
    precision: Precision = "auto",
    stain: Stain = "auto",
    reference: Reference = "he",
    resume: Resume = True,
    accept_unreadable: AcceptUnreadable = False,
    border: Border = "reflect",
    probabilities: Probabilities = False,
    workers: Workers = 0,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Segment the fat of slides and measure it.

    For each slide this writes a class map (OME-Zarr), a report (HTML, JSON), a droplet
    table (CSV) and outlines (GeoJSON for QuPath); for several slides also one table of all
    (slides.csv), tables of their patients, and a page of the study (cohort.html). The exit
    code is 1 if a slide failed.
    """
    from ..io._pdf import check_pdf
    from ..pipelines.slides import read_facts

    if pdf:
        check_pdf()
    fitted = opened(calibration)
    how = {"model": model, "device": device, "precision": precision, "border": border}
    colours = {"stain": stain, "reference": reference}
    kept = {"overwrite": not resume, "accept_unreadable": accept_unreadable, "pdf": pdf}
    more = {"probabilities": probabilities, "calibration": fitted, "hepatocytes": hepatocytes}
    options: dict[str, Any] = {**how, **colours, **kept, **more}
    drawn = {"exclude": exclude, "tissue": tissue, "landmarks": zones}
    areas: Areas = {
        "region": (regions, region_class or ()),
        **{k: (p, ()) for k, p in drawn.items()},
    }
    asked = {"um_per_px": mpp, "srgb": srgb, "swap_red_blue": swap_red_blue}
    facts = {} if patients is None else read_facts(patients)
    if scheduler is not None:  # a worker has another working directory
        slides, options["model"] = [path.absolute() for path in slides], absolute_model(model)
    with cluster(workers, scheduler) as client:

        def work(path: Path) -> Report:
            report = _analyse_one(path, out, asked, {**options, "client": client}, areas)
            print_report(path, report, as_json)
            return replace(report, tables={}, prediction=None, outlines=None, maps={})

        done, failed = each_slide(slides, work, out=out, as_json=as_json)
    if done and (facts or len(slides) > 1):
        _write_together(done, out, pdf=pdf, facts=facts, failed=failed, calibration=fitted)
    end(len(done), len(slides))


def _write_together(
    done: list[Report], out: Path, *, pdf: bool, failed: dict[Path, str], **known: Any
) -> None:
    from ..pipelines.analyse import stem_of
    from ..pipelines.slides import write_slides
    from ..pipelines.study import study_of

    errors = {stem_of(path.name): text for path, text in failed.items()}
    study = study_of(done, known.pop("facts"), failed=errors, **known)
    again = command_again(less=("--overwrite",))
    for file in write_slides(replace(study, retry=again), out, pdf=pdf):
        say.print(f"All slides: {file}", markup=False)


def _analyse_one(
    path: Path, out: Path, asked: dict[str, Any], options: dict[str, Any], areas: Areas
) -> Report:
    from ..io import open_slide
    from ..pipelines.analyse import analyse as run_analysis

    slide = open_slide(path, **asked)
    masks = masks_of(slide, areas)
    with bars() as shown:
        shown.print(f"{path}: {slide.shape[0]} x {slide.shape[1]} px", markup=False)
        report: Report = run_analysis(slide, out, on_event=Shown(shown), **options, **masks)
    return report
