"""The test of a map as a figure and as numbers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.map_check import Curve, MapCheck
from ..core.replacing import replacing
from ._heat_map_files import heat_colours
from ._pictures import DOTS_PER_INCH, INK, PAGE_INCHES, QUIET

OWN, RANDOM = "#0072b2", "#d55e00"


def write_map_check(check: MapCheck, path: Path, *, overwrite: bool = False) -> list[Path]:
    """Write ``NAME_check.png`` and ``NAME_check.json`` beside a map.

    Parameters
    ----------
    check : MapCheck
        Of the map.
    path : Path
        Of the map, whose name is taken.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    CannotOpenError
        Where something is there already.
    """
    figure, numbers = (path.with_name(f"{path.stem}_check{end}") for end in (".png", ".json"))
    with replacing(figure, overwrite=overwrite) as part:
        part.write_bytes(png_of(check))
    with replacing(numbers, overwrite=overwrite) as part:
        part.write_text(json.dumps(check.to_json(), indent=2), encoding="utf-8")
    return [figure, numbers]


def png_of(check: MapCheck) -> bytes:
    """Return a PNG file: the tile, both maps over it, both curves with areas, what is said."""
    buffer = io.BytesIO()
    _figure(check).savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def _figure(check: MapCheck) -> Any:
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(PAGE_INCHES, 6.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 0.95))
    shown = (
        ("What the model saw", check.tile),
        (check.name, _over(check.tile, check.values)),
        ("The same with random weights", _over(check.tile, check.random_weights)),
    )
    for axes, (title, rgb) in zip(above.subplots(1, 3), shown, strict=True):
        axes.imshow(rgb)
        axes.set_axis_off()
        axes.set_title(title, loc="left", fontsize=8, color=INK)
    area = check.areas()
    left, right = below.subplots(1, 2)
    _curves(left, "Deletion", (check.deletion, check.deletion_at_random), area)
    _curves(right, "Insertion", (check.insertion, check.insertion_at_random), area)
    figure.supxlabel("\n".join(check.sentences()), fontsize=7, color=INK, x=0.01, ha="left")
    return figure


def _over(rgb: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    colours = heat_colours(values)
    share = colours[..., 3:]
    blended: NDArray[np.uint8] = np.rint(rgb * (1 - share) + 255 * colours[..., :3] * share).astype(
        np.uint8
    )
    return blended


def _curves(axes: Any, title: str, curves: tuple[Curve, Curve], area: dict[str, float]) -> None:
    share = 100 * np.linspace(0, 1, len(curves[0]))
    name = title.lower()
    for curve, key, word, colour in zip(
        curves, (name, f"{name}_at_random"), ("by the map", "at random"), (OWN, RANDOM), strict=True
    ):
        axes.plot(share, curve, color=colour, lw=1.5, label=f"{word}: area {area[key]:.3f}")
    axes.set_ylim(-0.02, 1.02)
    axes.set_title(title, loc="left", fontsize=8, color=INK)
    what = "painted over" if name == "deletion" else "shown"
    axes.set_xlabel(f"{what}, % of the tile, most important first", fontsize=8, color=INK)
    axes.set_ylabel("probability of the class", fontsize=8, color=INK)
    axes.tick_params(labelsize=7, colors=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7, labelcolor=INK)
