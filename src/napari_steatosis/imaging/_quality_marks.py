"""Ink, folds, and grey lines on the glass, as a slide shows them from afar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, find_objects, label, uniform_filter

from ._quality_look import GREEN_INK, LOOK_UM, Look

INK_UM2 = 15_000.0
"""Smaller coloured places are no pen marks: the dot of a fine pen has 0.03 mm^2, um2."""

STRONG, STRONG_RED, BLACK = 50, 100, 120
"""Densities, in hundredths, from which colour may be ink, red may be, and grey may be."""

RED_PURITY, RED_BLUE = 0.25, 0.85
"""Red ink absorbs at most the first part as much red as green, and at least the second part as
much blue. Blood absorbs less blue."""

UNSCANNED = 10
"""Below this in every channel there is no light at all: padding, not ink."""

FOLD = 1.45
"""A fold is so many times as dense as dense tissue, ..."""

DENSE = 60
"""... which is this percentile of the tissue, ..."""

SAME_HUE = 0.2
"""... and absorbs red in the same part of green, within this: crowded nuclei absorb more of it."""

FOLD_UM2, FOLD_LONG_UM = 8000.0, 200.0
"""Folds have at least this area and length, um2 and um."""

GREY_LOW, GREY_EVEN = 12, 8
"""Grey lines are at least so dense, in channels that differ by at most so much, hundredths."""

LINE_UM = 1500.0
"""Grey things on the glass are named from this length on, um; dust is shorter."""

AWAY = 4
"""Grey things this close to tissue may be its edge, px."""


def ink(seen: Look, *, all_colours: bool) -> dict[str, float]:
    """Return the area of ink on the slide by colour, px of level 0 squared; only what there is.

    Green ink absorbs green least, blue ink red most, and neither stain of H&E does so. Red
    ink absorbs blue almost as green and hardly any red; black ink absorbs all alike.

    Parameters
    ----------
    seen : Look
        The slide from afar.
    all_colours : bool
        Look for blue and red ink, too: some stains cannot be told from it.
    """
    red, green, blue = (channel.astype(np.int16) for channel in seen.density)
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    lit = seen.seen & (seen.brightest >= UNSCANNED)
    found = {
        "green": (np.minimum(red, blue) > np.minimum(green, 240) + GREEN_INK) & (high >= STRONG),
        "black": (low >= BLACK) & (high - low <= np.maximum(30, low // 4)),
    }
    if all_colours:
        blueish = (red >= green + 10) & (green >= blue) & (red >= blue + 30) & (high >= STRONG)
        found["blue"] = blueish & ~found["black"]
        found["red"] = (
            (green >= STRONG_RED) & (red <= RED_PURITY * green) & (blue >= RED_BLUE * green)
        )
    areas: dict[str, float] = {}
    if not lit.any():
        return areas
    for colour, places in found.items():
        count = sum(part.sum() for part in _parts(places & lit, INK_UM2 / seen.um**2))
        if count:
            areas[colour] = float(count) * seen.px**2 / seen.share
    return areas


def fold_share(seen: Look) -> float | None:
    """Return the share of tissue that lies in folds, 0 to 1; None without enough tissue.

    Where a section lies twice, it absorbs twice as much of the same colours (compare Kothari
    and others, Proc IEEE Int Symp Biomed Imaging 2013, 596, who use brightness and
    saturation): dense, long places of the tissue's own hue.
    """
    tissue = seen.tissue & (seen.brightest > 0)
    if np.count_nonzero(tissue) * seen.um**2 < 4 * FOLD_UM2 or seen.um > 2 * LOOK_UM:
        return None
    red, green, blue = (uniform_filter(channel, 3, np.float32) for channel in seen.density)
    total = red + green + blue
    dense = max(1.0, float(np.percentile(total[tissue], DENSE)))
    ratio = red / np.maximum(green, 1)
    usual = float(np.median(ratio[tissue]))
    folded = tissue & (total >= FOLD * dense) & (np.abs(ratio - usual) <= SAME_HUE)
    shortest = FOLD_LONG_UM / seen.um
    count = sum(
        part.sum()
        for part in _parts(folded, FOLD_UM2 / seen.um**2)
        if np.hypot(*part.shape) >= shortest
    )
    return float(count) / float(np.count_nonzero(tissue))


def grey_lines(seen: Look) -> tuple[float, float]:
    """Return share (0 to 1) of the glass that is grey, and the length of the longest, um.

    Rims of bubbles, edges of coverslips, scratches and fibres: colourless, not black, and away
    from tissue. Which of them a line is, is not told, nor what lies over tissue.
    """
    red, green, blue = seen.density
    high = np.maximum(np.maximum(red, green), blue)
    low = np.minimum(np.minimum(red, green), blue)
    glass = seen.seen & ~binary_dilation(seen.tissue, iterations=AWAY)
    if not glass.any():
        return 0.0, 0.0
    grey = glass & (low >= GREY_LOW) & (low < BLACK) & (high - low <= GREY_EVEN + low // 4)
    parts = [p for p in _parts(grey, 8) if np.hypot(*p.shape) * seen.um >= LINE_UM]
    area = sum(int(part.sum()) for part in parts)
    longest = max((float(np.hypot(*part.shape)) for part in parts), default=0.0)
    return area / float(np.count_nonzero(glass)), longest * seen.um


def _parts(places: NDArray[np.bool_], least_px: float) -> list[NDArray[np.bool_]]:
    """Return each connected place of at least that area, as a map of its rectangle."""
    numbered, count = label(places, np.ones((3, 3)))
    areas = np.bincount(numbered.ravel(), minlength=count + 1)
    boxes = find_objects(numbered)
    return [
        numbered[boxes[number - 1]] == number
        for number in range(1, count + 1)
        if areas[number] >= least_px
    ]
