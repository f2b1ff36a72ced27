"""Whether red and blue look swapped: in H&E the darkest pixels, nuclei, are bluer than the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..core.slide import Slide
from ._colour_sample import ColourSample, sample_colours

Verdict = Literal["as expected", "red and blue look swapped", "undecided"]

SHIFT = 0.06
"""Score from which nuclei are surely bluer. In 317 H&E liver tiles (the training part of the
tiles that the shipped model was trained on) it is 0.07 to 0.22 at full resolution."""

BLUISH = 0.6
"""An alarm needs this share of pixels that absorb more red than blue. The same tiles have 0.00 to
0.37, and so 0.63 to 1.00 with red and blue swapped; three images of trichrome 0.41 to 0.48."""

GREEN_MOST = 0.9
"""Share of the stain in pixels that absorb green most, of all and of the darkest: haematoxylin
and eosin both do. The same tiles have 0.97 and more."""

ENOUGH_PX = 400
"""Fewer stained pixels say too little."""


@dataclass(frozen=True)
class ChannelOrder:
    """Whether the red and blue channels of an H&E slide look swapped.

    Parameters
    ----------
    verdict : str
        "as expected", "red and blue look swapped" or "undecided".
    score : float
        How much bluer the darkest pixels are than the palest, -1 to 1; exactly the opposite
        when red and blue are swapped. NaN where there is too little stain.
    tissue_px : int
        Stained pixels that it rests on (each the mean of 2 x 2).
    reason : str
        One sentence for the user.
    """

    verdict: Verdict
    score: float
    tissue_px: int
    reason: str


def looks_swapped(slide: Slide) -> ChannelOrder:
    """Judge by its colours whether red and blue of an H&E slide were swapped by a writer.

    Haematoxylin absorbs more red than eosin, and eosin more blue than haematoxylin (Ruifrok &
    Johnston, Anal Quant Cytol Histol 2001, 23:291). The darkest stained pixels are nuclei. So
    the share of red minus the share of blue in the optical density is larger in the darkest
    tenth than in the paler half. The difference of the two medians is the score. An alarm
    needs a second sign as well: most pixels absorb more red than blue, where eosin makes real
    tissue pink.

    In H&E liver the sign is plain: all of 56 tiles of 36 groups, none of them used to set the
    limits, and 5 larger images were judged rightly in either order. Of 11 H&E images of other
    organs none raised an alarm and 7 were "as expected"; only 4 were found when swapped.

    "undecided" is the answer for blank glass, fluorescence and stains that are not H&E
    (green is not absorbed most), and where the signs are weak or disagree. Tissue that
    is mostly haematoxylin (lymph node) is "undecided" when it is swapped. A trichrome that is
    mostly pale blue collagen would resemble swapped H&E; the three images of trichrome at
    hand, with little collagen, are "undecided".

    Parameters
    ----------
    slide : Slide
        Any; a pixel size is not needed. At most about 1.4 Mpx are read.

    Raises
    ------
    UnreadableRegionError
        Where the file cannot be decoded.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> looks_swapped(st.drawn_liver(512, 512, seed=1)).verdict
    'as expected'
    """
    return order_of(sample_colours(slide))


def order_of(sample: ColourSample) -> ChannelOrder:
    """Return the judgement of `looks_swapped` for pixels that were read before."""
    count = len(sample.density)
    if count < ENOUGH_PX:
        few = f"Only {count} stained pixels were found, {ENOUGH_PX} are needed."
        return ChannelOrder("undecided", float("nan"), count, few)
    score, green = nuclear_shift(sample.density), share_green_most(sample.density)

    def verdict(word: Verdict, reason: str) -> ChannelOrder:
        return ChannelOrder(word, score, count, reason)

    if green < GREEN_MOST:
        return verdict(
            "undecided",
            f"This does not look like H&E in either order: green is absorbed most in "
            f"{100 * green:.0f} % of the stain, in H&E in nearly all of it.",
        )
    if score >= SHIFT:
        return verdict("as expected", "The darkest pixels (nuclei) are bluer than the paler ones.")
    if score > -SHIFT:
        return verdict(
            "undecided",
            "The darkest pixels are neither clearly bluer nor clearly redder than the paler "
            "ones, as in few nuclei, a pale stain or a stain other than H&E.",
        )
    if bluish_share(sample.density) < BLUISH:
        return verdict(
            "undecided",
            "The darkest pixels are redder than the paler ones, as nuclei are in a file with "
            "red and blue swapped, but too little of the tissue is blue or violet for that: "
            "perhaps it is blood, or a trichrome.",
        )
    return verdict(
        "red and blue look swapped",
        "The darkest pixels (nuclei in H&E) are redder than the paler ones, and the tissue is "
        "blue as a whole. If nuclei look brown and tissue violet on screen, swap red and blue.",
    )


def nuclear_shift(density: NDArray[np.float32]) -> float:
    """Return how much bluer the darkest tenth of ``(n, 3)`` densities is than the paler half.

    Examples
    --------
    >>> eosin, nucleus = [0.1, 0.8, 0.5], [1.0, 1.4, 0.8]
    >>> round(nuclear_shift(np.float32([eosin] * 80 + [nucleus] * 20)), 2)
    0.35
    """
    total = _total(density)
    lean = (density[:, 0] - density[:, 2]) / total
    half, most = np.quantile(total, (0.5, 0.9))
    return float(np.median(lean[total >= most]) - np.median(lean[total <= half]))


def bluish_share(density: NDArray[np.float32]) -> float:
    """Return the share of pixels that absorb more red than blue, and so look blue or violet.

    Pixels that absorb as much of both count half.

    Examples
    --------
    >>> bluish_share(np.float32([[0.1, 0.8, 0.5]] * 3 + [[1.0, 1.4, 0.8]]))
    0.25
    """
    return float(np.mean(np.sign(density[:, 0] - density[:, 2])) / 2 + 0.5)


def share_green_most(density: NDArray[np.float32]) -> float:
    """Return the share of the stain that absorbs green at least as much as red and blue.

    Of all the stain or of its darkest tenth, whichever is less: a few dark brown pixels of
    another stain are not lost among many pale ones.

    Examples
    --------
    >>> share_green_most(np.float32([[0.1, 0.8, 0.5]] * 90 + [[0.5, 1.0, 1.4]] * 10))
    0.0
    """
    total = _total(density)
    green = density[:, 1] >= np.maximum(density[:, 0], density[:, 2])
    dark = total >= np.quantile(total, 0.9)
    return float(min(total[green].sum() / total.sum(), green[dark].mean()))


def _total(density: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(density[:, 0] + density[:, 1] + density[:, 2], np.float64)
