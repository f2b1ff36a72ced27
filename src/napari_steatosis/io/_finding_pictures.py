"""Pictures of what is found beside the fat: zones of the lobule, and hepatocytes by nuclei."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Frame, Region
from ..core.label_image import LabelImage
from ..core.report import Report
from ..core.slide import Slide
from ._local_fat import EXAMPLE_UM, example_regions
from ._palette import HEPATOCYTE_COLOURS, LANDMARK_COLOURS, map_colours
from ._pictures import (
    INK,
    OVERVIEW_PX,
    PAGE_INCHES,
    QUIET,
    Picture,
    frame_on,
    hex_of,
    panels_of,
    picture_of,
    same_place,
    show,
)

ZONE_OPACITY = 0.55
WIDTHS = (2.2, 1.0)

LONG = 24
"""Names longer than this do not fit beside each other in one row."""

Colours = Mapping[str, tuple[int, int, int]]


def zones_picture(slide: Slide, report: Report) -> Picture:
    """Draw zones and what they are measured from over the slide, and the fat of each zone."""
    zones, prediction = report.maps["zones"], report.prediction
    assert prediction is not None
    assert zones.frame is not None
    longest = max(n * um for n, um in zip(slide.shape, slide.frame().um_per_px, strict=True))
    plane = slide.at(max(longest / OVERVIEW_PX, prediction.frame.mean_um_per_px))
    grey = np.repeat(plane.read(plane.bounds).mean(axis=2, keepdims=True), 3, axis=2) / 255
    colours = _colours_of(zones)
    table = np.zeros((len(colours) + 1, 4))
    for value, (name, colour) in enumerate(colours.items(), start=1):
        opacity = 1.0 if name in LANDMARK_COLOURS else ZONE_OPACITY
        table[value] = (*np.divide(colour, 255), opacity)
    wide = PAGE_INCHES * WIDTHS[0] / sum(WIDTHS)
    height = min(max(0.85 * wide * plane.height / plane.width, 2.0), 6.0) + 0.4
    figure, (left, right) = panels_of(1, 2, height=height, widths=WIDTHS)
    show(left, 0.35 + 0.65 * grey, plane.frame)
    show(left, table[np.asarray(zones.levels[0])], zones.frame, interpolation="nearest")
    frame_on(left, plane.frame, plane.bounds)
    _legend(figure, colours)
    _fat_of_zones(right, report, {k: v for k, v in colours.items() if k not in LANDMARK_COLOURS})
    return picture_of(
        figure,
        "Left: zones by the distance to the drawn regions, in places of 8 µm, over the slide; "
        "what has no colour was not analysed or is in no zone. Right: fat area fraction of each "
        "zone, with its 95 % interval where there is one.",
    )


def _colours_of(zones: LabelImage) -> Colours:
    names = [str(known["class"]) for known in zones.properties.values()]
    return dict(zip(names, map_colours(names), strict=True))


def _legend(figure: Any, colours: Colours) -> None:
    from matplotlib.patches import Patch

    handles = [
        Patch(
            facecolor=hex_of(colour),
            alpha=1.0 if name in LANDMARK_COLOURS else ZONE_OPACITY,
            label=name.replace(" um ", " µm "),
        )
        for name, colour in colours.items()
    ]
    figure.legend(
        handles=handles,
        loc="outside lower left",
        ncols=3 if max(map(len, colours)) > LONG else len(handles),
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )


def _fat_of_zones(axes: Any, report: Report, colours: Colours) -> None:
    """Draw a point and an interval per zone, from the top."""
    known = {one.name: one for one in report.measurements}
    prefix = "zone" if "zone_1_fat_area_fraction" in known else "ring"
    fat = [known[f"{prefix}_{n}_fat_area_fraction"] for n in range(1, len(colours) + 1)]
    for place, (one, colour) in enumerate(zip(fat, colours.values(), strict=True)):
        if math.isnan(one.value):
            axes.text(0, place, " nothing analysed", fontsize=7, color=QUIET, va="center")
            continue
        if one.interval is not None:
            axes.plot(one.interval, (place, place), color=INK, lw=1.2, zorder=1)
        axes.scatter([one.value], [place], s=42, color=hex_of(colour), edgecolor=INK, lw=0.8)
    said = [name.partition(", ")[2] or name.partition(" from ")[0] for name in colours]
    numbers = [f"{number} · " if prefix == "zone" else "" for number in range(1, len(said) + 1)]
    axes.set_yticks(
        range(len(said)),
        [
            f"{number}{name}".replace(" um", " µm")
            for number, name in zip(numbers, said, strict=True)
        ],
    )
    axes.set_ylim(len(said) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_box_aspect(0.55 * len(said) / 2)
    axes.set_xlabel("fat, % of analysed tissue", fontsize=8, color=INK)
    axes.tick_params(labelsize=7, colors=QUIET)
    axes.spines[["top", "right"]].set_visible(False)


def hepatocytes_picture(slide: Slide, report: Report) -> Picture | None:
    """Draw squares as they are, and with nuclei and what was taken for their hepatocytes."""
    prediction, territories = report.prediction, report.maps["territories"]
    regions = [] if prediction is None else example_regions(prediction)[::2]
    if prediction is None or not regions:
        return None
    plane = slide.at(prediction.frame.mean_um_per_px)
    figure, panels = panels_of(1, 4, height=None)
    for axes in panels:
        axes.set_axis_off()
    for (text, region), plain, drawn in zip(regions, panels[::2], panels[1::2], strict=False):
        at = same_place(region, prediction.frame, plane.frame)
        rgb = plane.read(at)
        own = Frame(plane.frame.um_per_px, tuple(plane.frame.to_um((at.y, at.x)).tolist()))
        for axes in (plain, drawn):
            show(axes, rgb, own)
        _draw_territories(drawn, territories, region, prediction.frame)
        _draw_nuclei(drawn, report)
        for axes in (plain, drawn):
            frame_on(axes, prediction.frame, region, bar=axes is plain)
        plain.set_title(text, loc="left", fontsize=8, color=INK)
    return picture_of(
        figure,
        f"Squares of {EXAMPLE_UM:g} µm; each as scanned, and with a ring around every nucleus that "
        "was taken for a hepatocyte's, and its territory: orange with fat, blue without. Those "
        "without a nucleus in the section are not counted.",
    )


def _draw_territories(axes: Any, territories: LabelImage, region: Region, frame: Frame) -> None:
    assert territories.frame is not None
    height, width = territories.shape
    around = same_place(region, frame, territories.frame).intersect(
        Region(y=0, x=0, height=height, width=width)
    )
    if around is None:
        return
    values: NDArray[np.uint8] = np.asarray(territories.levels[0][around.slices])
    origin = tuple(territories.frame.to_um((around.y, around.x)).tolist())
    table = np.zeros((len(HEPATOCYTE_COLOURS) + 1, 4))
    for value, colour in enumerate(_colours_of(territories).values(), start=1):
        table[value] = (*np.divide(colour, 255), 0.35)
    show(axes, table[values], Frame(territories.frame.um_per_px, origin), interpolation="nearest")


def _draw_nuclei(axes: Any, report: Report) -> None:
    from matplotlib.collections import EllipseCollection

    table = report.tables["hepatocytes"]
    across = 1.3 * 2 * np.sqrt(table["nucleus_area_um2"] / np.pi)
    names = np.where(table["with_fat"], "with fat", "without fat")
    (top, bottom), (left, right) = sorted(axes.get_ylim()), axes.get_xlim()
    near = (table["y_um"] > top) & (table["y_um"] < bottom)
    near &= (table["x_um"] > left) & (table["x_um"] < right)
    if not near.any():
        return
    axes.add_collection(
        EllipseCollection(
            across[near],
            across[near],
            np.zeros(int(near.sum())),
            units="xy",
            offsets=np.stack([table["x_um"][near], table["y_um"][near]], axis=1),
            offset_transform=axes.transData,
            facecolor="none",
            edgecolor=[hex_of(HEPATOCYTE_COLOURS[name]) for name in names[near]],
            linewidth=0.9,
        )
    )
