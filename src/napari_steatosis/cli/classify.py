"""``napari-steatosis classify``: slides in, class maps, probabilities and tables out."""

from __future__ import annotations

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
from ._say import Device, Mpp, Precision, Reference, Shown, Srgb, Stain, Swap, bars

if TYPE_CHECKING:
    from ..core.report import Report

Classifier = Annotated[str, typer.Option(help="Folder or file of a classifier.")]
Step = Annotated[
    int | None,
    typer.Option(help="Distance of two windows, px of the model; the default is their side."),
]
LeastShare = Annotated[
    float, typer.Option(help="Share of a cell that must be tissue, more than 0, at most 1.")
]
Batch = Annotated[
    int | None, typer.Option(help="Windows given to the model at once; chosen if left out.")
]


def classify(
    slides: Slides,
    out: Out,
    model: Classifier,
    step: Step = None,
    least_share: LeastShare = 0.5,
    batch: Batch = None,
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    regions: Regions = None,
    region_class: RegionClass = None,
    exclude: Exclude = None,
    tissue: Tissue = None,
    device: Device = "auto",
    precision: Precision = "auto",
    stain: Stain = "auto",
    reference: Reference = "he",
    resume: Resume = True,
    accept_unreadable: AcceptUnreadable = False,
    workers: Workers = 0,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Classify slides with a classifier that looks through a window.

    For each slide this writes a class map and the probability of every class (OME-Zarr), and
    the cells, area and mean probability of every class (CSV, JSON with provenance). The exit
    code is 1 if a slide failed.
    """
    from ..pipelines.classify import Stepping

    options: dict[str, Any] = {
        "model": model,
        "device": device,
        "precision": precision,
        "stain": stain,
        "reference": reference,
        "overwrite": not resume,
        "accept_unreadable": accept_unreadable,
        "stepping": Stepping(step, least_share, batch),
    }
    areas = {
        "region": (regions, region_class or ()),
        "exclude": (exclude, ()),
        "tissue": (tissue, ()),
    }
    asked = {"um_per_px": mpp, "srgb": srgb, "swap_red_blue": swap_red_blue}
    if scheduler is not None:  # a worker has another working directory
        slides, options["model"] = [path.absolute() for path in slides], absolute_model(model)
    with cluster(workers, scheduler) as client:

        def work(path: Path) -> None:
            report = _classify_one(path, out, asked, areas, {**options, "client": client})
            print_report(path, report, as_json)

        done, _ = each_slide(slides, work, out=out, as_json=as_json)
    end(len(done), len(slides))


def _classify_one(
    path: Path, out: Path, asked: dict[str, Any], areas: Areas, options: dict[str, Any]
) -> Report:
    from ..io import open_slide
    from ..pipelines.classify import classify_slide

    slide = open_slide(path, **asked)
    masks = masks_of(slide, areas)
    with bars() as shown:
        shown.print(f"{path}: {slide.shape[0]} x {slide.shape[1]} px", markup=False)
        return classify_slide(slide, out, on_event=Shown(shown), **options, **masks)
