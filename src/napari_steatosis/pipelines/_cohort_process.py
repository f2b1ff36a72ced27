"""A process that analyses slides of a cohort, one after the other, and says how far it is."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, cast

from ..core.errors import SteatosisError
from ..core.mask import Mask
from ..core.model import Model
from ..core.report import Report
from ..io import open_slide
from ..models import load_model
from ..models._threads import use_threads
from ..quantify.calibration import Calibration
from ._manifest import Row
from ._stain import AUTO
from .analyse import Ended, Request, Stage, analyse_steps, write_all, writing
from .hepatocytes import Counting
from .landmarks import read_landmarks
from .regions import read_regions
from .segment import Progress, incomplete
from .tissue import read_tissue

SAY_S = 0.2
"""Shortest time between two messages about the tiles of a slide."""

State = Literal["running", "done", "kept", "failed", "stopped"]


@dataclass(frozen=True)
class Settings:
    """What holds for all slides of a cohort.

    Parameters
    ----------
    out : Path
        Folder for the results.
    device, precision : str
        As for `load_model`.
    overwrite : bool
        Begin anew instead of resuming.
    accept_unreadable : bool
        Report on the rest where tiles cannot be read.
    scheduler : str, optional
        Address of a dask scheduler whose workers compute the tiles.
    threads : int
        Of one process.
    calibration : Calibration, optional
        Adds what the expert would say whom it was fitted to.
    stain, reference, hepatocytes : str
        As for `analyse`, where a slide names none of its own.
    pdf : bool
        Write each report as PDF, too.
    """

    out: Path
    device: str = "auto"
    precision: str = "auto"
    overwrite: bool = False
    accept_unreadable: bool = False
    scheduler: str | None = None
    threads: int = 1
    calibration: Calibration | None = None
    stain: str = AUTO
    reference: str = "he"
    hepatocytes: str = "squares"
    pdf: bool = False


@dataclass(frozen=True, eq=False)
class SlideState:
    """How far one slide of a cohort is.

    Parameters
    ----------
    row : Row
        Which one.
    state : {"running", "done", "kept", "failed", "stopped"}
        ``"kept"``: finished by an earlier call, and still what is asked for. ``"stopped"``:
        not finished, resumed by the next call.
    stage : str
        What is being done.
    done, total : int
        Tiles.
    mpx_per_s, seconds_left : float
        Of the tiles; NaN while unknown.
    error : str
        Why it failed.
    report : Report, optional
        Measurements, flags and provenance of a finished slide, without its tables.
    """

    row: Row
    state: State
    stage: str = ""
    done: int = 0
    total: int = 0
    mpx_per_s: float = math.nan
    seconds_left: float = math.nan
    error: str = ""
    report: Report | None = None


def serve(connection: Connection, settings: Settings) -> None:
    """Analyse the rows that come in, and send a `SlideState` whenever there is news.

    Parameters
    ----------
    connection : Connection
        Gives a `Row` at a time, and None to stop; so does its end, when the caller died.
    settings : Settings
        Of the cohort.

    A `SteatosisError` is sent where the scheduler does not answer, and None when the process
    is ready.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the caller, who says stop
    use_threads(settings.threads)
    stop, rows = threading.Event(), SimpleQueue[Row | None]()
    threading.Thread(target=_listen, args=(connection, rows, stop), daemon=True).start()
    try:
        client_or_none = _client(settings)
    except SteatosisError as error:
        connection.send(error)
        return
    connection.send(None)  # ready
    with client_or_none as client:
        while (row := rows.get()) is not None:
            for state in _analysed(row, settings, client, stop):
                connection.send(state)


def _listen(connection: Connection, rows: SimpleQueue[Row | None], stop: threading.Event) -> None:
    try:
        while (row := connection.recv()) is not None:
            rows.put(row)
    except (EOFError, OSError):
        pass
    stop.set()
    rows.put(None)


def _client(settings: Settings) -> AbstractContextManager[Any]:
    if settings.scheduler is None:
        return nullcontext()
    from ._cluster_workers import connect

    client: AbstractContextManager[Any] = connect(settings.scheduler)
    return client


def _analysed(
    row: Row, settings: Settings, client: Any, stop: threading.Event
) -> Iterator[SlideState]:
    try:
        yield from _states(row, settings, client, stop)
    except SteatosisError as error:
        yield SlideState(row, "failed", error=str(error))
    except OSError as error:
        yield SlideState(
            row,
            "failed",
            error=f"The results cannot be written to {settings.out} ({error}). Make room there "
            f"or choose another folder; the same call goes on with what is stored.",
        )
    except Exception as error:  # one slide must not end the others; its text is all that is left
        yield SlideState(row, "failed", error=f"{type(error).__name__}: {error}")


def _states(
    row: Row, settings: Settings, client: Any, stop: threading.Event
) -> Iterator[SlideState]:
    yield SlideState(row, "running", "Loading the model")
    request = _request(row, settings)
    said, ended = 0.0, None
    for event in analyse_steps(request, client=client, should_stop=stop.is_set):
        if isinstance(event, Ended):
            ended = event
        elif stop.is_set():
            break
        elif isinstance(event, Stage):
            yield SlideState(row, "running", event.text)
        elif isinstance(event, Progress) and time.monotonic() - said >= SAY_S:
            said = time.monotonic()
            yield _tiles(row, event)
    if ended is None:
        yield SlideState(row, "stopped")
        return
    report = replace(ended.report, title=row.name)
    prediction = report.prediction
    if prediction is not None and prediction.failed and not settings.accept_unreadable:
        raise incomplete(ended.plan, prediction)
    yield SlideState(row, "running", writing(report))
    write_all(report, settings.out, overwrite=True, pdf=settings.pdf)
    short = replace(report, tables={}, prediction=None, outlines=None, maps={})
    yield SlideState(row, "done", report=short)


def _tiles(row: Row, event: Progress) -> SlideState:
    return SlideState(
        row,
        "running",
        "Tiles",
        event.done,
        event.total,
        mpx_per_s=event.mpx_per_s,
        seconds_left=event.seconds_left,
    )


def _request(row: Row, settings: Settings) -> Request:
    slide = open_slide(
        row.path, um_per_px=row.um_per_px, srgb=row.srgb, swap_red_blue=row.swap_red_blue
    )

    counting = cast(Counting, row.hepatocytes or settings.hepatocytes)

    def areas(place: Path | None, classes: tuple[str, ...] = ()) -> Mask | None:
        return None if place is None else read_regions(place, slide, classes=classes)

    return Request(
        slide,
        _loaded(row.model, settings.device, settings.precision, settings.threads),
        region=areas(row.regions, row.region_class),
        exclude=areas(row.exclude),
        tissue=read_tissue(row.tissue, slide) if isinstance(row.tissue, Path) else row.tissue,
        store=settings.out / f"{row.name}.zarr",
        overwrite=settings.overwrite,
        stain=row.stain or settings.stain,
        reference=row.reference or settings.reference,
        calibration=settings.calibration,
        landmarks=None if row.zones is None else read_landmarks(row.zones, slide),
        hepatocytes=counting,
    )


@lru_cache(maxsize=1)
def _loaded(model: str, device: str, precision: str, threads: int) -> Model:
    loaded = load_model(model, device=device, precision=precision)
    use_threads(threads)
    return loaded
