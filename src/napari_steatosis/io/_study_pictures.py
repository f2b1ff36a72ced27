"""Pictures of a study: groups of patients, visits, and agreement with an expert."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core.study import Comparison, ExpertAgreement, PatientFat
from ._pictures import INK, QUIET, Picture, panels_of, picture_of

COLOURS = ("#00708f", "#c77700", "#6a4c93", "#4d7c0f", "#b03060", "#5b6675")
SHARE = "fat, % of tissue"
MOST_PANELS = 4


def groups_picture(comparisons: Sequence[Comparison]) -> Picture | None:
    """Draw each patient's value by group, with median and quartiles; a panel per visit."""
    if not comparisons:
        return None
    shown = comparisons[:MOST_PANELS]
    figure, panels = panels_of(1, len(shown), height=3.0)
    names = list(dict.fromkeys(group.name for one in comparisons for group in one.groups))
    top = max(value for one in shown for group in one.groups for value in group.values)
    for axes, one in zip(panels, shown, strict=True):
        for group in one.groups:
            place = names.index(group.name)
            colour = COLOURS[place % len(COLOURS)]
            spread = np.linspace(-0.16, 0.16, len(group.values)) if len(group.values) > 1 else [0]
            axes.scatter(
                place + np.array(spread), group.values, s=16, color=colour, alpha=0.75, lw=0
            )
            low, middle, high = group.quartiles
            axes.plot([place - 0.28, place + 0.28], [middle, middle], color=INK, lw=1.6)
            axes.plot([place, place], [low, high], color=INK, lw=0.9)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.6, len(names) - 0.4)
        axes.set_ylim(0, 1.08 * top or 1)
        axes.set_title(f"visit {one.visit}" if one.visit else "", fontsize=8, color=INK, loc="left")
        _plain(axes, "", SHARE)
    more = len(comparisons) - len(shown)
    left = f" {more} more visits are in the table." if more else ""
    return picture_of(
        figure, f"A point per patient; bars are the median, lines the quartiles.{left}"
    )


def visits_picture(visits: Sequence[PatientFat], order: Sequence[str]) -> Picture | None:
    """Draw a line per patient over the visits in their order."""
    by_patient: dict[str, list[PatientFat]] = {}
    for one in visits:
        by_patient.setdefault(one.patient, []).append(one)
    if not any(len(own) > 1 for own in by_patient.values()):
        return None
    groups = list(dict.fromkeys(one.group for one in visits))
    figure, (axes,) = panels_of(1, 1, height=3.0)
    for own in by_patient.values():
        rows = sorted(own, key=lambda one: order.index(one.visit))
        colour = COLOURS[groups.index(rows[0].group) % len(COLOURS)]
        x, y = [order.index(one.visit) for one in rows], [one.pooled for one in rows]
        axes.plot(x, y, "o-", color=colour, lw=1.1, ms=4, alpha=0.8)
    for place, name in enumerate(groups):
        if name:
            axes.plot([], [], "o-", color=COLOURS[place % len(COLOURS)], lw=1.1, ms=4, label=name)
    if any(groups):
        axes.legend(frameon=False, fontsize=8, labelcolor=INK, loc="upper right")
    axes.set_xticks(range(len(order)), order)
    axes.set_xlim(-0.3, len(order) - 0.7)
    axes.set_ylim(bottom=0)
    _plain(axes, "visit", SHARE)
    return picture_of(figure, "A line per patient: fat at each visit, all slides of it pooled.")


def agreement_picture(found: ExpertAgreement) -> Picture | None:
    """Draw measured over expert, and the difference over the mean (Bland and Altman)."""
    if not found.statistics:
        return None
    x, y = np.array(found.said), np.array(found.measured)
    names = {one.name: one.value for one in found.statistics}
    alike = bool(names.keys() & {"bias", "weighted_kappa"})
    figure, panels = panels_of(1, 2 if alike else 1, height=3.4)
    ends = np.array([min(x.min(), y.min(), 0.0), max(x.max(), y.max())])
    if alike:
        panels[0].plot(ends, ends, color=QUIET, lw=0.9, ls=(0, (4, 3)), label="identity")
    if "slope" in names:
        line = names["slope"] * ends + names["intercept"]
        panels[0].plot(ends, line, color=COLOURS[1], lw=1.1, label="fitted line")
    _points(panels[0], x, y)
    if alike:
        panels[0].legend(frameon=False, fontsize=7, labelcolor=INK, loc="upper left")
    _plain(panels[0], found.expert.replace("_", " "), found.of.replace("_", " "))
    caption = "measured over expert, a point per patient (larger where several fall together)."
    if not alike:
        return picture_of(figure, caption.capitalize())
    _bland_altman(panels[1], x, y)
    return picture_of(
        figure,
        f"Left: {caption} Right: difference over mean, with bias and limits of agreement "
        f"(bias ± 1.96 SD).",
    )


def _bland_altman(axes: Any, x: Any, y: Any) -> None:
    gap, middle = y - x, (x + y) / 2
    _points(axes, middle, gap)
    bias, reach = gap.mean(), 1.96 * gap.std(ddof=1)
    axes.axhline(0, color=QUIET, lw=0.7)
    for value, style, text in (
        (bias, "-", "bias"),
        (bias - reach, (0, (4, 3)), "lower limit"),
        (bias + reach, (0, (4, 3)), "upper limit"),
    ):
        axes.axhline(value, color=COLOURS[1], lw=1.1, ls=style)
        axes.annotate(
            f"{text} {value:.3g}",
            (1, value),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 2),
            textcoords="offset points",
            ha="right",
            fontsize=7,
            color=INK,
        )
    axes.margins(y=0.12)
    _plain(axes, "mean of both", "measured minus expert")


def _points(axes: Any, x: Any, y: Any) -> None:
    places, counts = np.unique(np.stack([x, y]), axis=1, return_counts=True)
    axes.scatter(*places, s=14 * counts, color=COLOURS[0], alpha=0.7, lw=0)


def _plain(axes: Any, below: str, beside: str) -> None:
    axes.set_xlabel(below, fontsize=8, color=INK)
    axes.set_ylabel(beside, fontsize=8, color=INK)
    axes.tick_params(labelsize=7, colors=QUIET)
    axes.spines[["top", "right"]].set_visible(False)
