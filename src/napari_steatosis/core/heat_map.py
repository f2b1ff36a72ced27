"""A map of numbers over a part of a slide, for the eye."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Frame


@dataclass(frozen=True, eq=False)
class HeatMap:
    """What a model looked at, or how much of something there is, place by place.

    Parameters
    ----------
    name : str
        What it shows.
    values : (y, x) float32
        0 to 1; NaN where nothing was computed.
    frame : Frame
        Where its pixels lie in the tissue.
    provenance : mapping
        Slide, model, class, method, settings.
    """

    name: str
    values: NDArray[np.float32]
    frame: Frame
    provenance: Mapping[str, Any] = field(default_factory=dict)
