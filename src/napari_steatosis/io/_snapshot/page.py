"""The page of a snapshot: title, picture with its scale bar, legend, notice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.report import RESEARCH_USE
from ...core.snapshot import Snapshot
from .._pictures import INK, QUIET, round_length_um
from .overlay import LegendEntry

DOTS_PER_INCH = 300
LINES_PER_WIDTH = 42
"""A line of text is this part of the width of the picture."""

SMALLEST_TEXT_PX = 10
LETTER = 0.62
"""Width of a letter as a share of its height, on the wide side."""


def page(snapshot: Snapshot, rgb: NDArray[np.uint8], legend: list[LegendEntry]) -> Any:
    """Return a matplotlib figure: the picture pixel for pixel, furniture in px around it."""
    from matplotlib.figure import Figure

    height, width = rgb.shape[:2]
    text = max(SMALLEST_TEXT_PX, width / LINES_PER_WIDTH)
    head = round(2.2 * text) if snapshot.title else 0
    column_px = _column_px(legend, width, text)
    columns = max(1, int(width / column_px))
    rows = -(-len(legend) // columns)
    foot = round((1.7 * rows + 2.0) * text)
    total = head + height + foot
    figure: Any = Figure(figsize=(width / DOTS_PER_INCH, total / DOTS_PER_INCH), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(total, 0))
    axes.set_axis_off()
    axes.imshow(
        rgb, extent=(0, width, head + height, head), interpolation="none", aspect="auto", zorder=0
    )
    pen = _Pen(axes, text)
    if snapshot.title:
        most = int(width / (LETTER * text)) - 1
        pen.write(0.5 * text, head / 2, _short(snapshot.title, most), weight="bold")
    _scale_bar(pen, snapshot, head + height, width)
    for place, entry in enumerate(legend):
        row, column = divmod(place, columns)
        x, y = 0.5 * text + column * column_px, head + height + (1.2 + 1.7 * row) * text
        pen.swatch(x, y, entry)
        pen.write(x + 1.4 * text, y, _short(entry.name, _most_letters(width, text)))
    pen.write(0.5 * text, total - 0.9 * text, RESEARCH_USE, size=0.75, colour=QUIET)
    return figure


class _Pen:
    """Draws in px of the page, from its top left corner."""

    def __init__(self, axes: Any, text: float) -> None:
        self.axes, self.text = axes, text

    def write(
        self, x: float, y: float, words: str, *, size: float = 1, colour: str = INK, **options: Any
    ) -> None:
        points = size * self.text * 72 / DOTS_PER_INCH
        self.axes.text(
            x, y, words, va="center", fontsize=points, color=colour, parse_math=False, **options
        )

    def box(self, x: float, y: float, width: float, height: float, **options: Any) -> None:
        from matplotlib.patches import Rectangle

        self.axes.add_patch(Rectangle((x, y), width, height, **{"linewidth": 0, **options}))

    def swatch(self, x: float, y: float, entry: LegendEntry) -> None:
        if not entry.colour[3]:
            return
        side = 0.9 * self.text
        red, green, blue, _ = (part / 255 for part in entry.colour)
        self.box(x, y - side / 2, side, side, facecolor=(red, green, blue))


def _scale_bar(pen: _Pen, snapshot: Snapshot, bottom: float, width: int) -> None:
    """Draw a bar of a round length on a white ground that any tissue lets show."""
    text, scale = pen.text, snapshot.slide.um_per_px
    unit = snapshot.step_px[1] * (1.0 if scale is None else scale[1])
    length = round_length_um(width * unit)
    if scale is None:
        words = f"{length:g} px"
    else:
        words = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    bar = length / unit
    wide = max(bar, LETTER * text * len(words)) + text
    left, top = 0.7 * text, bottom - 3.0 * text
    pen.box(left, top, wide, 2.3 * text, facecolor="white", alpha=0.85)
    pen.box(left + (wide - bar) / 2, top + 1.6 * text, bar, 0.3 * text, facecolor="black")
    pen.write(left + wide / 2, top + 0.8 * text, words, ha="center", colour="black")


def _column_px(legend: list[LegendEntry], width: float, text: float) -> float:
    """Return how much room the longest entry of a legend takes."""
    longest = max((len(entry.name) for entry in legend), default=0)
    return (LETTER * min(longest, _most_letters(width, text)) + 2.5) * text


def _most_letters(width: float, text: float) -> int:
    return int((width / text - 2.5) / LETTER)


def _short(words: str, most: int) -> str:
    """Return words on one line without control characters, cut where they are too long."""
    line = "".join(one for one in " ".join(words.split()) if one.isprintable())
    return line if len(line) <= most else f"{line[: most - 1]}…"
