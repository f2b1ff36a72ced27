"""Plots of an evaluation: scores with intervals, errors of fat, ROC, calibration, confusion."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..io._pictures import DOTS_PER_INCH, INK, PAGE_INCHES, QUIET, Picture
from .class_scores import BINS
from .evaluation import Scores

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5b6675")
"""Of models or classes, told apart by the colour-blind too (Okabe and Ito, 2008)."""

SHARES = (
    *("jaccard_pooled", "jaccard_mean", "dice", "precision", "recall"),
    *("droplet_f1", "droplet_precision", "droplet_recall", "droplet_ap", "panoptic_quality"),
    *("accuracy", "balanced_accuracy", "auc_macro", "auc_weighted", "calibration_error"),
)
"""Scores from 0 to 1 that are drawn."""


def pictures_of(found: Sequence[Scores]) -> list[tuple[str, Picture]]:
    """Return the plots that fit the task, each with its heading."""
    drawn = [("Scores", score_plot(found))]
    if found[0].tiles:
        return [*drawn, ("Error of the fat area", error_plot(found))]
    return [
        *drawn,
        ("ROC, one class against the rest", roc_plot(found)),
        ("Calibration", calibration_plot(found)),
        ("Confusion", confusion_plot(found)),
    ]


def score_plot(found: Sequence[Scores]) -> Picture:
    """Draw each score of each model with its interval."""
    names = [name for name in SHARES if any(name in one.values for one in found)]
    figure, (axes,) = _panels(1, height=0.6 + len(names) * (0.2 + 0.11 * len(found)))
    step = 0.7 / len(found)
    for number, one in enumerate(found):
        place = np.arange(len(names)) + (number - (len(found) - 1) / 2) * step
        score = np.array(
            [[getattr(one.values[n], k) for n in names] for k in ("value", "low", "high")]
        )
        axes.hlines(place, score[1], score[2], color=_colour(number), lw=2)
        axes.plot(score[0], place, "o", color=_colour(number), ms=5, label=one.model)
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(-0.02, 1.02)
    axes.grid(axis="x", color="#dfe3e8", lw=0.6)
    axes.set_axisbelow(True)
    _legend_above(axes, len(found))
    _plain(axes)
    one = found[0]
    said = f"{one.n} samples of {one.groups} patients"
    return _picture(
        figure, f"Value and 95 % interval over patients; {said}. What lacks cannot be had."
    )


def error_plot(found: Sequence[Scores]) -> Picture:
    """Draw the error of the fat area of each tile over how much fat there is (Bland and Altman)."""
    shares = [
        100 * np.array([[t.true / max(1, t.judged), t.found / max(1, t.judged)] for t in one.tiles])
        for one in found
    ]
    figure, panels = _panels(
        len(found), height=3.0 * -(-len(found) // 3), across=min(3, len(found))
    )
    high = max(float(np.abs(s[:, 1] - s[:, 0]).max()) for s in shares) * 1.15 or 1.0
    for number, (axes, one, share) in enumerate(zip(panels, found, shares, strict=False)):
        gap = share[:, 1] - share[:, 0]
        axes.plot(share.mean(1), gap, "o", ms=4, alpha=0.6, mew=0, color=_colour(number))
        spread = 1.96 * float(gap.std(ddof=1)) if len(gap) > 1 else 0.0
        axes.axhline(0, color=QUIET, lw=0.6)
        for height, style in ((0.0, "-"), (spread, "--"), (-spread, "--")):
            axes.axhline(gap.mean() + height, color=INK, lw=1, ls=style)
        axes.set_ylim(-high, high)
        axes.set_title(
            f"{one.model}: bias {gap.mean():+.2f}, limits ±{spread:.2f}",
            loc="left",
            fontsize=8,
            color=INK,
        )
        axes.set_xlabel("fat, mean of truth and prediction, %", fontsize=8, color=INK)
        axes.set_ylabel("prediction less truth, points", fontsize=8, color=INK)
        _plain(axes)
    return _picture(
        figure,
        "One point per tile. Lines: mean difference and 1.96 standard deviations around it; tiles "
        "of one patient are not independent, so these limits describe the tiles.",
    )


def roc_plot(found: Sequence[Scores]) -> Picture:
    """Draw the ROC curve of each class against the rest."""
    from sklearn.metrics import roc_curve

    figure, panels = _panels(
        len(found), height=3.2 * -(-len(found) // 3), across=min(3, len(found))
    )
    for axes, one in zip(panels, found, strict=False):
        for kind, name in enumerate(one.classes):
            own = one.truth == kind
            if not own.any() or own.all():
                continue
            wrong, right, _ = roc_curve(own, one.probabilities[:, kind])
            area = one.by_class[name]["auc"].value
            axes.plot(wrong, right, color=_colour(kind), lw=1.5, label=f"{name}: {area:.3f}")
        axes.plot([0, 1], [0, 1], color=QUIET, lw=0.6)
        _square(axes, one.model, "1 - specificity", "sensitivity")
        axes.legend(frameon=False, fontsize=7, loc="lower right", labelcolor=INK)
    return _picture(figure, "Areas under the curves beside the classes; the diagonal is chance.")


def calibration_plot(found: Sequence[Scores]) -> Picture:
    """Draw how often a model is right where it is so sure."""
    figure, panels = _panels(
        len(found), height=3.2 * -(-len(found) // 3), across=min(3, len(found))
    )
    for number, (axes, one) in enumerate(zip(panels, found, strict=False)):
        sure = one.probabilities.max(1)
        right = one.probabilities.argmax(1) == one.truth
        place = np.minimum((sure * BINS).astype(int), BINS - 1)
        used = np.unique(place)
        many = np.array([(place == b).sum() for b in used])
        axes.plot([0, 1], [0, 1], color=QUIET, lw=0.6)
        points = [(sure[place == b].mean(), right[place == b].mean()) for b in used]
        axes.plot(*np.transpose(points), "-", color=_colour(number), lw=1)
        axes.scatter(*np.transpose(points), s=15 + 150 * many / many.sum(), color=_colour(number))
        error = one.values["calibration_error"].value
        _square(axes, f"{one.model}: error {error:.3f}", "confidence", "share that is right")
    return _picture(
        figure, f"{BINS} bins of confidence, points as large as the share of samples in them."
    )


def confusion_plot(found: Sequence[Scores]) -> Picture:
    """Draw the confusion matrix of each model, shares of the true class as shades."""
    figure, panels = _panels(
        len(found), height=3.2 * -(-len(found) // 3), across=min(3, len(found))
    )
    for axes, one in zip(panels, found, strict=False):
        table = one.confusion
        share = table / np.maximum(table.sum(1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(table):
            shade = "white" if share[row, column] > 0.6 else INK
            axes.text(column, row, str(count), ha="center", va="center", fontsize=8, color=shade)
        axes.set_xticks(range(len(one.classes)), one.classes)
        axes.set_yticks(range(len(one.classes)), one.classes)
        axes.tick_params(labelsize=7, colors=INK)
        axes.set_xlabel("predicted", fontsize=8, color=INK)
        axes.set_ylabel("true", fontsize=8, color=INK)
        axes.set_title(one.model, loc="left", fontsize=8, color=INK)
    return _picture(figure, "Samples; the shade is the share of the true class.")


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _panels(count: int, *, height: float, across: int = 1) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure

    columns = across
    rows = -(-count // columns)
    figure: Any = Figure(figsize=(PAGE_INCHES, height), layout="constrained")
    panels: list[Any] = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels


def _legend_above(axes: Any, columns: int) -> None:
    axes.legend(
        frameon=False,
        fontsize=8,
        labelcolor=INK,
        ncols=min(columns, 4),
        loc="lower left",
        bbox_to_anchor=(0, 1),
    )


def _square(axes: Any, title: str, across: str, up: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_title(title, loc="left", fontsize=8, color=INK)
    axes.set_xlabel(across, fontsize=8, color=INK)
    axes.set_ylabel(up, fontsize=8, color=INK)
    _plain(axes)


def _plain(axes: Any) -> None:
    axes.tick_params(labelsize=8, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)


def _picture(figure: Any, caption: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return Picture(png_uri(buffer.getvalue()), caption)


def png_uri(content: bytes) -> str:
    """Return a PNG file as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def picture_of(rgb: NDArray[np.uint8], caption: str, *, side_px: int) -> Picture:
    """Return an image as a picture of at most a side."""
    from PIL import Image

    made, buffer = Image.fromarray(rgb), io.BytesIO()
    made.thumbnail((side_px, side_px))
    made.save(buffer, "PNG")
    return Picture(png_uri(buffer.getvalue()), caption)
