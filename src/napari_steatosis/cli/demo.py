"""``napari-steatosis demo``: a drawn slide with known fat, analysed and compared."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import BadValueError
from ..core.report import RESEARCH_USE
from ._say import Model, Shown, bars

if TYPE_CHECKING:
    from ..pipelines.demo import Demonstration

SURELY_SEEN_UM = 6.0
"""Droplets of at least this diameter are rarely missed by the shipped models (see the cards)."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the drawn slide and the results.")] = Path(
        "steatosis-demo"
    ),
    size: Annotated[int, typer.Option(help="Side of the drawn slide, px of 0.5 um.")] = 8192,
    model: Model = "steatosis-he",
    view: Annotated[bool, typer.Option(help="Open slide and result in napari.")] = False,
) -> None:
    """Draw a liver slide with known fat, analyse it, and compare. Needs no data, no network."""
    from ..pipelines import demonstrate

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


def peak_memory_gb() -> float:
    """Return the largest resident memory of this process so far, GB."""
    import psutil

    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e9
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
