"""Where tissue ends: a piece or needle cores on glass, and cracks in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .damage import gaps, holes
from .lattice import Doubles, Floats, key_of, noise
from .style import Style

CORES = 3
CORE_HALF_WIDTH_UM = 550.0
CORE_LENGTH_UM = 15_000.0
CORE_SPACING_UM = 2_600.0
PIECE_UP_TO_UM = 8_000.0
ROUGH_UM = 80.0
"""The noise of the edge moves it by less than this, um."""

LITTER_UM = 55.0
"""Nothing lies on glass further than this from tissue, um."""


@dataclass(frozen=True, slots=True)
class Outline:
    """The shape of the tissue.

    Parameters
    ----------
    shape : str
        "everywhere", "piece" (one rounded piece) or "cores" (three needle cores).
    height_um, width_um : float
        Extent of the slide, um.
    seed : int
        Seed of the drawn liver.
    style : Style
        How torn, frayed and loose the tissue is.
    """

    shape: str
    height_um: float
    width_um: float
    seed: int
    style: Style

    def depth(self, y: Doubles, x: Doubles, finest_um: float = 0.0) -> Floats:
        """Return how deep points lie in the tissue, um; negative on glass and in gaps.

        Roughness finer than `finest_um` is left out.
        """
        deep = self.smooth_depth(y, x)
        if self.shape != "everywhere":
            frayed = 2 * noise(y, x, 300.0, key_of(self.seed, "frayed edge"))
            frayed *= 1 + self.style.fray
            for pitch, swing in ((160.0, 44.0), (28.0, 14.0), (8.0, 9.0), (3.0, 4.0)):
                if pitch > finest_um:
                    rough = noise(y, x, pitch, key_of(self.seed, f"edge {pitch}")) - 0.5
                    deep = deep + swing * (rough if pitch > 100 else rough * frayed)
        if self.style.tears > 0:
            deep = np.minimum(deep, -self._tear(y, x, finest_um))
        if self.style.holes > 0:
            deep = np.minimum(deep, -holes(self.seed, self.style, y, x, finest_um))
        if self.style.loose > 0:
            deep = np.minimum(deep, -gaps(self.seed, self.style, y, x, finest_um))
        return deep

    def smooth_depth(self, y: Doubles, x: Doubles) -> Floats:
        """Return the depth below the smooth outline, um, without rough edge and cracks."""
        v, u = y - self.height_um / 2, x - self.width_um / 2
        if self.shape == "everywhere":
            return np.full(np.broadcast_shapes(y.shape, x.shape), 1e4, np.float32)
        if self.shape == "piece":
            a, b = 0.43 * self.height_um, 0.43 * self.width_um
            ratio = (np.abs(v / a) ** 3 + np.abs(u / b) ** 3) ** (1 / 3)
            return ((1 - ratio) * min(a, b)).astype(np.float32)
        if self.height_um > self.width_um:
            v, u = u, v
        half_length = min(CORE_LENGTH_UM, 0.8 * max(self.height_um, self.width_um)) / 2
        deep = np.full(np.broadcast_shapes(y.shape, x.shape), -np.inf, np.float32)
        for core in range(CORES):
            key = key_of(self.seed, f"core {core}")
            bend = 900 * (noise(u, np.zeros_like(u), 4000.0, key) - 0.5)
            shift = 2000.0 * (key % 1000 / 1000 - 0.5)
            middle = (core - (CORES - 1) / 2) * CORE_SPACING_UM + bend
            across = CORE_HALF_WIDTH_UM - np.abs(v - middle)
            along = half_length - np.abs(u - shift)
            deep = np.maximum(deep, np.minimum(across, along).astype(np.float32))
        return deep

    def is_bare(self, y: float, x: float, radius_um: float) -> bool:
        """Return whether a disc is surely free of tissue and of what lies beside it."""
        deep = self.smooth_depth(np.full((1, 1), y), np.full((1, 1), x))
        return float(deep[0, 0]) < -(1.3 * radius_um + ROUGH_UM + LITTER_UM)

    def _tear(self, y: Doubles, x: Doubles, finest_um: float) -> Floats:
        """Return the signed distance to cracks, um, positive inside."""
        course = noise(y, x, 240.0, key_of(self.seed, "tear course"))
        place = noise(y, x, 600.0, key_of(self.seed, "tear place"))
        width = 60 * (place - (1 - 0.35 * self.style.tears))
        if finest_um < 9:
            width = width + 4 * (noise(y, x, 9.0, key_of(self.seed, "tear edge")) - 0.5)
        return width - 200 * np.abs(course - 0.5)
