"""Stretch of the grey values between two percentiles of the whole slide, one pair for all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from .colour_table import table_of
from .optics import recolour
from .references import Reference, Vector
from .stain_findings import of_range
from .stain_method import Method, as_json
from .stain_sample import StainSample

ENDS = (0.1, 99.9)
"""Percentiles of grey that become 0 and 255."""

REC601 = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""


@dataclass(frozen=True)
class Stretch:
    """``(value - low) * 255 / (high - low)`` for all channels alike, cut off at 0 and 255.

    Parameters
    ----------
    white : (3,) float
        Grey value of this slide's glass; it stays as it is.
    low, high : float
        Grey values of the slide that become 0 and 255.
    spares_white : bool
        Whether white pixels pass unchanged. Without it white is stretched like all else.

    Examples
    --------
    >>> stretch = Stretch((245.0, 245.0, 245.0), 45.0, 249.0)
    >>> stretch.apply(np.uint8([[250, 245, 246], [96, 147, 45]])).tolist()
    [[250, 245, 246], [64, 128, 0]]
    """

    white: Vector
    low: float
    high: float
    spares_white: bool = True

    name = "percentile"

    @property
    def findings(self) -> tuple[str, ...]:
        """What is suspicious about the fit."""
        return tuple(of_range(self.low, self.high))

    def apply(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Stretch ``(..., 3) uint8``; white stays as it is."""
        return table_of(self).apply(rgb)

    def exact(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Compute what `apply` looks up, pixel by pixel."""
        return recolour(rgb, self.white, self._table.__getitem__, spare_white=self.spares_white)

    def to_json(self) -> dict[str, Any]:
        """Return the fitted parameters as plain values."""
        return as_json(self)

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        steps = (np.arange(256) - self.low) * 255 / (self.high - self.low)
        return np.clip(steps, 0, 255).astype(np.float32)


def fit(sample: StainSample, reference: Reference) -> Stretch:
    """Find the two percentiles of grey over the whole slide, glass included.

    No reference takes part: the goal is the full range of grey.

    Raises
    ------
    BadValueError
        Where the slide is of one grey value.
    """
    grey = np.rint(sample.everywhere @ np.asarray(REC601))
    low, high = (float(value) for value in np.percentile(grey, ENDS))
    if high <= low:
        raise BadValueError(
            f"Between the {ENDS[0]:g}th and {ENDS[1]:g}th percentile the slide has one grey value, "
            f"{low:.0f}: there is nothing to stretch. Analyse without normalisation."
        )
    return Stretch(sample.white, low, high)


PERCENTILE = Method(fit, Stretch)
"""The row of `STAINS`."""
