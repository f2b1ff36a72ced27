"""``napari-steatosis tissue``: where the tissue of a slide is, as a mask to look at and edit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._say import Mpp, Srgb, Swap, bars, say

if TYPE_CHECKING:
    from ..core.mask import Mask
    from ..core.slide import Slide

Slide_ = Annotated[Path, typer.Argument(help="A file, or a folder (OME-Zarr, DICOM, tiles).")]
Out = Annotated[
    Path, typer.Option(help="What to write: mask.ome.zarr, mask.png or mask.geojson (QuPath).")
]
Sensitivity = Annotated[
    float, typer.Option(help="From 0 to 1: how little stain is enough for tissue.")
]
Resolution = Annotated[
    float | None,
    typer.Option(help="Size of a pixel of the mask, um; 2 or, on slides above 17 mm2, 4."),
]
Droplet = Annotated[
    float, typer.Option(help="Diameter of the largest droplet to keep even at an edge, um.")
]
Lumen = Annotated[float, typer.Option(help="White places from this diameter on are lumina, um.")]
Vessels = Annotated[
    Path | None, typer.Option(help="Take these areas out as vessels: GeoJSON or a mask.")
]
Portal = Annotated[
    Path | None, typer.Option(help="Take these areas out as portal tracts: GeoJSON or a mask.")
]
Exclude = Annotated[Path | None, typer.Option(help="Leave these areas out: GeoJSON or a mask.")]


def tissue(
    slide: Slide_,
    out: Out,
    sensitivity: Sensitivity = 0.5,
    resolution: Resolution = None,
    largest_droplet: Droplet = 16.0,
    lumen: Lumen = 55.0,
    vessels: Vessels = None,
    portal: Portal = None,
    exclude: Exclude = None,
    mpp: Mpp = None,
    srgb: Srgb = False,
    swap_red_blue: Swap = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Find the tissue of a slide and write it as a mask, with its area in mm2.

    ``analyse`` and ``classify`` take the mask, edited or not, with --tissue.
    """
    from ..imaging.tissue import TissueRule
    from ..io import open_slide
    from ..io.write import write

    rule = TissueRule(sensitivity, resolution, largest_droplet, lumen)
    opened = open_slide(slide, um_per_px=mpp, srgb=srgb, swap_red_blue=swap_red_blue)
    found = _found(opened, rule)
    places = {"vessels": vessels, "portal": portal, "exclude": exclude}
    mask = _less(found, opened, places) if any(places.values()) else found
    made = write(mask, out, overwrite=overwrite)
    reason = str(mask.provenance.get("reason", ""))
    if as_json:
        said = {"slide": str(slide), "mask": str(out), "tissue_mm2": mask.area_mm2}
        typer.echo(json.dumps({**said, "reason": reason, "provenance": dict(mask.provenance)}))
        return
    typer.echo(f"Tissue  {mask.area_mm2:.4g} mm^2")
    for name, less in mask.provenance.get("less", {}).items():
        typer.echo(f"  less {name}: {less['removed_mm2']:.4g} mm^2")
    if reason:
        say.print(f"{slide}: the mask is empty: {reason}", style="yellow", markup=False)
    for file in made:
        say.print(file, markup=False)


def _found(slide: Slide, rule: Any) -> Mask:
    from ..imaging.tissue import tissue_steps

    steps = tissue_steps(slide, rule)
    with bars() as shown:
        task = shown.add_task("Finding tissue", total=100)
        while True:
            try:
                shown.update(task, completed=round(100 * next(steps)))
            except StopIteration as end:
                mask: Mask = end.value
                return mask


def _less(found: Mask, slide: Slide, places: dict[str, Path | None]) -> Mask:
    from ..imaging.parenchyma import parenchyma
    from ..pipelines.tissue import read_tissue

    given = {name: read_tissue(place, slide) for name, place in places.items() if place is not None}
    return parenchyma(found, **given)
