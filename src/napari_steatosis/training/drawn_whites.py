"""Drawn livers whose white places are known by kind: what a classifier of kinds learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from ..core.dataset import ArraySource, Sample
from ..imaging.phantom import DrawnLiver, Style, drawn_liver


def drawn_whites(count: int, *, seed: int, side_px: int = 1024) -> Iterator[Sample]:
    """Draw livers at 0.5 um per pixel with a mask of kinds, every other one with glass around.

    In a half sinusoids are open and wide; in a third tissue is torn or loose. Fat is
    log-uniform between 0.4 and 33 percent; a sixth has none.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        The same seed gives the same livers.
    side_px : int
        Height and width, px.

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
        drawn = drawn_liver(
            side_px,
            side_px,
            seed=int(rng.integers(2**31)),
            fat_percent=fat,
            glass=number % 2 == 0,
        ).source
        assert isinstance(drawn, DrawnLiver)
        liver = replace(drawn, style=_worn(drawn.style, rng))
        source = ArraySource(liver.read(0, liver.bounds), liver.white_kinds(liver.bounds))
        yield Sample(f"drawn-whites-{seed}-{number}", source, um_per_px=0.5)


def _worn(style: Style, rng: np.random.Generator) -> Style:
    """Return a style with more of what is white and no fat."""
    more: dict[str, Any] = {}
    if rng.random() < 0.5:
        more |= {"sinusoids": float(rng.uniform(0.4, 1.0)), "dilation": float(rng.random())}
    if rng.random() < 1 / 3:
        torn = rng.choice(["tears", "holes", "loose"], 2, replace=False)
        more |= {str(name): float(rng.uniform(0.6, 1.0)) for name in torn}
    return replace(style, **more)
