"""From figures to verdicts: the limits of each aspect, and the sentence for the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..core.errors import UnreadableRegionError
from ..core.mask import Mask
from ..core.quality import Aspect, Verdict
from ..core.slide import Slide
from ._colour_sample import ColourSample, sample_colours
from ._quality_focus import Sharpness, sharpness
from ._quality_light import blockiness, brightness, clipped_shares
from ._quality_look import LOOK_UM, Look, look
from ._quality_marks import fold_share, grey_lines, ink
from ._quality_rims import Rim, bubbles, share_inside
from ._quality_windows import Windows, windows_in
from .channel_order import order_of
from .stain_guess import StainGuess, guess_of

LITTLE_MM2 = 1.0
"""Less tissue depends on where the section was taken, mm^2."""

BLURRED = 0.1
"""Share of tissue out of focus from which it is flagged."""

WIDE_PX = 2.8
"""Width of edges from which the pixels are finer than what they show, px."""

FOLDED = 0.02
"""Share of tissue in folds from which it is flagged."""

FULL_SHARE, EMPTY_SHARE = 0.1, 0.05
"""Shares of stained pixels that are clipped from which light is flagged."""

DIM = 180.0
"""Grey value of the brightest places below which the slide is too dark."""

PALE = 0.25
"""Median optical density of stained pixels in their strongest channel that is too pale."""

BLOCKY = 1.5
"""Steps at the borders of blocks over others from which compression is flagged."""

OTHER_STAINS = ("Masson trichrome", "Sirius red", "haematoxylin-DAB")
"""Blue and red ink cannot be told from these, and what is dense in them need not be a fold."""

NO_TISSUE = "There is no tissue to judge it by."
UNREAD = "Nothing could be read."


@dataclass(frozen=True, eq=False)
class Sample:
    """What the aspects are judged by.

    Parameters
    ----------
    scaled : bool
        Whether the slide has a pixel size.
    seen : Look
        The slide from afar.
    windows : Windows
        Places of its tissue at full resolution.
    sharp : Sharpness
        Edges in these windows.
    colours : ColourSample, optional
        Stained pixels; None where they could not be read.
    guess : StainGuess, optional
        What they say of the stain.
    tissue : Mask, optional
        What was given.
    rims : list of Rim
        Circles around bubbles.
    """

    scaled: bool
    seen: Look
    windows: Windows
    sharp: Sharpness
    colours: ColourSample | None
    guess: StainGuess | None
    tissue: Mask | None
    rims: list[Rim]

    @property
    def bare(self) -> bool:
        """Whether no tissue was found."""
        return not self.seen.tissue.any()

    @cached_property
    def ink(self) -> dict[str, float]:
        """Area of pen marks by colour, px of level 0 squared."""
        return {} if self.seen.dark else ink(self.seen, all_colours=not self.other_stain)

    @property
    def other_stain(self) -> bool:
        """Whether it looks like a stain that is known and is not H&E."""
        return self.guess is not None and self.guess.name in OTHER_STAINS


def verdicts(
    slide: Slide, tissue: Mask | None, random: np.random.Generator
) -> tuple[tuple[Aspect, ...], dict[str, Any]]:
    """Sample a slide and return the aspects, and what they rest on in plain values."""
    seen = look(slide, tissue, random)
    windows = windows_in(slide, seen, random)
    try:
        colours = sample_colours(slide)
    except UnreadableRegionError:
        colours = None
    um = None if slide.um_per_px is None else slide.frame().mean_um_per_px
    sharp = sharpness(windows, um)
    guess = None if colours is None else guess_of(colours)
    rims = bubbles(seen, random) if um is not None and not seen.dark else []
    sample = Sample(um is not None, seen, windows, sharp, colours, guess, tissue, rims)
    judges: tuple[Callable[[Sample], Aspect], ...] = (
        _tissue,
        _focus,
        _detail,
        _folds,
        _ink,
        _glass,
        _bubbles,
        _light,
        _white,
        _stain,
        _channels,
        _compression,
        _reading,
    )
    sampled = {
        "seen_share": round(seen.share, 4),
        "seen_um_per_px": round(seen.um, 4) if sample.scaled else None,
        "windows": len(windows.regions),
        "patches": sample.sharp.patches,
    }
    if seen.seen.any():
        return tuple(judge(sample) for judge in judges), sampled
    names = (judge.__name__.strip("_") for judge in judges[:-1])
    unread = tuple(Aspect(name, None, "", "not judged", UNREAD) for name in names)
    return (*unread, _reading(sample)), sampled


def _tissue(sample: Sample) -> Aspect:
    seen, mask = sample.seen, sample.tissue
    if sample.bare:
        why = "" if sample.guess is None else f" {sample.guess.reason}"
        area = 0.0 if sample.scaled else None
        return Aspect("tissue", area, "mm^2", "flagged", f"No stained tissue was found.{why}")
    if not sample.scaled:
        share = np.count_nonzero(seen.tissue) / np.count_nonzero(seen.seen)
        text = f"Without a pixel size its area is not known; it covers {100 * share:.0f} %."
        return Aspect("tissue", None, "mm^2", "not judged", text)
    about = np.count_nonzero(seen.tissue) * seen.um**2 / seen.share / 1e6
    area = float(about) if mask is None else mask.area_mm2
    if area >= LITTLE_MM2:
        return Aspect("tissue", area, "mm^2", "good", f"There are about {area:.3g} mm^2 of tissue.")
    text = (
        f"Little tissue: about {area:.2g} mm^2; below {LITTLE_MM2:g} mm^2 a value depends on where "
        f"the section was taken."
    )
    return Aspect("tissue", area, "mm^2", "flagged", text)


def _focus(sample: Sample) -> Aspect:
    made = _of("focus", "% of tissue")
    sharp = sample.sharp
    if sample.bare:
        return made(None, "not judged", NO_TISSUE)
    if sharp.reason:
        return made(None, "not judged", sharp.reason)
    if sharp.blurred is None:
        return made(None, "not judged", "The tissue shows too few edges to judge its focus.")
    percent = 100 * sharp.blurred
    if sharp.blurred < BLURRED:
        return made(percent, "good", f"About {percent:.0f} % of the tissue is out of focus.")
    text = (
        f"Out of focus: about {percent:.0f} % of the tissue, in {sharp.patches} sampled places; "
        f"small droplets are lost there. Scan the slide again, or exclude these places."
    )
    return made(percent, "flagged", text)


def _detail(sample: Sample) -> Aspect:
    made = _of("detail", "px")
    width = sample.sharp.width_px
    if sample.sharp.doubled:
        text = (
            "The picture was enlarged by repeating its pixels: it holds less than its pixel size "
            "promises."
        )
        return made(width, "flagged", text)
    if width is None:
        few = "There are too few edges to judge how fine the picture is."
        return made(None, "not judged", NO_TISSUE if sample.bare else few)
    if width < WIDE_PX:
        return made(width, "good", f"Edges are {width:.1f} px wide.")
    text = (
        f"Edges are {width:.1f} px wide: the picture was enlarged, or is out of focus all over; it "
        f"holds less than its pixel size promises."
    )
    return made(width, "flagged", text)


def _folds(sample: Sample) -> Aspect:
    made = _of("folds", "% of tissue")
    if not sample.scaled:
        return made(None, "not judged", "Without a pixel size folds are not looked for.")
    if sample.other_stain:
        return made(None, "not judged", "In this stain folds are not looked for.")
    share = None if sample.bare else fold_share(sample.seen)
    if share is None:
        return made(None, "not judged", "There is too little tissue to look for folds.")
    percent = 100 * share
    if share < FOLDED:
        return made(percent, "good", f"About {percent:.1f} % of the tissue looks folded.")
    text = (
        f"Folds: about {percent:.0f} % of the tissue is dense as if it lay twice; areas and "
        f"droplets are wrong there. Exclude these places."
    )
    return made(percent, "flagged", text)


def _ink(sample: Sample) -> Aspect:
    made = _of("ink", "mm^2" if sample.scaled else "% of the picture")
    seen, areas = sample.seen, sample.ink
    if seen.dark:
        return made(None, "not judged", "In a dark picture ink is not looked for.")
    if not areas:
        only = " Blue and red ink cannot be told from this stain." if sample.other_stain else ""
        return made(0.0, "good", f"No pen marks were found.{only}")
    whole = np.count_nonzero(seen.seen) * seen.px**2 / seen.share
    scale = (seen.um / seen.px) ** 2 / 1e6 if sample.scaled else 100 / whole
    shown = ", ".join(f"{colour} {scale * area:.2g}" for colour, area in areas.items())
    unit = "mm^2" if sample.scaled else "% of the picture"
    text = f"Pen marks ({shown} {unit}): what lies under them is not measured rightly."
    return made(scale * sum(areas.values()), "flagged", text)


def _glass(sample: Sample) -> Aspect:
    made = _of("glass", "% of glass")
    if sample.seen.dark or not sample.scaled:
        why = "In a dark picture" if sample.seen.dark else "Without a pixel size"
        return made(None, "not judged", f"{why} lines on the glass are not looked for.")
    share, longest = grey_lines(sample.seen)
    percent = 100 * share
    if longest == 0:
        return made(percent, "good", "No long grey lines were found on the glass.")
    text = (
        f"Grey lines up to {longest / 1000:.1f} mm long on the glass: the edge of a coverslip, a "
        f"bubble or a scratch. Look whether one crosses the tissue."
    )
    return made(percent, "flagged", text)


def _bubbles(sample: Sample) -> Aspect:
    made = _of("bubbles", "% of tissue")
    seen = sample.seen
    reasons = {
        "Without a pixel size": not sample.scaled,
        "In a dark picture": seen.dark,
        "With pixels so coarse": seen.um > 2 * LOOK_UM,
    }
    for why in (reason for reason, so in reasons.items() if so):
        return made(None, "not judged", f"{why} bubbles are not looked for.")
    percent = 100 * share_inside(seen, sample.rims)
    if percent == 0:
        return made(percent, "good", "No rims of bubbles were found over the tissue.")
    across = 2 * max(rim.radius for rim in sample.rims) * seen.um / 1000
    text = (
        f"Bubbles: {len(sample.rims)} dark round rims, up to {across:.2g} mm across, with about "
        f"{percent:.1f} % of the tissue inside. Exclude these places, or mount the slide again."
    )
    return made(percent, "flagged", text)


def _light(sample: Sample) -> Aspect:
    made = _of("light", "% of stained pixels")
    if not sample.windows.pixels:
        return made(None, "not judged", NO_TISSUE)
    full, empty = clipped_shares(sample.windows, sample.seen.white)
    percent = 100 * max(full, empty)
    if full >= FULL_SHARE:
        text = (
            f"Over-exposed: {100 * full:.0f} % of the stained pixels are at full brightness in a "
            f"channel, so pale stain is lost."
        )
        return made(percent, "flagged", text)
    if empty >= EMPTY_SHARE:
        text = (
            f"Too dark: {100 * empty:.0f} % of the stained pixels are black in a channel, so dense "
            f"stain is lost."
        )
        return made(percent, "flagged", text)
    return made(percent, "good", f"{percent:.1f} % of the stained pixels are clipped.")


def _white(sample: Sample) -> Aspect:
    made = _of("white", "grey value")
    top, glass = brightness(sample.seen)
    if sample.seen.dark:
        text = "The picture is dark all over: this is no section in bright light."
        return made(top, "flagged", text)
    if top < DIM:
        text = (
            f"Too dark: the brightest places have the grey value {top:.0f}; glass usually has 220 "
            f"to 255."
        )
        return made(top, "flagged", text)
    more = "" if glass else "; no bare glass was seen"
    return made(top, "good", f"The brightest places have the grey value {top:.0f}{more}.")


def _stain(sample: Sample) -> Aspect:
    made = _of("stain", "optical density")
    seen, colours, guess = sample.seen, sample.colours, sample.guess
    if colours is None or guess is None:
        return made(None, "not judged", "The colours could not be read.")
    depth = float(np.median(colours.density.max(axis=1))) if len(colours.density) else None
    if seen.grey and guess.name != "no tissue":
        text = "The picture is grey: it shows no stain (ultrasound, or converted to grey?)."
        return made(depth, "flagged", text)
    if guess.name == "no tissue":
        return made(depth, "flagged", f"No stain was found. {guess.reason}")
    if order_of(colours).verdict == "red and blue look swapped":
        text = "To be judged when red and blue are put right."
        return made(depth, "not judged", text)
    if guess.name == "H&E":
        if depth is not None and depth < PALE:
            text = f"The stain is pale: its median optical density is {depth:.2f}."
            return made(depth, "flagged", text)
        return made(depth, "good", "It looks like H&E.")
    known = "" if guess.name == "unknown" else f", but like {guess.name}"
    if sample.ink:
        return made(depth, "not judged", "Pen marks are among the colours it would be judged by.")
    text = f"This does not clearly look like H&E{known}. {guess.reason}"
    return made(depth, "flagged", text)


def _channels(sample: Sample) -> Aspect:
    made = _of("channels", "bluer nuclei")
    if sample.colours is None:
        return made(None, "not judged", "The colours could not be read.")
    order = order_of(sample.colours)
    score = float(order.score) if np.isfinite(order.score) else None
    if order.verdict == "as expected":
        return made(score, "good", order.reason)
    if order.verdict == "undecided":
        return made(score, "not judged", order.reason)
    text = (
        f"Red and blue look swapped in this file. {order.reason} The model expects H&E as a "
        f"microscope shows it: if they are swapped, open the slide again with "
        f"swap_red_blue=True (--swap-red-blue)."
    )
    return made(score, "flagged", text)


def _compression(sample: Sample) -> Aspect:
    made = _of("compression", "x")
    ratio = blockiness(sample.windows)
    if ratio is None:
        return made(None, "not judged", NO_TISSUE)
    if ratio < BLOCKY:
        return made(ratio, "good", "Blocks of JPEG hardly show.")
    text = (
        f"Strong compression: steps at the borders of 8 x 8 blocks are {ratio:.1f} times as large "
        f"as others."
    )
    return made(ratio, "flagged", text)


def _reading(sample: Sample) -> Aspect:
    seen, windows = sample.seen, sample.windows
    asked = seen.corners.shape[0] * seen.corners.shape[1] + len(windows.regions) + windows.unread
    unread = seen.unread + windows.unread
    percent = 100 * (1 - unread / asked)
    made = _of("reading", "% of the sample")
    if not unread:
        return made(percent, "good", "All places that were sampled could be read.")
    text = f"{unread} of {asked} sampled places cannot be read: the file may be damaged."
    return made(percent, "flagged", text)


def _of(name: str, unit: str) -> Callable[[float | None, Verdict, str], Aspect]:
    def made(value: float | None, verdict: Verdict, text: str) -> Aspect:
        return Aspect(name, value, unit, verdict, text)

    return made
