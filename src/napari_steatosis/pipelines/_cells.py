"""What a classification will do: cells of the plane, the windows that cover them, identity."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.digest import digest
from ..core.errors import BadValueError, NoTissueError
from ..core.geometry import Frame, Region
from ..core.grid import Grid
from ..core.mask import Mask
from ..core.model import Model
from ..core.plane import Plane
from ..core.slide import Slide
from ..core.stain import StainTransform
from ._plan import Plan

BLOCK_PX = {"cpu": 2**21}
"""Pixels of the windows that begin in one block: about a second of a small network."""
BLOCK_PX_ELSEWHERE = 2**23
"""The same where a graphics card computes, which wants more at once."""
BAND_PX = 1024
"""Columns of a mask that are summed at once."""
LEAST_SHARE = 0.5
"""Share of a cell that must be tissue for the cell to be analysed."""


@dataclass(frozen=True, eq=False)
class CellPlan:
    """A classification that has not begun: picklable, so that a cluster worker can do a part.

    A *window* is the square that the model sees. Windows begin every `step_px`, and the square
    between the beginnings of two neighbours is a *cell*: one pixel of the result, whose
    probabilities are the mean of those of the windows that cover it. Cells are computed and
    stored in blocks, which are the tiles of `grid`.

    Parameters
    ----------
    plane : Plane
        The slide at the model's resolution.
    model : Model
        What predicts.
    step_px : int
        Side of a cell, px of the plane.
    grid : Grid
        Blocks of cells; its unit is the cell.
    analysed : (row, column) bool
        The cells that get a class.
    tiles : tuple of int
        The blocks that hold such cells, in row-major order.
    within : Mask, optional
        Where to analyse; None is everywhere.
    stain : StainTransform, optional
        Applied to the pixels before the model.
    least_share : float
        Share of a cell that must lie in `within`.
    batch : int, optional
        Windows given to the model at once; None takes what is fastest on its device.
    """

    plane: Plane
    model: Model
    step_px: int
    grid: Grid
    analysed: NDArray[np.bool_]
    tiles: tuple[int, ...]
    within: Mask | None = None
    stain: StainTransform | None = None
    least_share: float = LEAST_SHARE
    batch: int | None = None

    @property
    def slide(self) -> Slide:
        """The slide that is analysed."""
        return self.plane.slide

    @property
    def frame(self) -> Frame:
        """Where the cells lie in the tissue; pixel (0, 0) is the centre of the first cell."""
        return self.plane.frame.coarser(self.step_px)

    @property
    def span(self) -> int:
        """Cells that a window covers along one side."""
        return self.model.spec.tile_px // self.step_px

    @cached_property
    def windows(self) -> Grid:
        """Blocks of windows; every window begins inside the plane and covers whole cells."""
        grid, side = self.grid, self.grid.tile_px
        rows, columns = (max(1, n - self.span + 1) for n in (grid.height, grid.width))
        return Grid(rows, columns, tile_px=side)

    @cached_property
    def needed(self) -> NDArray[np.bool_]:
        """The windows that cover an analysed cell, (row, column) bool."""
        found = self.analysed
        for axis in (0, 1):
            found = _any_ahead(found, self.span, axis)
        return found[: self.windows.height, : self.windows.width]

    def window(self, row: int, column: int) -> Region:
        """Return what the model sees of a window, px of the plane."""
        spec = self.model.spec
        own = Region(
            y=row * self.step_px, x=column * self.step_px, height=spec.tile_px, width=spec.tile_px
        )
        return own.grow(spec.halo_px)

    def windows_of(self, tile: int) -> list[int]:
        """Return the blocks of windows that cover the analysed cells of a block of cells."""
        inner, blocks = self.grid[tile].inner, self.windows
        rows = self._spanned(inner.y, inner.y_end, blocks.height)
        columns = self._spanned(inner.x, inner.x_end, blocks.width)
        return [
            index
            for index in (r * blocks.columns + c for r in rows for c in columns)
            if self.needed[blocks[index].inner.slices].any()
        ]

    def _spanned(self, first: int, end: int, windows: int) -> range:
        side = self.grid.tile_px
        low = min(max(0, first - self.span + 1), windows - 1)
        return range(low // side, min(end, windows - 1) // side + 1)

    @property
    def count(self) -> int:
        """Number of windows that the model is given."""
        return int(np.count_nonzero(self.needed))

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything the result depends on, as plain values; no paths, no times."""
        spec = self.model.spec
        return {
            **_as_plan(self).identity,
            "task": "classification",
            "tile_px": spec.tile_px,
            "halo_px": spec.halo_px,
            "threshold": spec.threshold,
            "step_px": self.step_px,
            "block_cells": self.grid.tile_px,
            "least_share": self.least_share,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of `identity`: the same from script, shell and window."""
        return digest(self.identity)

    @property
    def provenance(self) -> dict[str, Any]:
        """The identity, and what a reader wants to know besides."""
        return {
            **_as_plan(self).provenance,
            **{key: self.identity[key] for key in self.identity if key not in ("slide", "model")},
            "digest": self.digest,
            "windows": self.count,
            "cells": int(np.count_nonzero(self.analysed)),
            "um_per_cell": list(self.frame.um_per_px),
        }


def plan_classification(
    slide: Slide,
    model: Model,
    *,
    within: Mask | None = None,
    stain: StainTransform | None = None,
    step_px: int | None = None,
    least_share: float = LEAST_SHARE,
) -> CellPlan:
    """Decide which cells of a slide are classified, and which windows that takes.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    model : Model
        A classifier.
    within : Mask, optional
        Where to analyse (tissue, regions); None is the whole slide.
    stain : StainTransform, optional
        Fitted on this slide.
    step_px : int, optional
        Distance of two windows, px of the model's resolution; it divides the model's tile.
        None is the tile: windows side by side.
    least_share : float
        Share of a cell that must lie in `within`, more than 0 and at most 1.

    Raises
    ------
    MissingScaleError
        Where the slide has no pixel size.
    NoTissueError
        Where `within` leaves no cell to analyse.
    BadValueError
        Where the model does not classify, or the step or the share makes no sense.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> plan_classification(st.drawn_liver(512, 512, seed=1), st.load_model("steatosis-he"))
    Traceback (most recent call last):
        ...
    napari_steatosis.core.errors.BadValueError: The model 'steatosis-he' is for segmentation...
    """
    spec = model.spec
    if spec.task != "classification":
        raise BadValueError(f"The model {spec.name!r} is for {spec.task}, not classification.")
    step = _checked_step(spec.tile_px, step_px)
    if not 0 < least_share <= 1:
        raise BadValueError(
            f"The least share of tissue in a cell is {least_share}; it must be more than 0 and "
            f"at most 1 (0.5 is half of the cell)."
        )
    plane = slide.at(spec.um_per_px)
    rows, columns = -(-plane.height // step), -(-plane.width // step)
    analysed = np.ones((rows, columns), bool)
    if within is not None:
        analysed = shares(within, plane, step) >= least_share - 1e-9
    grid = Grid(rows, columns, tile_px=_block_cells(model))
    tiles = tuple(tile.index for tile in grid if analysed[tile.inner.slices].any())
    if not tiles:
        raise NoTissueError(
            f"{slide.path}: there is nothing to classify: no cell of {step} px holds a share of "
            f"{least_share:g} of tissue or region. Check the region, take a smaller step or "
            f"share, or classify without a tissue mask."
        )
    return CellPlan(plane, model, step, grid, analysed, tiles, within, stain, least_share)


def shares(mask: Mask, plane: Plane, step_px: int) -> NDArray[np.float64]:
    """Return the share of every cell that lies in a mask, exactly.

    A cell that sticks out of the plane counts with its part inside.

    Parameters
    ----------
    mask : Mask
        Its pixels are squares around their centres.
    plane : Plane
        What the cells divide.
    step_px : int
        Side of a cell, px of the plane.

    Returns
    -------
    (row, column) float64
        0 to 1.
    """
    rows, columns = (_cell_edges(mask, plane, step_px, axis) for axis in (0, 1))
    values = mask.values
    bands = range(0, values.shape[1], BAND_PX)  # bounds the memory of a large mask
    by_row = [_means(values[:, x : x + BAND_PX], rows) for x in bands]
    return _means(np.concatenate(by_row, axis=1).T, columns).T


def _cell_edges(mask: Mask, plane: Plane, step_px: int, axis: int) -> NDArray[np.float64]:
    """Return where cells begin, and the last one ends, in px of the mask from its corner."""
    length = (plane.height, plane.width)[axis]
    edges_px = np.append(np.arange(0, length, step_px), length) - 0.5
    edges_um = edges_px * plane.frame.um_per_px[axis] + plane.frame.origin_um[axis]
    return (edges_um - mask.frame.origin_um[axis]) / mask.frame.um_per_px[axis] + 0.5


def _means(values: NDArray[Any], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the means along axis 0 between edges, of rows that reach from i to i + 1."""
    total = np.zeros((len(values) + 1, *values.shape[1:]))
    np.cumsum(values, axis=0, out=total[1:])
    inside = np.clip(edges, 0, len(values))
    whole = np.minimum(inside.astype(int), len(values) - 1)
    at_edges = total[whole] + (inside - whole)[:, None] * values[whole]
    return np.diff(at_edges, axis=0) / np.diff(edges)[:, None]


def _any_ahead(values: NDArray[np.bool_], span: int, axis: int) -> NDArray[np.bool_]:
    """Return for each place whether any of the `span` values from it on is true."""
    moved = np.moveaxis(values, axis, 0)
    found = moved.copy()
    for ahead in range(1, min(span, len(moved))):
        found[:-ahead] |= moved[ahead:]
    return np.moveaxis(found, 0, axis)


def _checked_step(tile_px: int, step_px: int | None) -> int:
    step = tile_px if step_px is None else step_px
    if not 0 < step <= tile_px or tile_px % step:
        fitting = ", ".join(str(tile_px // n) for n in _divisors(tile_px))
        raise BadValueError(
            f"A step of {step} px does not divide the model's tile of {tile_px} px, so windows "
            f"would not cover whole cells. Choose one of: {fitting}."
        )
    return step


def _divisors(number: int) -> Iterator[int]:
    return (n for n in range(1, min(number, 16) + 1) if number % n == 0)


def _block_cells(model: Model) -> int:
    """Return the side of a block in cells; it depends on nothing that may change in a resume."""
    spec = model.spec
    pixels = BLOCK_PX.get(model.arithmetic.get("device", "cpu"), BLOCK_PX_ELSEWHERE)
    return max(1, math.isqrt(pixels // (spec.tile_px + 2 * spec.halo_px) ** 2))


def _as_plan(plan: CellPlan) -> Plan:
    """Return what a classification has in common with every run: slide, plane, model, mask."""
    return Plan(plan.plane, plan.model, plan.grid, plan.tiles, plan.within, plan.stain)
