"""What every command says in the same way: messages, progress, options."""

from __future__ import annotations

import shlex
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ..core.errors import SteatosisWarning

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from ..pipelines.analyse import Event
    from ..quantify.calibration import Calibration

FAILED = 1

say = Console(stderr=True, highlight=False)
"""Progress and messages go to standard error; standard output is for results."""

Hepatocytes = Annotated[
    str,
    typer.Option(
        help="Share of hepatocytes with fat by squares, or by nuclei, which takes longer and "
        "needs H&E at 0.5 um/px or finer."
    ),
]
Model = Annotated[str, typer.Option(help="Name of a shipped model, or folder of your own.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Precision = Annotated[str, typer.Option(help="auto, fp32, bf16 or fp16.")]

Mpp = Annotated[
    float | None,
    typer.Option(help="Size of a level 0 pixel, um, whatever the file states."),
]
Srgb = Annotated[
    bool, typer.Option("--srgb", help="Convert colours to sRGB by the file's ICC profile.")
]
Swap = Annotated[
    bool, typer.Option("--swap-red-blue", help="Put right a file whose red and blue are swapped.")
]

Stain = Annotated[
    str,
    typer.Option(
        help="Colours before the model: auto (as it was trained), none, or a method (macenko ...)."
    ),
]
Reference = Annotated[
    str,
    typer.Option(help="What a stain is mapped to: a built-in name, or a saved reference (.json)."),
]

Calibrated = Annotated[
    Path | None,
    typer.Option(
        "--calibration", help="What `calibrate` saved: adds what that expert would say (JSON)."
    ),
]


Pdf = Annotated[
    bool, typer.Option("--pdf", help="Print the report as PDF, too (needs the extra pdf).")
]


def command_again(*more: str, less: tuple[str, ...] = ()) -> str:
    """Return the command that was given, as it can be given again, with and less some options."""
    words = [one for one in sys.argv[1:] if one not in (*more, *less)]
    join = subprocess.list2cmdline if sys.platform == "win32" else shlex.join
    return join(["napari-steatosis", *words, *more])


def opened(calibration: Path | None) -> Calibration | None:
    """Read a calibration where one is asked for."""
    from ..quantify.calibration import Calibration as Kind

    return None if calibration is None else Kind.open(calibration)


_show_others = warnings.showwarning


def show_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    """Print a warning of this package as a sentence, without the line of code it came from."""
    if issubclass(category, SteatosisWarning):
        say.print(f"Warning: {message}", style="yellow", markup=False)
    else:
        _show_others(message, category, *where, **more)


@dataclass
class Shown:
    """Events of a run as a progress bar; remembers the throughput for the last line."""

    bars: Bars
    task: TaskID | None = None
    mpx_per_s: float = 0.0

    def __call__(self, event: Event) -> None:
        """Show one event."""
        from ..pipelines.analyse import Began, Stage
        from ..pipelines.segment import Progress

        if isinstance(event, Stage):
            self.bars.print(event.text, style="dim", markup=False)
        elif isinstance(event, Began):
            self.bars.print(f"Computing on {event.plan.model}", style="dim", markup=False)
            if event.estimate is not None:
                self.bars.print(str(event.estimate), style="dim", markup=False)
            self.task = self.bars.add_task("Tiles", total=len(event.plan.tiles))
        elif isinstance(event, Progress) and self.task is not None:
            self.mpx_per_s = event.mpx_per_s
            self.bars.update(
                self.task, completed=event.done, description=f"{event.mpx_per_s:5.2f} Mpx/s"
            )


@dataclass
class Blocks:
    """Blocks that are written as a progress bar, which appears with the first."""

    bars: Bars
    name: str
    task: TaskID | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show how many are done."""
        if self.task is None:
            self.task = self.bars.add_task(self.name)
        self.bars.update(self.task, completed=done, total=total)


def bars() -> Bars:
    """Return progress bars on standard error with the time left."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeLeft()
    return Progress(*columns, console=say)
