"""Classify a slide window by window into a results store: a class map and probabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import BadValueError
from ..core.mask import Mask
from ..core.model import Model
from ..core.prediction import Prediction
from ..core.report import Report
from ..core.slide import Slide
from ._cells import LEAST_SHARE, CellPlan, plan_classification
from ._cluster import model_on
from ._order import Focus
from ._run_cells import open_cells, run_cells
from ._stain import AS_IT_IS, Stain, stain_flags, stain_for
from .analyse import Began, Ended, Event, Request, Stage, prepared, stem
from .quality import quality_flags
from .segment import incomplete


def classify(
    slide: Slide,
    model: Model,
    *,
    within: Mask | None = None,
    store: str | Path | None = None,
    stain: Stain = AS_IT_IS,
    **options: Any,
) -> Prediction:
    """Classify a slide with a classifier that looks through a window, into a results store.

    The window moves over the slide in steps. Each square of one step is a *cell*, one pixel
    of the result; its probabilities are the mean of those of all windows that cover it,
    weighted with a Gaussian that falls off from the middle of the window. A run that was
    stopped, by whatever, is taken up where it ended when the same call is made again; a
    finished one is returned at once.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    model : Model
        A classifier (`load_model`).
    within : Mask, optional
        Where to analyse, usually `find_tissue(slide)`. None analyses every cell.
    store : path, optional
        Folder of the results store; None keeps the result in memory.
    stain : StainTransform or str
        A transform that was fitted to this slide, or the method by which one is fitted now.
        ``"none"``: the colours of the slide as they are; ``"auto"``: those that the model
        was trained with.
    **options
        `step_px` (int): px of the model's resolution, a divisor of its tile; the default is
        the tile itself, windows side by side. `least_share` (float, 0.5): share of a cell that
        must lie in `within`. `batch` (int): windows given to the model at once. `overwrite`
        (bool), `on_progress` (called with a `Progress` after each block of cells), `client`,
        `focus` and `should_stop` as in `run_cells`.

    Returns
    -------
    Prediction
        `levels` is the class map, `probabilities` are (class, y, x) uint8, both with one pixel
        per cell. With two classes the second needs `ModelSpec.threshold`, with more the
        largest probability wins.

    Raises
    ------
    MissingScaleError, NoTissueError, BadValueError
        Where the slide has no pixel size, nothing is left to analyse, or the model does not
        classify.
    StoreMismatchError, StoreBusyError
        Where the store belongs to another run, or to another process at work.
    IncompleteRunError
        Where blocks could not be read. Everything else is stored; the message names them.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> from napari_steatosis.core.model import ModelSpec
    >>> from napari_steatosis.models import build
    >>> from napari_steatosis.models._torch import TorchModel
    >>> spec = ModelSpec("untrained", "timm", "classification", ("calm", "busy"), 0.5, 128, 0)
    >>> model = TorchModel(build("timm", name="resnet18"), spec, device="cpu")
    >>> found = classify(st.drawn_liver(512, 384, seed=1), model, step_px=64)
    >>> found.shape, found.frame.um_per_px, found.probabilities[0].shape
    ((8, 6), (32.0, 32.0), (2, 8, 6))
    """
    overwrite, on_progress = options.pop("overwrite", False), options.pop("on_progress", None)
    given = {key: options.pop(key) for key in ("step_px", "least_share") if key in options}
    batch = options.pop("batch", None)
    if options.get("client") is not None:
        model = model_on(options["client"], model)
    fitted = stain_for(slide, model.spec, stain)
    plan = plan_classification(slide, model, within=within, stain=fitted, **given)
    plan = with_batch(plan, batch)
    with open_cells(plan, store, overwrite=overwrite) as results:
        for progress in run_cells(plan, results, **options):
            if on_progress is not None:
                on_progress(progress)
        prediction = results.prediction()
    if prediction.failed:
        raise incomplete(plan, prediction)
    return prediction


def with_batch(plan: CellPlan, batch: int | None) -> CellPlan:
    """Return a plan that gives the model so many windows at once; None is the default."""
    if batch is not None and batch < 1:
        raise BadValueError(f"A batch holds at least 1 window, got {batch}.")
    return replace(plan, batch=batch)


@dataclass(frozen=True)
class Stepping:
    """How the window of a classifier moves over a slide.

    Parameters
    ----------
    step_px : int, optional
        Distance of two windows, px of the model's resolution; None is the side of a window.
    least_share : float
        Share of a cell that must be tissue.
    batch : int, optional
        Windows given to the model at once; None takes what is fastest on its device.
    """

    step_px: int | None = None
    least_share: float = LEAST_SHARE
    batch: int | None = None


SIDE_BY_SIDE = Stepping()
"""Windows that do not overlap."""


def classification_steps(
    request: Request,
    stepping: Stepping = SIDE_BY_SIDE,
    *,
    client: Any = None,
    focus: Focus | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Find the tissue of a slide, classify it, count its cells, and say what happens.

    Parameters
    ----------
    request : Request
        What to classify, and with which model.
    stepping : Stepping
        How.
    client, focus, should_stop
        As in `run_cells`.

    Yields
    ------
    Event
        `Stage`, then `Began`, a `Progress` per block of cells, and `Ended`. When stopped, the
        last two are missing and the store can be resumed.
    """
    from ..quantify import measure_classes

    slide = request.slide
    model, within, stain = yield from prepared(request, client)
    how: dict[str, Any] = {"step_px": stepping.step_px, "least_share": stepping.least_share}
    plan = plan_classification(slide, model, within=within, stain=stain, **how)
    plan = with_batch(plan, stepping.batch)
    cells = np.count_nonzero(plan.analysed)
    yield Stage(f"Classifying {cells} cells with {plan.count} windows")
    store = request.store(plan) if callable(request.store) else request.store
    with open_cells(plan, store, overwrite=request.overwrite) as results:
        yield Began(plan, results.prediction())
        yield from run_cells(plan, results, client=client, focus=focus, should_stop=should_stop)
        prediction = results.prediction()
    if should_stop():
        return
    yield Stage("Counting cells")
    report = measure_classes(prediction)
    flags = (
        *report.flags,
        *quality_flags(slide, within, model.spec),
        *stain_flags(slide, model.spec, stain),
    )
    yield Ended(replace(report, title=title_of(slide), flags=flags), plan)


def classify_slide(
    slide: Slide,
    out: str | Path,
    *,
    model: str | Model,
    stepping: Stepping = SIDE_BY_SIDE,
    on_event: Callable[[Event], None] = lambda event: None,
    **options: Any,
) -> Report:
    """Find the tissue of a slide, classify it, and write the results.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    out : path
        Folder for ``<slide>.zarr`` (class map and probabilities), ``<slide>_classes.csv`` and
        ``<slide>_classes.json``.
    model : str or Model
        Name or folder of a classifier, or a loaded one.
    stepping : Stepping
        How its window moves.
    on_event : callable
        Called with each `Stage`, `Began`, `Progress` and `Ended`.
    **options
        Further fields of `Request`, `client`, and `accept_unreadable` (bool): report on the
        rest where blocks cannot be read, with a flag, instead of raising.

    Raises
    ------
    MissingScaleError, NoTissueError, BadValueError, StoreMismatchError, IncompleteRunError
        As in `classify`.
    """
    client, accept = options.pop("client", None), options.pop("accept_unreadable", False)
    request = Request(slide, model, **{"store": Path(out) / f"{stem(slide)}.zarr", **options})
    for event in classification_steps(request, stepping, client=client):
        on_event(event)
        if isinstance(event, Ended):
            plan, report = event.plan, event.report
    if report.prediction is not None and report.prediction.failed and not accept:
        raise incomplete(plan, report.prediction)
    on_event(Stage("Writing the tables"))
    write_tables(report, out)
    return report


def write_tables(report: Report, folder: str | Path) -> list[Path]:
    """Write the numbers of a classified slide as CSV and JSON, and return the files."""
    from ..io.write import write

    targets = (Path(folder) / f"{report.title}{suffix}" for suffix in (".csv", ".json"))
    return [file for target in targets for file in write(report, target, overwrite=True)]


def title_of(slide: Slide) -> str:
    """Return the name of the tables of a slide, beside those of `analyse`."""
    return f"{stem(slide)}_classes"
