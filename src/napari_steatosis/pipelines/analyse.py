"""The main job: tissue, fat, numbers. One sequence of events for script, shell and window."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core.mask import Mask
from ..core.model import Model
from ..core.prediction import Prediction
from ..core.report import Report
from ..core.slide import Slide
from ..core.stain import StainTransform
from ..quantify import Landmarks
from ..quantify.calibration import Calibration
from ._cells import CellPlan
from ._cluster import model_on
from ._events import Share as Share
from ._events import Stage as Stage
from ._measuring import check_findings, measured
from ._order import Focus
from ._plan import Border, Plan, plan_segmentation
from ._stain import AUTO, Stain, method_of, stain_flags, stain_for
from .estimate import Estimate, estimate
from .hepatocytes import Counting
from .quality import quality_flags
from .segment import Progress, incomplete, open_store, remaining, run

DEFAULT_MODEL = "steatosis-he"
SHARE_EVERY_S = 0.1
MANY_DROPLETS = 100_000
"""From here on the size of the outlines is said before they are written."""


@dataclass(frozen=True, eq=False)
class Began:
    """The tiles are known, the result exists and is about to fill.

    Parameters
    ----------
    plan : Plan or CellPlan
        What is computed.
    prediction : Prediction
        The result, live.
    estimate : Estimate, optional
        How much it is and how long it will take; None for another machine's work.
    """

    plan: Plan | CellPlan
    prediction: Prediction
    estimate: Estimate | None = None


@dataclass(frozen=True, eq=False)
class Ended:
    """The run is over.

    Parameters
    ----------
    report : Report
        Measured on what is stored; its flags list tiles that could not be read.
    plan : Plan or CellPlan
        What was computed.
    """

    report: Report
    plan: Plan | CellPlan


Event = Stage | Share | Began | Progress | Ended


@dataclass(frozen=True, eq=False)
class Request:
    """What to analyse, and how.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    model : str or Model
        Name or folder of a model, or a loaded one.
    region : Mask, optional
        Analyse only tissue inside (`mask_of_polygons`).
    exclude : Mask, optional
        Leave this out of numerator and denominator.
    tissue : Mask or float, optional
        Where the tissue is, edited or `parenchyma`; a sensitivity from 0 to 1 finds it so, and
        None with that of `find_tissue`.
    store : path, optional
        Results store; None keeps the class map in memory.
    overwrite : bool
        Begin anew instead of resuming.
    device, precision : str
        For a model given by name: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``; ``"auto"``,
        ``"fp32"``, ``"bf16"``.
    border : {"reflect", "exclude"}
        At the edge of the slide: mirror it, or leave out the pixels whose context sticks out.
    probabilities : bool
        Store the probabilities beside the class map, 8 bits for each class.
    stain : str or StainTransform
        ``"auto"``: the colours are normalised as those were that the model was trained on,
        which for the shipped models is not at all. ``"none"``: never. A method of
        `fit_stain`, or a fitted transform: so.
    reference : str or path
        What a method maps to: the name of a built-in reference, or a saved one.
    calibration : Calibration, optional
        Adds what the expert would say whom it was fitted to.
    landmarks : Landmarks, optional
        Portal and central regions: fat is measured per zone, too.
    hepatocytes : {"squares", "nuclei"}
        How the share of hepatocytes with fat is estimated; nuclei are looked for on H&E.
    """

    slide: Slide
    model: str | Model = DEFAULT_MODEL
    region: Mask | None = None
    exclude: Mask | None = None
    tissue: Mask | float | None = None
    store: str | Path | Callable[[Plan | CellPlan], Path] | None = None
    overwrite: bool = False
    device: str = "auto"
    precision: str = "auto"
    border: Border = "reflect"
    probabilities: bool = False
    stain: Stain = AUTO
    reference: str | Path = "he"
    calibration: Calibration | None = None
    landmarks: Landmarks | None = None
    hepatocytes: Counting = "squares"


def analyse_steps(
    request: Request,
    *,
    client: Any = None,
    focus: Focus | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Do the main job and say what happens; `analyse` is the same without the events.

    Parameters
    ----------
    request : Request
        What to analyse.
    client, focus, should_stop
        As in `segment.run`.

    Yields
    ------
    Event
        `Stage` and `Share`, then `Began`, a `Progress` per tile, and `Ended`. When stopped,
        the last two are missing and the store can be resumed. Before `Began` a run is stopped
        by closing the generator, which comes back here several times a second.
    """
    from ..quantify._calibrated import with_calibration

    slide = request.slide
    model, within, stain = yield from prepared(request, client)
    check_findings(slide, model.spec, request.landmarks, request.hepatocytes)
    options: dict[str, Any] = {"border": request.border, "probabilities": request.probabilities}
    plan = plan_segmentation(slide, model, within=within, stain=stain, **options)
    store = request.store(plan) if callable(request.store) else request.store
    with open_store(plan, store, overwrite=request.overwrite) as results:
        ahead = None if client is not None else estimate(plan, remaining(plan, results))
        yield Began(plan, results.prediction(), ahead)
        yield from run(plan, results, client=client, focus=focus, should_stop=should_stop)
        prediction = results.prediction()
    if should_stop():
        return
    findings = request.landmarks, request.hepatocytes
    report = yield from measured(prediction, *findings, should_stop=should_stop)
    if report is None:
        return
    flags = (
        *report.flags,
        *quality_flags(slide, within, model.spec),
        *stain_flags(slide, model.spec, stain),
    )
    named = replace(report, title=stem(slide), flags=flags)
    yield Ended(with_calibration(named, request.calibration), plan)


Prepared = tuple[Model, Mask, StainTransform | None]


def prepared(request: Request, client: Any) -> Generator[Stage | Share, None, Prepared]:
    """Load the model, find the tissue of a request, less what it leaves out, and fit the stain.

    The stain is fitted to all tissue of the slide, whatever part of it is analysed.

    Yields
    ------
    Stage, Share

    Returns
    -------
    Model, Mask, StainTransform or None
    """
    from ..imaging.mask_labels import checked_on
    from ..models import load_model

    request.slide.frame()  # a missing pixel size is asked for before anything is computed
    if isinstance(request.tissue, Mask):
        checked_on(request.tissue, request.slide)
    if isinstance(request.model, str):
        yield Stage(f"Loading the model {request.model}")
        model: Model = load_model(request.model, device=request.device, precision=request.precision)
    else:
        model = request.model
    if client is not None:
        yield Stage("Asking the workers")
        model = model_on(client, model)
    if isinstance(request.tissue, Mask):
        within = request.tissue
    else:
        yield Stage("Finding tissue")
        he = model.spec.modality.endswith("he")
        within = yield from tissue_shares(request.slide, he=he, sensitivity=request.tissue)
    asked = method_of(request.slide, model.spec, request.stain)
    if asked is not None:
        yield Stage(f"Fitting the stain: {asked[0]}")
    stain = stain_for(
        request.slide, model.spec, request.stain, tissue=within, reference=request.reference
    )
    if request.region is not None:
        within = within & request.region
    if request.exclude is not None:
        within = within.without(request.exclude)
    return model, within, stain


def tissue_shares(
    slide: Slide, *, he: bool = True, sensitivity: float | None = None
) -> Generator[Share, None, Mask]:
    """Find the tissue of a slide, and say which share of it was looked at; `he` if it is H&E.

    Yields
    ------
    Share

    Returns
    -------
    Mask
    """
    from ..imaging.tissue import TissueRule, tissue_steps

    said = time.monotonic()
    rule = TissueRule(he=he) if sensitivity is None else TissueRule(sensitivity, he=he)
    with closing(tissue_steps(slide, rule)) as steps:
        while True:
            try:
                done = next(steps)
            except StopIteration as end:
                mask: Mask = end.value
                return mask
            if time.monotonic() - said > SHARE_EVERY_S:
                yield Share(done)
                said = time.monotonic()


def analyse(
    slide: Slide,
    out: str | Path | None = None,
    *,
    model: str | Model = DEFAULT_MODEL,
    accept_unreadable: bool = False,
    pdf: bool = False,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: Any,
) -> Report:
    """Find the tissue of a slide, segment its fat, measure it, and write the results.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    out : path, optional
        Folder for ``<slide>.zarr`` (class map), ``.html``, ``.json``, ``.csv`` and
        ``.geojson.gz``; None writes nothing.
    model : str or Model
        Name or folder of a model, or a loaded one.
    accept_unreadable : bool
        Report on the rest where tiles cannot be read, with a flag, instead of raising.
    pdf : bool
        Write the report as ``.pdf``, too; needs the extra ``pdf``.
    on_event : callable
        Called with each `Stage`, `Began`, `Progress` and `Ended`.
    **options
        Further fields of `Request`, and `client`.

    Returns
    -------
    Report

    Raises
    ------
    MissingScaleError, NoTissueError, StoreMismatchError, IncompleteRunError
        As in `segment`.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> report = st.analyse(st.drawn_liver(512, 512, seed=1))
    >>> report["fat_area_fraction"].unit
    '%'
    """
    from ..io._pdf import check_pdf

    if pdf:
        check_pdf()  # before hours of work
    client = options.pop("client", None)
    store = None if out is None else Path(out) / f"{stem(slide)}.zarr"
    request = Request(slide, model, **{"store": store, **options})
    for event in analyse_steps(request, client=client):
        on_event(event)
        if isinstance(event, Ended):
            plan, report = event.plan, event.report
    if report.prediction is not None and report.prediction.failed and not accept_unreadable:
        raise incomplete(plan, report.prediction)
    if out is not None:
        on_event(Stage(writing(report)))
        write_all(report, out, overwrite=True, pdf=pdf)
    return report


def writing(report: Report) -> str:
    """Return what is about to be written, with its size where that is large.

    Examples
    --------
    >>> writing(Report("liver", ()))
    'Writing the report'
    """
    from ..io import geojson_size

    droplets = len(report.tables.get("droplets", {}).get("id", ()))
    if droplets < MANY_DROPLETS:
        return "Writing the report"
    size_mb = geojson_size(report) / 1e6
    return (
        f"Writing the report; the outlines of {droplets} droplets are about {size_mb:.0f} MB of "
        f"GeoJSON before compression"
    )


def write_all(
    report: Report, folder: str | Path, *, overwrite: bool = False, pdf: bool = False
) -> list[Path]:
    """Write a report in every format into a folder, and return the files; PDF if asked for."""
    from ..io.write import write

    written: list[Path] = []
    for suffix in (".html", ".json", ".csv", ".geojson.gz"):
        target = Path(folder) / f"{report.title}{suffix}"
        options = {"pdf": pdf} if suffix == ".html" else {}
        written += write(report, target, overwrite=overwrite, **options)
    return written


def stem(slide: Slide) -> str:
    """Return the name that the results of a slide get: its file name without suffixes."""
    return stem_of(Path(slide.path).name)


def stem_of(name: str) -> str:
    """Return a file name without its suffixes."""
    for suffix in (".ome.zarr", ".ome.tiff", ".ome.tif"):
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return Path(name).stem
