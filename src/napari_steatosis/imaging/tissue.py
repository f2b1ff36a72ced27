"""Where the parenchyma is: stain evidence, closed over droplets, less glass and large lumina."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.mask import Mask
from ..core.slide import Slide
from ._bits import as_bits, from_bits
from ._closing import Closed, Look, closed_map
from ._places import drop_small, grown_within, narrow
from ._stain_evidence import Judge, Light, share_of

VERSION = 3
FINE_UM = 2.0
"""Resolution at which stain is looked for: the septa between droplets are still seen, um."""

NEAR_UM = 4.0
"""Resolution at which stained places are closed over droplets, um."""

NECK_UM = 4.0
"""White places are narrowed by this before they are measured: broken septa then part them, um."""

REACH_UM = 16.0
"""So far the white of a lumen goes on into gaps of its edge that closing has filled, um."""

SMALL_PX = 1 << 22
"""Up to so many pixels a mask has the resolution at which stain is looked for: on a small slide the
edge is a large part of what is seen."""

LARGEST_PX = 1 << 25
"""A mask with more pixels than this has pixels of twice the side, for the memory."""

WIDE_UM, WIDE_REACH_UM = 300.0, 110.0
"""Glass: white places with the area of a circle of this diameter, and how far it goes on, um."""

STAIN = 0.06
"""Difference of optical density between the channels from which a pixel is stained."""


@dataclass(frozen=True)
class TissueRule:
    """What counts as tissue.

    Parameters
    ----------
    sensitivity : float
        From 0 (strongly stained only) to 1 (a trace of stain); see `stain`.
    um_per_px : float, optional
        Resolution of the mask, um; 2 on slides of up to 17 mm2 and 4 on larger ones by default.
        It is never finer than 2 or than the slide, and doubled where the mask would have more
        than 34 Mpx (537 mm2 at 4 um).
    gap_um : float
        Diameter of the largest single droplet to keep wherever it lies, um.
    lumen_um : float
        White places with the area of a circle of this diameter, or more, are lumina, um.
    piece_um : float
        Pieces of tissue with less than the area of a circle of this diameter are dirt, um.
    he : bool
        Whether the stain is H&E. Of any other, no colour is taken for felt pen or a fold.

    Examples
    --------
    >>> TissueRule().stain, TissueRule(sensitivity=1).stain
    (0.06, 0.02)
    """

    sensitivity: float = 0.5
    um_per_px: float | None = None
    gap_um: float = 16.0
    lumen_um: float = 55.0
    piece_um: float = 70.0
    he: bool = True

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if name == "sensitivity":
                if not 0 <= value <= 1:
                    raise BadValueError(f"sensitivity must lie in 0 to 1, got {value}.")
            elif name != "he" and value is not None and not value > 0:
                raise BadValueError(f"{name} must be positive, got {value}.")

    @property
    def stain(self) -> float:
        """Difference of optical density (natural logarithm) from which a pixel is stained.

        0.06 at the middle, three times as much at 0, a third at 1.
        """
        return round(STAIN * 3 ** (1 - 2 * self.sensitivity), 4)

    def on(self, slide: Slide) -> TissueRule:
        """Return the rule with the resolution that a mask of a slide has by default.

        Raises
        ------
        MissingScaleError
            Where the slide has no pixel size.
        """
        if self.um_per_px is not None:
            return self
        fine = slide.at(max(FINE_UM, slide.frame().mean_um_per_px))
        small = fine.height * fine.width <= SMALL_PX
        return replace(self, um_per_px=FINE_UM if small else NEAR_UM)


def find_tissue(
    slide: Slide,
    *,
    sensitivity: float = 0.5,
    um_per_px: float | None = None,
    gap_um: float = 16.0,
    lumen_um: float = 55.0,
    piece_um: float = 70.0,
) -> Mask:
    """Return where a slide shows parenchyma, fat included.

    A pixel is stained where its optical density differs between the channels, relative to
    the slide's own white. A white place is kept when a disk of `gap_um` does not fit into
    it (droplets and their clusters, sinusoids) or when it is smaller than a vessel of
    `lumen_um`; glass, tears and large lumina stay out. Wide places in the colours of felt
    pen, or as dense as folds, stay out too. Nothing here looks at brightness alone, so fat is
    not lost and dust, shadows and black borders are not gained.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    sensitivity : float
        From 0 to 1: how little stain is enough. More of it keeps paler tissue, and more dirt.
    um_per_px : float, optional
        Resolution of the mask, um; 2 on slides of up to 17 mm2 and 4 on larger ones by default.
        It is never finer than 2 or than the slide, and doubled where the mask would have more
        than 34 Mpx (537 mm2 at 4 um).
    gap_um : float
        Diameter of the largest single droplet to keep wherever it lies, um.
    lumen_um : float
        White places with the area of a circle of this diameter, or more, are lumina, um.
    piece_um : float
        Pieces of tissue with less than the area of a circle of this diameter are dirt, um.

    Returns
    -------
    Mask
        With area 0 where there is no tissue; ``provenance["reason"]`` then says why.

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    BadValueError
        Where a length is not positive, or the sensitivity not from 0 to 1.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> mask = find_tissue(st.drawn_liver(1024, 1024, seed=1))
    >>> mask.area_mm2 > 0
    True
    """
    steps = tissue_steps(slide, TissueRule(sensitivity, um_per_px, gap_um, lumen_um, piece_um))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            mask: Mask = end.value
            return mask


USUAL = TissueRule()
"""The rule of `find_tissue` without arguments."""


def tissue_steps(
    slide: Slide, rule: TissueRule = USUAL, *, light: Light | None = None
) -> Generator[float, None, Mask]:
    """Do what `find_tissue` does, and say after each block which share of it is done.

    Closing the generator ends the work after the blocks at hand.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    rule : TissueRule
        What counts as tissue.
    light : Light, optional
        White and usual density, for a part of a slide; the slide's own by default.

    Yields
    ------
    float
        From 0 to 1, rising.

    Returns
    -------
    Mask

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> shares = list(tissue_steps(st.drawn_liver(1024, 1024, seed=1)))
    >>> shares == sorted(shares)
    True
    """
    rule, fine = rule.on(slide), slide.at(max(FINE_UM, slide.frame().mean_um_per_px))
    um = float(rule.um_per_px or NEAR_UM)
    near = max(1, round(min(NEAR_UM, um) / fine.frame.mean_um_per_px))
    if fine.height * fine.width > LARGEST_PX * near**2:
        near *= 2
    grain = fine.frame.coarser(near)
    step = max(1, round(um / grain.mean_um_per_px))
    frame = grain.coarser(step)
    yield 0.0
    light = Light.of(fine) if light is None else light
    made = _provenance(slide, rule, light)
    if light.dark:
        shape = (-(-fine.height // (near * step)), -(-fine.width // (near * step)))
        made["reason"] = "the slide is dark all over: not a stained section in bright light"
        return Mask(np.zeros(shape, bool), frame, made)
    look = Look(fine, near, Judge(light, rule.stain, rule.he), rule.gap_um)
    seen = yield from closed_map(look)
    values = _without_lumina(seen, rule.lumen_um, grain.mean_um_per_px)
    drop_small(values, np.pi / 4 * rule.piece_um**2 / grain.um2_per_px)
    if not values.any():
        made["reason"] = "no stained tissue was found"
    return Mask(_coarser(values, step), frame, made)


def _without_lumina(seen: Closed, lumen_um: float, um_per_px: float) -> NDArray[np.bool_]:
    """Return what is left of closed tissue without lumina and glass; `seen` is used up."""

    def circle_px(diameter_um: float) -> float:
        return float(np.pi / 4 * (max(diameter_um, 0) / um_per_px) ** 2)

    necks = max(1, round(NECK_UM / um_per_px))

    def steps(reach_um: float) -> int:
        return necks + max(1, round(reach_um / um_per_px))  # what is narrowed is regained

    white = np.logical_not(seen.stained, out=seen.stained)
    # Droplets that only broken septa part, seen as one white place, come apart.
    for _ in range(necks):
        narrow(white)
    white[[0, -1]] = False
    white[:, [0, -1]] = False
    drop_small(white, circle_px(lumen_um - 2 * necks * um_per_px), diagonal=False)
    lumina = as_bits(white)  # so that one map is held as bytes, whatever the slide
    glass = drop_small(white, circle_px(WIDE_UM), diagonal=False)
    grown_within(glass, seen.white, steps(WIDE_REACH_UM))
    glass_bits = as_bits(glass)
    from_bits(lumina, white)
    grown_within(white, seen.white, steps(REACH_UM))
    from_bits(glass_bits, white, add=True)
    grown_within(white, seen.pale, 1)
    left: NDArray[np.bool_] = np.logical_not(white, out=white)
    return left


def _provenance(slide: Slide, rule: TissueRule, light: Light) -> dict[str, Any]:
    frame = slide.frame()
    return {
        "method": "find_tissue",
        "version": VERSION,
        **{name: float(value) for name, value in asdict(rule).items() if name != "he"},
        **({} if rule.he else {"he": False}),
        "stain": rule.stain,
        "white": [round(value, 2) for value in light.white],
        "slide": {
            "fingerprint": slide.fingerprint,
            "um_per_px": list(frame.um_per_px),
            "origin_um": list(frame.origin_um),
        },
    }


def _coarser(values: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Return a map whose pixels are `step` times as large: yes where half of it is yes."""
    return values if step == 1 else share_of(values, step) >= 128
