"""``napari-steatosis cohort``: the slides of a study, several at a time."""

from __future__ import annotations

import json
import math
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import CannotOpenError, SteatosisError
from ._cluster import Scheduler
from ._say import (
    FAILED,
    Calibrated,
    Device,
    Hepatocytes,
    Model,
    Pdf,
    Precision,
    Reference,
    Stain,
    command_again,
    opened,
    say,
)

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

    from ..pipelines._cohort_process import SlideState
    from ..pipelines.cohort import Cohort

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""

Manifest = Annotated[
    Path,
    typer.Argument(
        help="CSV with the column path, and as wanted name, patient, visit, group, expert, "
        "um_per_px, model, regions, region_class, exclude, tissue, zones, hepatocytes, stain, "
        "reference, srgb, swap_red_blue."
    ),
]


def cohort(
    manifest: Manifest,
    out: Annotated[Path, typer.Option(help="Folder for the results of all slides.")],
    jobs: Annotated[int, typer.Option(help="Slides at a time, each in a process.")] = 1,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Only the slides that failed before.")
    ] = False,
    model: Model = "steatosis-he",
    device: Device = "auto",
    precision: Precision = "auto",
    resume: Annotated[
        bool, typer.Option("--resume/--overwrite", help="Go on, or begin every slide anew.")
    ] = True,
    accept_unreadable: Annotated[
        bool, typer.Option(help="Report on the rest where parts of a slide cannot be read.")
    ] = False,
    stain: Stain = "auto",
    reference: Reference = "he",
    hepatocytes: Hepatocytes = "squares",
    calibration: Calibrated = None,
    pdf: Pdf = False,
    scheduler: Scheduler = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per slide.")] = False,
) -> None:
    """Analyse the slides of a study, and make one table of all.

    The same command goes on after a stop: finished slides are kept, others resumed, failed
    ones tried again. Slides that failed are listed in failed.csv. The exit code is 1 if any
    failed, and 130 after Ctrl-C.
    """
    from ..pipelines.cohort import cohort as run

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system asks like this
    options = {
        "model": model,
        "device": device,
        "precision": precision,
        "overwrite": not resume,
        "accept_unreadable": accept_unreadable,
        "scheduler": scheduler,
        "stain": stain,
        "reference": reference,
        "hepatocytes": hepatocytes,
        "calibration": opened(calibration),
        "pdf": pdf,
        "retry": command_again("--retry-failed", less=("--overwrite",)),
    }
    try:
        with Shown(as_json) as shown:
            result = run(
                manifest, out, jobs=jobs, retry_failed=retry_failed, on_state=shown, **options
            )
    except KeyboardInterrupt:
        say.print("Stopped. The same command goes on with what is stored.", style="red")
        raise typer.Exit(STOPPED) from None
    except OSError as error:
        if isinstance(error, SteatosisError):
            raise
        raise CannotOpenError(
            f"The results cannot be written to {out} ({error}). Make room there, and give the "
            f"same command again."
        ) from error
    _say_end(result)


def _say_end(result: Cohort) -> None:
    for file in result.files:
        say.print(f"{file}", markup=False)
    total = len(result.reports) + len(result.failed) + len(result.left)
    text = f"{len(result.reports)} of {total} slides are finished"
    say.print(text + (f", {len(result.left)} were not tried." if result.left else "."))
    if result.failed:
        say.print(f"{len(result.failed)} failed; try them again with --retry-failed.", style="red")
        raise typer.Exit(FAILED)


class Shown:
    """States of slides as a table of those at work, and a line for each that ended."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._at_work: dict[str, SlideState] = {}
        self._ended = {"done": 0, "kept": 0, "failed": 0, "stopped": 0}
        self._live: Live | None = None

    def __enter__(self) -> Shown:
        from rich.live import Live

        self._live = Live(console=say, refresh_per_second=4, transient=True)
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, state: SlideState) -> None:
        """Show one state."""
        name = state.row.name
        if state.state == "running":
            self._at_work[name] = state
        else:
            self._at_work.pop(name, None)
            self._ended[state.state] += 1
            self._say_ended(state)
        if self._live is not None:
            self._live.update(self._table())

    def _say_ended(self, state: SlideState) -> None:
        if state.error:
            say.print(f"{state.row.path}: failed. {state.error}", style="red", markup=False)
        elif state.report is not None:
            first = state.report.measurements[0]
            earlier = " (finished before)" if state.state == "kept" else ""
            said = f"{first.name.replace('_', ' ')} {first}{earlier}"
            say.print(f"{state.row.path}: {said}", markup=False)
        if self._as_json:
            from ..io.write_table import plain

            values: dict[str, Any] = {"slide": str(state.row.path), "state": state.state}
            values |= {"error": state.error} if state.error else {}
            typer.echo(json.dumps(plain(values | _reported(state))))

    def _table(self) -> Table:
        from rich.table import Table

        ended, at_work = self._ended, len(self._at_work)
        finished = ended["done"] + ended["kept"]
        table = Table(title=f"{finished} finished, {ended['failed']} failed, {at_work} at work")
        for column in ("slide", "stage", "tiles", "Mpx/s", "time left"):
            table.add_column(column, justify="left" if column in ("slide", "stage") else "right")
        for name, state in self._at_work.items():
            tiles = f"{state.done} of {state.total}" if state.total else ""
            speed = "" if math.isnan(state.mpx_per_s) else f"{state.mpx_per_s:.2f}"
            table.add_row(name, state.stage, tiles, speed, _clock(state.seconds_left))
        return table


def _reported(state: SlideState) -> dict[str, Any]:
    return {} if state.report is None else state.report.to_json()


def _clock(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds.

    Examples
    --------
    >>> _clock(3725.0), _clock(float("nan"))
    ('1:02:05', '')
    """
    return str(timedelta(seconds=int(seconds))) if math.isfinite(seconds) else ""
