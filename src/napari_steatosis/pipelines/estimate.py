"""How much a run will compute, and how long that will take here."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ..core.duration import duration
from ..core.model import Model, StreamingModel
from ..models._threads import sharing, threads, use_threads
from ._blocks import blocks_of
from ._crew import MOST_TAKERS
from ._plan import Plan, streams

TRIAL_PX = 512
"""Rows of the trial that is timed, after as many that are not, px."""

FEW_TILES = 4096
"""Up to so many tiles the blocks are laid out to count their halos; beyond, that of a large one."""

_measuring = threading.Lock()
_speeds: dict[tuple[str, str], float] = {}


@dataclass(frozen=True)
class Estimate:
    """What a run is about to do.

    Parameters
    ----------
    tiles : int
        Tiles to be computed.
    mpx : float
        Megapixels of the plane that they own.
    tissue_mm2 : float, optional
        Tissue of the slide that is analysed; None where the whole slide is.
    seconds : float
        How long it will take, from a short trial of the model on this machine.
    compute : str
        Device and precision, and why.
    warning : str
        Why a GPU that is here is not used.
    """

    tiles: int
    mpx: float
    tissue_mm2: float | None
    seconds: float
    compute: str = ""
    warning: str = ""

    def __str__(self) -> str:
        tissue = "" if self.tissue_mm2 is None else f", {self.tissue_mm2:.2f} mm² of tissue"
        return f"{self.tiles} tiles, {self.mpx:.1f} Mpx{tissue}: about {duration(self.seconds)}"


def estimate(plan: Plan, left: Collection[int] | None = None) -> Estimate:
    """Return what a plan computes and how long this machine will take.

    The first call for a model times it on a small image, which takes a fraction of a second;
    reading the slide is taken as free. A shared machine takes longer.

    Parameters
    ----------
    plan : Plan
        Of a segmentation.
    left : collection of int, optional
        The tiles that are still to be computed; None for all.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> from napari_steatosis.pipelines._plan import plan_segmentation
    >>> plan = plan_segmentation(st.drawn_liver(1024, 1024), st.load_model("steatosis-he"))
    >>> estimate(plan).tiles
    4
    """
    if left is not None:
        plan = replace(plan, tiles=tuple(sorted(left)))
    compute = getattr(plan.model, "compute", None)  # which a model of another kind may lack
    return Estimate(
        len(plan.tiles),
        plan.pixels / 1e6,
        None if plan.within is None else plan.within.area_mm2,
        network_px(plan) / network_px_per_s(plan.model) if plan.tiles else 0.0,
        "" if compute is None else str(compute),
        getattr(compute, "warning", ""),
    )


def network_px(plan: Plan) -> float:
    """Return how many pixels go through the network, halos included."""
    grid, takers = plan.grid, min(MOST_TAKERS, threads())
    if not streams(plan.model):
        return float(len(plan.tiles) * (grid.tile_px + 2 * grid.halo_px) ** 2)
    tiles = plan.tiles[:FEW_TILES]
    blocks = blocks_of(grid, tiles, takers=takers)
    seen = sum(block.outer.height * block.outer.width for block in blocks)
    return seen * len(plan.tiles) / len(tiles)


def network_px_per_s(model: Model) -> float:
    """Return how many pixels a model computes in a second here, on all threads."""
    key = (model.digest, str(model.arithmetic))
    with _measuring:
        if key not in _speeds:
            spec, takers = model.spec, min(MOST_TAKERS, threads())
            side = spec.tile_px + 2 * spec.halo_px
            shape = (TRIAL_PX, side, 3) if streams(model) else (side, side, 3)
            rgb = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
            with sharing(takers) as each:
                use_threads(each)
                seconds = _trial(model, rgb)
            _speeds[key] = rgb.shape[0] * rgb.shape[1] / seconds * takers
        return _speeds[key]


def _trial(model: Model, rgb: np.ndarray) -> float:
    stream = model.stream() if isinstance(model, StreamingModel) else None
    for _ in range(2):  # the first one prepares what the second one uses
        began = time.perf_counter()
        if stream is None:
            model.predict(rgb[None])
        else:
            stream.push(rgb)
    return time.perf_counter() - began
