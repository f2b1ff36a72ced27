"""Pictures of a report: overview, example regions, droplet sizes; PNG inside the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame, Region
from ..core.prediction import NOT_ANALYSED, Prediction
from ..core.report import Report
from ..core.slide import Slide
from ._local_fat import EXAMPLE_UM, example_regions, local_fat
from ._palette import DROPLET_COLOURS

OVERVIEW_PX = 1100
CELL_UM = 100.0
"""Side of the squares whose share of fat the overview shows."""

MOST_PARTS = 8
"""Parts of such a square's side by which the overview follows the edge of what was analysed;
fewer on a large slide, where a part would be finer than the picture."""

INK, QUIET = "#1c2430", "#5b6675"
DOTS_PER_INCH = 150
PAGE_INCHES = 9.2


@dataclass(frozen=True)
class Picture:
    """A picture ready for the page.

    Parameters
    ----------
    uri : str
        ``data:image/png;base64,...``.
    caption : str
        What it shows.
    """

    uri: str
    caption: str


def overview(slide: Slide, prediction: Prediction) -> Picture:
    """Draw the slide, and beside it the local share of fat over it."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    longest = max(n * um for n, um in zip(slide.shape, slide.frame().um_per_px, strict=True))
    plane = slide.at(max(longest / OVERVIEW_PX, prediction.frame.mean_um_per_px))
    rgb = plane.read(plane.bounds)
    parts = min(MOST_PARTS, max(1, round(CELL_UM * OVERVIEW_PX / longest)))
    steps = [max(1, round(CELL_UM / um / parts)) for um in prediction.frame.um_per_px]
    fine = local_fat(prediction, (steps[0], steps[1]))
    local = local_fat(prediction, (steps[0] * parts, steps[1] * parts))
    found = local.fat[~np.isnan(local.fat)]
    top = max(float(np.percentile(found, 99.5)) if found.size else 0.0, 1.0)
    colours, scale = colormaps["plasma"], Normalize(0, top)
    squares = np.kron(np.nan_to_num(local.fat), np.ones((parts, parts)))
    heat = colours(scale(squares[: fine.fat.shape[0], : fine.fat.shape[1]]))
    heat[..., 3] = 0.8 * fine.analysed
    grey = np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2) / 255

    shape = plane.height / plane.width
    figure, (left, right) = panels_of(1, 2, height=min((PAGE_INCHES / 2 - 0.35) * shape, 7.5))
    show(left, rgb, plane.frame)
    show(right, 0.4 + 0.6 * grey, plane.frame)
    show(right, heat, fine.frame, interpolation="nearest")
    for axes in (left, right):
        frame_on(axes, plane.frame, plane.bounds)
    bar = figure.colorbar(ScalarMappable(scale, colours), ax=right, shrink=0.75, pad=0.02)
    bar.set_label("fat, % of analysed tissue", fontsize=8, color=INK)
    bar.ax.tick_params(labelsize=7, colors=INK)
    bar.outline.set_visible(False)
    return picture_of(
        figure,
        f"Left: the slide. Right: share of fat in squares of {CELL_UM:g} µm over what was "
        f"analysed; grey was not analysed. Colours end at {top:.3g} %.",
    )


def examples(slide: Slide, report: Report) -> Picture | None:
    """Draw squares from fat to lean, each as it is and with its droplets outlined."""
    prediction = report.prediction
    regions = [] if prediction is None else example_regions(prediction)
    if prediction is None or not regions:
        return None
    plane = slide.at(prediction.frame.mean_um_per_px)
    figure, panels = panels_of(-(-len(regions) // 2), 4 if len(regions) > 1 else 2, height=None)
    for axes in panels:
        axes.set_axis_off()
    for (text, region), plain, drawn in zip(regions, panels[::2], panels[1::2], strict=False):
        rgb = plane.read(same_place(region, prediction.frame, plane.frame))
        at = same_place(region, prediction.frame, plane.frame)
        own = Frame(plane.frame.um_per_px, tuple(plane.frame.to_um((at.y, at.x)).tolist()))
        for axes in (plain, drawn):
            show(axes, rgb, own)
            frame_on(axes, prediction.frame, region, bar=axes is plain)
        plain.set_title(
            f"{text}: {_share(prediction, region):.1f} % fat", loc="left", fontsize=8, color=INK
        )
        _draw_outlines(drawn, report, region)
    return picture_of(
        figure,
        f"Squares of {EXAMPLE_UM:g} µm, ranked by their share of fat; each as scanned and with the "
        "outlines of the droplets that were measured (blue: macro, yellow: micro).",
    )


def sizes(report: Report) -> Picture | None:
    """Draw how many droplets there are of each diameter, and the area they hold."""
    table = report.tables["droplets"]
    diameter, area = table["diameter_um"], table["area_um2"]
    if len(diameter) == 0:
        return None
    cut_um2 = float(report.provenance["measure"]["macro_um2"])
    cut_um = 2 * np.sqrt(cut_um2 / np.pi)
    end = max(float(np.percentile(diameter, 99.9)), 1.5 * cut_um)
    bins = np.linspace(0, end, 61)
    figure, (left, right) = panels_of(1, 2, height=2.6)
    for axes, weights, unit in (
        (left, np.ones(len(diameter)), "droplets"),
        (right, 100 * area / area.sum(), "% of the droplets' area"),
    ):
        groups = [table["size_class"] == size for size in DROPLET_COLOURS]
        axes.hist(
            [np.minimum(diameter[g], end) for g in groups],
            bins=bins,
            weights=[weights[g] for g in groups],
            color=[hex_of(colour) for colour in DROPLET_COLOURS.values()],
            label=list(DROPLET_COLOURS),
            stacked=True,
            linewidth=0,
        )
        axes.axvline(cut_um, color=INK, lw=1, ls=(0, (4, 3)))
        axes.set_xlabel("diameter, µm", fontsize=8, color=INK)
        axes.set_ylabel(unit, fontsize=8, color=INK)
        axes.tick_params(labelsize=7, colors=QUIET)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(0, end)
    left.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper right")
    return picture_of(
        figure,
        f"Equivalent diameter of {len(diameter):,} droplets, by number (left) and by area (right). "
        f"The line is the macro cut: {cut_um2:g} µm², {cut_um:.1f} µm. The last bar holds all "
        f"that are larger.",
    )


def panels_of(
    rows: int, columns: int, *, height: float | None, widths: Sequence[float] | None = None
) -> tuple[Any, Sequence[Any]]:
    """Return a figure as wide as a page, and its panels row by row."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    tall = rows * (PAGE_INCHES / max(columns, 4) + 0.2) if height is None else height
    layout = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.03)
    figure: Any = Figure(figsize=(PAGE_INCHES, tall), layout=layout)
    return figure, list(figure.subplots(rows, columns, squeeze=False, width_ratios=widths).ravel())


def picture_of(figure: Any, caption: str) -> Picture:
    """Return a figure as a PNG with its caption."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    coded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return Picture(f"data:image/png;base64,{coded}", caption)


def show(axes: Any, pixels: NDArray[Any], frame: Frame, **options: Any) -> None:
    """Show pixels at their place in the tissue, um."""
    height, width = pixels.shape[:2]
    corners = [(-0.5, -0.5), (height - 0.5, width - 0.5)]
    (top, left), (bottom, right) = frame.to_um(corners)
    axes.imshow(pixels, extent=(left, right, bottom, top), **options)


def frame_on(axes: Any, frame: Frame, region: Region, *, bar: bool = True) -> None:
    """Show exactly a region, without axes, with a scale bar."""
    corners = [(region.y - 0.5, region.x - 0.5), (region.y_end - 0.5, region.x_end - 0.5)]
    (top, left), (bottom, right) = frame.to_um(corners)
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
    axes.set_axis_off()
    if not bar:
        return
    span, tall = right - left, bottom - top
    length = round_length_um(span)
    y, x = bottom - 0.05 * tall, left + 0.05 * span
    for colour, width in (("white", 6), ("black", 3)):
        axes.plot([x, x + length], [y, y], color=colour, lw=width, solid_capstyle="butt")
    axes.text(
        x + length / 2,
        y - 0.03 * tall,
        f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm",
        ha="center",
        va="bottom",
        fontsize=7,
        bbox={"facecolor": "white", "alpha": 0.8, "pad": 1.5, "linewidth": 0},
    )


def round_length_um(span_um: float) -> float:
    """Return a round length of at most a fourth of a span, for a scale bar.

    Examples
    --------
    >>> round_length_um(8700.0)
    2000.0
    """
    target = span_um / 4
    power = 10 ** np.floor(np.log10(target))
    return float(max(step * power for step in (1, 2, 5) if step * power <= target))


def same_place(region: Region, frame: Frame, other: Frame) -> Region:
    """Return the pixels of another plane that cover a region."""
    corners = [(region.y - 0.5, region.x - 0.5), (region.y_end - 0.5, region.x_end - 0.5)]
    (top, left), (bottom, right) = other.to_px(frame.to_um(corners)) + 0.5
    y, x = int(np.floor(top + 1e-6)), int(np.floor(left + 1e-6))
    height, width = int(np.ceil(bottom - 1e-6)) - y, int(np.ceil(right - 1e-6)) - x
    return Region(y=y, x=x, height=height, width=width)


def _share(prediction: Prediction, region: Region) -> float:
    classes = prediction.read(region)
    analysed = int(np.count_nonzero(classes != NOT_ANALYSED))
    fat = int(np.count_nonzero(classes == prediction.value_of("fat")))
    return 100 * fat / analysed if analysed else float("nan")


def _draw_outlines(axes: Any, report: Report, region: Region) -> None:
    from matplotlib.collections import LineCollection

    assert report.outlines is not None
    assert report.prediction is not None
    frame = report.prediction.frame
    around = region.grow(max(region.height, region.width) // 2)
    lines, colours = [], []
    for outline in report.outlines(around):
        colour = DROPLET_COLOURS[str(report.tables["droplets"]["size_class"][outline.row])]
        for ring in outline.rings:
            lines.append(frame.to_um(ring)[:, ::-1])
            colours.append(hex_of(colour))
    axes.add_collection(LineCollection(lines, colors="black", linewidths=1.2, alpha=0.6))
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.7))


def hex_of(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
