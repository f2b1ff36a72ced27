"""Drawn livers whose white places are known by kind: what a classifier of kinds learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.dataset import ArraySource, Sample
from ..core.geometry import Region
from ..imaging.phantom import WHITES, DrawnLiver, Style, drawn_liver
from ..imaging.phantom.lattice import Box
from ..imaging.phantom.vessels import vessels_in

LARGE_PX = 3000
"""Side of the livers in which a portal tract is looked for, px."""


def drawn_whites(
    count: int, *, seed: int, side_px: int = 1024, kinds: bool = True
) -> Iterator[Sample]:
    """Draw livers at 0.5 um per pixel with a mask of kinds.

    Every other window lies about a portal tract, since portal vessels and ducts are few; every
    fourth holds a piece of tissue with glass around. In a half sinusoids are open and wide; in a
    third tissue is torn or loose. Fat is log-uniform between 0.4 and 33 percent; a sixth has none.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        The same seed gives the same livers.
    side_px : int
        Height and width, px.
    kinds : bool
        Without, the mask holds fat (1) and all else (0).

    Yields
    ------
    Sample
        Each its own patient; the mask holds indices of `napari_steatosis.imaging.phantom.WHITES`.

    Examples
    --------
    >>> [sample.mask().shape for sample in drawn_whites(1, seed=1, side_px=64)]
    [(64, 64)]
    """
    for number in range(count):
        rng = np.random.default_rng([seed, number, 0x3417E])
        fat = 0.0 if number % 6 == 5 else float(np.exp(rng.uniform(-1.0, 3.5)))
        side = side_px if number % 2 == 0 else max(side_px, LARGE_PX)
        drawn = drawn_liver(
            side,
            side,
            seed=int(rng.integers(2**31)),
            fat_percent=fat,
            glass=number % 4 == 0,
        ).source
        assert isinstance(drawn, DrawnLiver)
        liver = replace(drawn, style=_worn(drawn.style, rng))
        window = liver.bounds if number % 2 == 0 else _at_tract(liver, rng, side_px)
        mask = liver.white_kinds(window)
        if not kinds:
            mask = (mask == WHITES.index("fat")).astype(np.uint8)
        source = ArraySource(liver.read(0, window), mask)
        yield Sample(f"drawn-whites-{seed}-{number}", source, um_per_px=0.5)


def _at_tract(liver: DrawnLiver, rng: np.random.Generator, side_px: int) -> Region:
    """Return a window with a portal tract in its middle half; the larger the likelier."""
    bounds, um = liver.bounds, liver.um_per_px
    tracts = vessels_in(liver.seed, Box(0.0, 0.0, bounds.height * um, bounds.width * um)).tracts
    inside = (np.minimum(tracts.y, tracts.x) > 0) & (
        np.maximum(tracts.y, tracts.x) < bounds.height * um
    )
    corner = rng.integers(0, bounds.height - side_px + 1, 2)
    if inside.any():
        chance = np.where(inside, tracts.radius**2, 0)
        one = rng.choice(len(chance), p=chance / chance.sum())
        place = np.array([tracts.y[one], tracts.x[one]]) / um
        corner = np.rint(place - side_px * rng.uniform(0.25, 0.75, 2)).astype(np.int64)
        corner = np.clip(corner, 0, bounds.height - side_px)
    return Region(y=int(corner[0]), x=int(corner[1]), height=side_px, width=side_px)


def _worn(style: Style, rng: np.random.Generator) -> Style:
    """Return a style with more of what is white and no fat."""
    more: dict[str, Any] = {}
    if rng.random() < 0.5:
        more |= {"sinusoids": float(rng.uniform(0.4, 1.0)), "dilation": float(rng.random())}
    if rng.random() < 1 / 3:
        torn = rng.choice(["tears", "holes", "loose"], 2, replace=False)
        more |= {str(name): float(rng.uniform(0.6, 1.0)) for name in torn}
    return replace(style, **more)
