"""What each white place of a drawn liver is: fat, a vessel, a sinusoid, a tear, glass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .cells import mosaic
from .paint import PLATES_END, fibrous
from .scene import Scene, truth_of
from .stamp import stamp
from .vessels import vessels_in
from .view import View

WHITES = ("tissue", "fat", "vein", "portal vessel", "sinusoid", "duct", "tear", "glass")
"""Names of the values of `white_kinds`; a tear is a crack, a hole or a gap of loose tissue."""

OF_VESSEL = np.array([WHITES.index(name) for name in ("vein", *2 * ["portal vessel"], "duct")])
"""Value of each of `vessels.KINDS`."""


def white_kinds(scene: Scene, view: View, step: int) -> NDArray[np.uint8]:
    """Return what lies under each pixel of a view, an index of `WHITES`.

    Sinusoids are marked wherever they are open, those full of red cells too.
    """
    classes, _ = truth_of(scene, view, step)
    under = view.under(step)
    vessels = vessels_in(scene.seed, under.box)
    _, lumen = scene.voids(under, vessels)
    found = np.where(classes == 2, WHITES.index("fat"), 0).astype(np.uint8)
    void = classes == 0
    found[void] = WHITES.index("tear")
    whole = replace(scene.outline, style=replace(scene.style, tears=0.0, holes=0.0, loose=0.0))
    bare = view.refine(whole.depth(under.rows, under.columns), step) <= 0
    found[void & bare] = WHITES.index("glass")
    in_vessel = void & ~bare & (view.refine(lumen, step) <= 0)
    if in_vessel.any():
        kinds = np.append(OF_VESSEL[vessels.kinds], WHITES.index("tear"))
        found[in_vessel] = kinds[stamp(vessels.lumina, view, 12.0).index[in_vessel]]
    plates = fibrous(scene, under, vessels)[0] <= PLATES_END
    sinusoid = np.where(plates, mosaic(scene.seed, scene.style, under).sinusoid, np.float32(-4))
    found[(classes == 1) & (view.refine(sinusoid, step) > 0)] = WHITES.index("sinusoid")
    return found
