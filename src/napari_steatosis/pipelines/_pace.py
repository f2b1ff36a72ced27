"""How long a run will take: the speed of a model, measured once, and the work of a plan."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np

from ..core.model import Model
from ._plan import Plan

SIDE_PX = 512
"""Side of the square that is sent through a model, px."""

BLOCK_TILES = 8
"""Side of the blocks in which most tiles are computed, tiles: what they see is more than that."""


@dataclass(frozen=True)
class Outlook:
    """What a run will do, said before its first tile.

    Parameters
    ----------
    tiles : int
        To be stored, those of an earlier run that is taken up included.
    area_mm2 : float, optional
        Tissue to be analysed; None where nothing was left out.
    mpx : float
        Of the plane, with what lies beside the tissue in the same tiles.
    seconds : float
        About how long the tiles take.
    compute : str
        Device, precision and why.
    warning : str
        Why a GPU that is here is not used.
    """

    tiles: int
    area_mm2: float | None
    mpx: float
    seconds: float
    compute: str
    warning: str = ""


_measured: dict[tuple[str, str], float] = {}
_measuring = threading.Lock()


def pace(model: Model) -> float:
    """Return how much of a picture a segmentation model computes, Mpx/s.

    The first call for a model measures it, which takes as long as two squares of 512 px.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> pace(st.load_model("steatosis-he")) > 0
    True
    """
    key = (model.digest, repr(sorted(model.arithmetic.items())))
    with _measuring:
        if key not in _measured:
            step = model.spec.multiple_px
            side = -(-SIDE_PX // step) * step
            noise = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
            model.predict(noise)  # sets up what is used for the first time
            began = time.perf_counter()
            model.predict(noise)
            _measured[key] = side**2 / 1e6 / (time.perf_counter() - began)
        return _measured[key]


def expected_s(plan: Plan, mpx_per_s: float) -> float:
    """Return about how long the tiles of a plan take at a pace, s.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> from napari_steatosis.pipelines._plan import plan_segmentation
    >>> plan = plan_segmentation(st.drawn_liver(1024, 1024), st.load_model("steatosis-he"))
    >>> expected_s(plan, 2.0) == expected_s(plan, 1.0) / 2
    True
    """
    grid = plan.grid
    block_px = min(BLOCK_TILES, max(grid.rows, grid.columns)) * grid.tile_px
    seen = ((block_px + 2 * grid.halo_px) / block_px) ** 2
    return plan.pixels * seen / 1e6 / mpx_per_s


def outlook(plan: Plan) -> Outlook:
    """Return what is to be said of a plan before it is run; measures the model's pace."""
    compute = getattr(plan.model, "compute", None)  # which a model of another kind may lack
    return Outlook(
        len(plan.tiles),
        None if plan.within is None else plan.within.area_mm2,
        plan.pixels / 1e6,
        expected_s(plan, pace(plan.model)),
        "" if compute is None else str(compute),
        getattr(compute, "warning", ""),
    )
