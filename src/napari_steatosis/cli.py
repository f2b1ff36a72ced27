"""The command line: ``napari-steatosis analyse``, ``demo``, ``explain``, ``models``."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from . import __version__
from .core.errors import BadValueError, SteatosisError
from .core.report import RESEARCH_USE

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from .core.report import Report
    from .pipelines.analyse import Event
    from .pipelines.demo import Demonstration

app = typer.Typer(
    name="napari-steatosis",
    help="Measure liver fat on whole-slide images. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
FAILED = 1
SURELY_SEEN_UM = 6.0
"""Droplets of at least this diameter are rarely missed by the shipped models (see the cards)."""

say = Console(stderr=True, highlight=False)
"""Progress and messages go to standard error; standard output is for results."""


@dataclass
class Shown:
    """Events of a run as a progress bar; remembers the throughput for the last line."""

    bars: Bars
    task: TaskID | None = None
    mpx_per_s: float = 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        from .pipelines.analyse import Began, Stage
        from .pipelines.segment import Progress

        if isinstance(event, Stage):
            self.bars.print(event.text, style="dim", markup=False)
        elif isinstance(event, Began):
            self.bars.print(f"Computing on {event.plan.model}", style="dim", markup=False)
            self.task = self.bars.add_task("Tiles", total=len(event.plan.tiles))
        elif isinstance(event, Progress) and self.task is not None:
            self.mpx_per_s = event.mpx_per_s
            self.bars.update(
                self.task, completed=event.done, description=f"{event.mpx_per_s:5.2f} Mpx/s"
            )


def bars() -> Bars:
    """Return progress bars on standard error with the time left."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft()
    return Progress(*columns, console=say)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"napari-steatosis {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


Model = Annotated[str, typer.Option(help="Name of a shipped model, or folder of your own.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Precision = Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")]


@app.command()
def analyse(
    slides: Annotated[list[Path], typer.Argument(help="Slides: files, or OME-Zarr folders.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    mpp: Annotated[
        float | None, typer.Option(help="Size of a level 0 pixel, um, where the file has none.")
    ] = None,
    model: Model = "steatosis-he",
    device: Device = "auto",
    precision: Precision = "auto",
    resume: Annotated[
        bool, typer.Option("--resume/--overwrite", help="Take up a stopped run, or begin anew.")
    ] = True,
    accept_unreadable: Annotated[
        bool, typer.Option(help="Report on the rest where parts of a slide cannot be read.")
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Processes of a local dask cluster; 0 computes in this one.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per slide.")] = False,
) -> None:
    """Segment the fat of slides and measure it.

    For each slide this writes a class map (OME-Zarr), a report (HTML, JSON), a droplet
    table (CSV) and outlines (GeoJSON for QuPath). The exit code is 1 if a slide failed.
    """
    options = {
        "model": model,
        "device": device,
        "precision": precision,
        "overwrite": not resume,
        "accept_unreadable": accept_unreadable,
    }
    failed = []
    with _cluster(workers) as client:
        for path in slides:
            try:
                report = _analyse_one(path, out, mpp, {**options, "client": client})
            except (SteatosisError, OSError) as error:
                failed.append(path)
                text = _text_of(error, out)
                say.print(f"{path}: failed. {text}", style="red", markup=False)
                if as_json:
                    typer.echo(json.dumps({"slide": str(path), "error": text}))
            else:
                _print_report(path, report, as_json)
    if failed:
        names = ", ".join(str(path) for path in failed)
        say.print(f"{len(failed)} of {len(slides)} slides failed: {names}", style="red")
        raise typer.Exit(FAILED)


def _text_of(error: Exception, out: Path) -> str:
    if isinstance(error, SteatosisError):
        return str(error)
    return (
        f"The results cannot be written to {out} ({error}). Make room there or choose another "
        f"folder with --out; the same command goes on with what is stored."
    )


def _cluster(workers: int) -> AbstractContextManager[Any]:
    if not workers:
        return nullcontext()
    try:
        from distributed import Client
    except ImportError as error:
        raise BadValueError(
            "--workers needs dask.distributed: pip install 'napari-steatosis[distributed]'."
        ) from error
    return Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)


def _analyse_one(path: Path, out: Path, mpp: float | None, options: dict[str, Any]) -> Report:
    from .io import open_slide
    from .pipelines.analyse import analyse as run_analysis

    slide = open_slide(path, um_per_px=mpp)
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


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the drawn slide and the results.")] = Path(
        "steatosis-demo"
    ),
    size: Annotated[int, typer.Option(help="Side of the drawn slide, px of 0.5 um.")] = 8192,
    model: Model = "steatosis-he",
    view: Annotated[bool, typer.Option(help="Open slide and result in napari.")] = False,
) -> None:
    """Draw a liver slide with known fat, analyse it, and compare. Needs no data, no network."""
    from .pipelines import demonstrate

    with bars() as shown:
        progress = Shown(shown)
        result = demonstrate(out, size_px=size, model=model, on_event=progress)
    _print_demonstration(result, progress.mpx_per_s)
    if view:
        _view(result.folder / "liver.ome.zarr")


def _print_demonstration(result: Demonstration, mpx_per_s: float) -> None:
    report, truth = result.report, result.truth
    large = SURELY_SEEN_UM
    found, drawn = report.tables["droplets"]["diameter_um"], truth.diameters_um
    speed = f"{mpx_per_s:.2f} Mpx/s" if mpx_per_s else "taken from the earlier run"
    rows = [
        ("Fat area fraction", str(report["fat_area_fraction"])),
        (
            "  as drawn (truth)",
            f"{truth.fat_percent:.4g} %, {100 * truth.large_share(large):.0f} % of it in droplets "
            f"from {large:g} um on; smaller ones are often missed",
        ),
        ("Droplets", f"{len(found)}, from {large:g} um on {(found >= large).sum()}"),
        ("  as drawn (truth)", f"{len(drawn)}, from {large:g} um on {(drawn >= large).sum()}"),
        ("Tissue", str(report["tissue_area"])),
        ("Throughput", speed),
        ("Peak memory", f"{peak_memory_gb():.2f} GB"),
    ]
    for name, value in rows:
        typer.echo(f"{name:<20} {value}")
    typer.echo(f"\nIn {result.folder}:")
    for file in sorted(path.name for path in result.folder.iterdir()):
        typer.echo(f"  {file}")
    typer.echo(
        f"\nSee it in napari:  napari --plugin napari-steatosis {result.folder / 'liver.ome.zarr'}"
        f"\n              or:  napari-steatosis demo --view\n{RESEARCH_USE}"
    )


def _view(path: Path) -> None:
    command = [sys.executable, "-m", "napari", "--plugin", "napari-steatosis", str(path)]
    if subprocess.run(command).returncode:
        raise BadValueError(
            "napari did not open. It needs a Qt binding and a display: "
            "pip install 'napari-steatosis[qt]'."
        )


@app.command()
def explain(slide: Annotated[Path, typer.Argument(help="A file or folder.")]) -> None:
    """Say which reader opens a slide, or why each refuses it."""
    from .io import explain_open

    typer.echo(explain_open(slide))


@app.command()
def models() -> None:
    """List the shipped models."""
    from .models import SHIPPED, load_model

    for name in SHIPPED:
        model = load_model(name, device="cpu")
        typer.echo(f"{name:<22} {model.spec.um_per_px} um/px  {model.digest[:12]}")
        typer.echo(f"  {model.spec.training_data}\n  {model.spec.licence}")


def peak_memory_gb() -> float:
    """Return the largest resident memory of this process so far, GB."""
    import psutil

    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e9
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def main() -> None:
    """Run the command line; an error of this package is one message and exit code 1."""
    try:
        app()
    except SteatosisError as error:
        say.print(str(error), style="red", markup=False)
        sys.exit(FAILED)


if __name__ == "__main__":
    main()
