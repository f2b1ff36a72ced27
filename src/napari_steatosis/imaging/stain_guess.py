"""A guess at the stain of a slide, from the directions of its colours in optical density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..core.slide import Slide
from ._colour_sample import EVEN, ColourSample, sample_colours
from .channel_order import (
    ENOUGH_PX,
    GREEN_MOST,
    SHIFT,
    bluish_share,
    nuclear_shift,
    order_of,
    share_green_most,
)
from .optics import BRIGHT, NEUTRAL

Name = Literal[
    "H&E",
    "Masson trichrome",
    "Sirius red",
    "haematoxylin-DAB",
    "fluorescence or dark field",
    "unknown",
    "no tissue",
]

MOSTLY_BLACK, MOSTLY_DIM, NO_GLASS = 0.5, 0.5, 0.001
"""A picture has a dark ground from this share of black pixels on, when that share of the others
is dim (dense stained tissue beside black padding is not) and less than that is bright glass."""

HARDLY_ANY, MOSTLY_GLASS = 0.01, 0.9
"""A picture with less stain than the first, in shares of its pixels, is bare glass from the
second share of bright neutral pixels on."""

SLIGHT_SHIFT, PINK, VIOLET = 0.02, 0.1, 0.5
"""Nuclei that are slightly bluer do for H&E where at most a tenth of the pixels absorb more red
than blue. Where half of them do, it may be PAS, which absorbs as much red as blue."""

BLUE, ANILINE, PINKS = (330, 95), 55, (110, 180)
"""Hues of absorption, degrees: of all blue stains (aniline blue up to the second, haematoxylin
above it), and of eosin and the red of a trichrome."""

PALE_BLUE, MOSTLY_PALE = 0.03, 0.6
"""Share of stained pixels that are blue and paler than most, and share of the blue pixels that
these are, from which on blue is collagen. The tiles of `channel_order.SHIFT` have up to 0.02."""


@dataclass(frozen=True)
class StainGuess:
    """What a slide is probably stained with. A guess: look at the slide.

    Parameters
    ----------
    name : str
        "H&E", "Masson trichrome", "Sirius red", "haematoxylin-DAB", "fluorescence or dark
        field", "unknown" or "no tissue".
    confidence : str
        "good" for a name that was tested on many real images, "weak" for one that was not;
        empty for "unknown".
    reason : str
        One sentence for the user.
    """

    name: Name
    confidence: Literal["good", "weak", ""]
    reason: str


def guess_stain(slide: Slide) -> StainGuess:
    """Guess the stain of a slide from what its pixels absorb; "unknown" when in doubt.

    Hues are those of the optical density (Ruifrok & Johnston, Anal Quant Cytol Histol 2001,
    23:291): haematoxylin and eosin absorb green most, haematoxylin then red and eosin then
    blue; diaminobenzidine (DAB) is brown, it absorbs blue most and some red; picric acid
    absorbs blue alone and Sirius red, which is darker, green and blue; in Masson's trichrome
    collagen is paler and bluer than the red cytoplasm, while in H&E the bluest is darkest.

    How far it can be trusted: "H&E" was tested on hundreds of tiles of liver. The others are
    "weak": three trichrome images of two laboratories, one image of Sirius red, one of DAB
    and one fluorescence slide were at hand, and the limits were set with them in view, so they
    validate nothing; the rest was drawn from published stain vectors. Trichromes with green
    collagen, other chromogens and special stains are not known to it; van Gieson is taken for
    Sirius red, methyl green with DAB for haematoxylin-DAB. H&E that is violet as a whole (a
    lymph node) is "unknown", since PAS could look so. Photographs of other things may get a
    name.

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
    >>> guess_stain(st.drawn_liver(512, 512, seed=1)).name
    'H&E'
    """
    return guess_of(sample_colours(slide))


def guess_of(sample: ColourSample) -> StainGuess:
    """Return the guess of `guess_stain` for pixels that were read before."""
    return _without_stain(sample) or _by_colour(sample)


def _without_stain(sample: ColourSample) -> StainGuess | None:
    """Judge pictures that show no stained section in bright light."""
    low, high = min(sample.colour), max(sample.colour)
    if sample.even and ((low >= BRIGHT and high - low <= NEUTRAL) or high <= EVEN):
        shade = "white" if low >= BRIGHT else "black"
        return StainGuess("no tissue", "good", f"The picture is {shade} all over.")
    if sample.even:
        return StainGuess("unknown", "", "The picture is of one colour all over.")
    black, graded = sample.black_share >= MOSTLY_BLACK, sample.dim_share >= MOSTLY_DIM
    if black and graded and sample.glass_share < NO_GLASS:
        return StainGuess(
            "fluorescence or dark field",
            "weak",
            f"{100 * sample.black_share:.0f} % of the picture is black, the rest mostly dim, "
            "and no glass is bright.",
        )
    if len(sample.density) >= ENOUGH_PX:
        return None
    few = f"Only {len(sample.density)} stained pixels were found."
    bare = len(sample.density) < HARDLY_ANY * sample.seen_px
    if bare and sample.glass_share >= MOSTLY_GLASS:
        return StainGuess("no tissue", "good", few + " The rest is bright glass.")
    return StainGuess("unknown", "", few)


def _by_colour(sample: ColourSample) -> StainGuess:
    if share_green_most(sample.density) >= GREEN_MOST:
        return _purple(sample)
    return (
        _brown_and_blue(sample)
        or _yellow_and_red(sample)
        or _red_and_aniline_blue(sample)
        or StainGuess("unknown", "", "The colours are not those of a stain that is known here.")
    )


def _brown_and_blue(sample: ColourSample) -> StainGuess | None:
    """DAB absorbs blue most and red least, but it does absorb red: its hue is impure."""
    hue, purity = sample.hue, sample.purity
    brown = float(np.mean(_between(hue, 190, 240) & (purity >= 0.25) & (purity < 0.7)))
    blue, pink = float(_between(hue, *BLUE).mean()), float(_between(hue, *PINKS).mean())
    if brown < 0.05 or blue < 0.02 or pink > 0.05:
        return None
    return StainGuess(
        "haematoxylin-DAB",
        "weak",
        f"{100 * brown:.0f} % of the stained pixels are brown, {100 * blue:.0f} % blue, and "
        f"hardly any pink.",
    )


def _yellow_and_red(sample: ColourSample) -> StainGuess | None:
    """Picric acid and Sirius red let red pass: their hues are purer than brown."""
    hue, purity, total = sample.hue, sample.purity, sample.density.sum(1)
    yellow = _between(hue, 205, 250) & (purity >= 0.68)
    red = _between(hue, 140, 205) & (purity >= 0.6)
    if yellow.mean() < 0.2 or red.mean() < 0.02 or _between(hue, *BLUE).mean() > 0.02:
        return None
    if np.median(total[red]) < 1.2 * np.median(total[yellow]):
        return None
    return StainGuess(
        "Sirius red",
        "weak",
        f"{100 * yellow.mean():.0f} % of the stained pixels are yellow and "
        f"{100 * red.mean():.0f} % red, which are darker; none are blue.",
    )


def _red_and_aniline_blue(sample: ColourSample) -> StainGuess | None:
    blue, aniline = _between(sample.hue, *BLUE), _between(sample.hue, BLUE[0], ANILINE)
    pink = _between(sample.hue, *PINKS).mean()
    if _pale_blue(sample) and pink >= 0.3 and aniline.sum() >= 0.5 * blue.sum():
        return _trichrome()
    return None


def _purple(sample: ColourSample) -> StainGuess:
    """Tell H&E from trichrome and others where green is absorbed most."""
    shift, bluish = nuclear_shift(sample.density), bluish_share(sample.density)
    if order_of(sample).verdict == "red and blue look swapped":
        return StainGuess(
            "unknown", "", "It looks like H&E whose red and blue channels were swapped."
        )
    if bluish > VIOLET:
        return StainGuess(
            "unknown", "", "It is violet as a whole: much haematoxylin, PAS, or another stain."
        )
    if shift <= -SHIFT:
        return StainGuess(
            "unknown", "", "The darkest pixels are redder: blood, a trichrome, or swapped channels."
        )
    if _pale_blue(sample):
        return _trichrome()
    if shift >= SHIFT or (shift >= SLIGHT_SHIFT and bluish <= PINK):
        return StainGuess(
            "H&E",
            "good" if shift >= SHIFT else "weak",
            f"Green is absorbed most, and the darkest pixels (nuclei) are "
            f"{'' if shift >= SHIFT else 'slightly '}bluer than the paler ones.",
        )
    return StainGuess(
        "unknown", "", "The tissue is pink to violet, but no nuclei bluer than it were found."
    )


def _pale_blue(sample: ColourSample) -> bool:
    """Whether there is blue stain that is paler than most: collagen, where nuclei are dark."""
    blue, total = _between(sample.hue, *BLUE), sample.density.sum(1)
    pale = blue & (total <= np.median(total))
    return bool(pale.mean() >= PALE_BLUE and pale.sum() >= MOSTLY_PALE * blue.sum())


def _trichrome() -> StainGuess:
    return StainGuess(
        "Masson trichrome",
        "weak",
        "Blue pixels are paler than the red and purple ones, as collagen is; in H&E the blue "
        "ones, nuclei, are darker.",
    )


def _between(hue: NDArray[np.float64], first: float, last: float) -> NDArray[np.bool_]:
    """Whether hues lie from first to last, degrees, across 0 where first is the larger."""
    return np.asarray((hue - first) % 360 <= (last - first) % 360)
