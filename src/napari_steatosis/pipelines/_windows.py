"""The task of one block of windows: read, normalise, predict; and the cells made of windows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.errors import UnreadableRegionError
from ..core.geometry import Region
from ..io._probability_pyramid import quantised
from ..io._store import StoredTile
from ._cells import CellPlan
from ._stain import behind
from ._tiles import class_values

BATCH_PX = {"cpu": 2**20}
"""Pixels given to the model at once: of batches of 1 to 48 windows of 224 px, 8 to 16 were fastest
for a resnet18 on a processor (37 ms per window; 52 ms one by one, 44 ms in batches of 48)."""
SIGMA = 0.25
"""Standard deviation of the weight of a window over its cells, in sides of the window."""


@dataclass(frozen=True, eq=False)
class BlockPixels:
    """The pixels under a block of windows.

    Parameters
    ----------
    index : int
        The block in `CellPlan.windows`.
    places : tuple of (int, int)
        Row and column of each window that is needed.
    outer : Region, optional
        What was read, px of the plane.
    rgb : (y, x, 3) uint8, optional
        None where it could not be read.
    error : str
        Why not.
    """

    index: int
    places: tuple[tuple[int, int], ...]
    outer: Region
    rgb: NDArray[np.uint8] | None
    error: str = ""


@dataclass(frozen=True, eq=False)
class BlockWindows:
    """What the model said of a block of windows.

    Parameters
    ----------
    index : int
        The block in `CellPlan.windows`.
    probabilities : (row, column, class) float32
        NaN where a window was not needed, or could not be read.
    error : str
        Why it could not be read.
    """

    index: int
    probabilities: NDArray[np.float32]
    error: str = ""


def read_block(plan: CellPlan, index: int) -> BlockPixels:
    """Read and normalise the pixels under the windows of a block that are needed.

    Overlapping windows share their pixels, so each is read once. A damaged file is a result,
    not a crash.
    """
    inner = plan.windows[index].inner
    rows, columns = np.nonzero(plan.needed[inner.slices])
    places = tuple(zip((rows + inner.y).tolist(), (columns + inner.x).tolist(), strict=True))
    first = plan.window(min(r for r, _ in places), min(c for _, c in places))
    last = plan.window(max(r for r, _ in places), max(c for _, c in places))
    outer = Region(y=first.y, x=first.x, height=last.y_end - first.y, width=last.x_end - first.x)
    rgb = np.empty((outer.height, outer.width, 3), np.uint8)
    band = plan.model.spec.tile_px
    try:
        for y in range(0, outer.height, band):
            rows_px = min(band, outer.height - y)
            strip = Region(y=outer.y + y, x=outer.x, height=rows_px, width=outer.width)
            rgb[y : y + rows_px] = plan.plane.read(strip)
    except UnreadableRegionError as error:
        return BlockPixels(index, places, outer, None, str(error))
    _, stain = behind(plan.model, plan.stain)
    return BlockPixels(index, places, outer, rgb if stain is None else stain.apply(rgb))


def predict_block(plan: CellPlan, read: BlockPixels) -> Iterator[BlockWindows | None]:
    """Predict the windows of a block in batches; None after each, and last the whole."""
    inner = plan.windows[read.index].inner
    found = np.full((inner.height, inner.width, len(plan.model.spec.classes)), np.nan, np.float32)
    if read.rgb is not None:
        batch = _batch(plan)
        model, _ = behind(plan.model, plan.stain)
        for start in range(0, len(read.places), batch):
            places = read.places[start : start + batch]
            windows = [read.rgb[plan.window(*place).within(read.outer)] for place in places]
            rows, columns = np.transpose(places)
            found[rows - inner.y, columns - inner.x] = model.predict(np.stack(windows))
            yield None
    yield BlockWindows(read.index, found, read.error)


def run_block(plan: CellPlan, index: int) -> BlockWindows:
    """Read and predict a block of windows: the task that a cluster worker is given."""
    steps = predict_block(plan, read_block(plan, index))
    return next(found for found in steps if found is not None)


def cells_of(plan: CellPlan, tile: int, blocks: Mapping[int, BlockWindows]) -> StoredTile:
    """Make the cells of a block from all the windows that cover them, ready to be stored.

    Where a window could not be read, the whole block counts as failed.

    Parameters
    ----------
    plan : CellPlan
        What is computed.
    tile : int
        The block of cells, in `plan.grid`.
    blocks : mapping of int to BlockWindows
        At least those that `plan.windows_of` names.
    """
    inner = plan.grid[tile].inner
    taken = [blocks[index] for index in plan.windows_of(tile)]
    if error := next((one.error for one in taken if one.error), ""):
        return StoredTile(tile, inner, None, error=error)
    mean = blended(_around(plan, inner, taken), plan.span)
    classes = class_values(mean, plan.model.spec.threshold)
    classes[~plan.analysed[inner.slices]] = 0
    return StoredTile(tile, inner, classes, quantised(np.nan_to_num(mean), classes))


def _around(plan: CellPlan, inner: Region, blocks: list[BlockWindows]) -> NDArray[np.float32]:
    """Return the probabilities of all windows that reach into some cells, NaN where none is."""
    before, classes = plan.span - 1, len(plan.model.spec.classes)
    reach = Region(
        y=inner.y - before,
        x=inner.x - before,
        height=inner.height + before,
        width=inner.width + before,
    )
    windows = np.full((reach.height, reach.width, classes), np.nan, np.float32)
    for block in blocks:
        own = plan.windows[block.index].inner
        if (shared := own.intersect(reach)) is not None:
            windows[shared.within(reach)] = block.probabilities[shared.within(own)]
    return windows


def blended(windows: NDArray[np.float32], span: int) -> NDArray[np.float32]:
    """Return the probabilities of cells: the weighted mean of the windows that cover each.

    The weight of a window falls off from its middle as a Gaussian, and is divided by the sum
    of the weights at the cell: what all windows agree on stays as it is.

    Parameters
    ----------
    windows : (row + span - 1, column + span - 1, class) float32
        Window (i, j) covers the cells (i - span + 1 ... i, j - span + 1 ... j); NaN is none.
    span : int
        Cells that a window covers along one side.

    Returns
    -------
    (class, row, column) float32
        NaN where no window is.

    Examples
    --------
    >>> ones = np.ones((5, 4, 1), np.float32)
    >>> ones[0] = np.nan
    >>> blended(ones, 3)[0].tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    rows, columns = windows.shape[0] - span + 1, windows.shape[1] - span + 1
    weights = window_weights(span)
    total = np.zeros((rows, columns, windows.shape[2]))
    weight = np.zeros((rows, columns, 1))
    for i in range(span):
        for j in range(span):
            part = windows[i : i + rows, j : j + columns].astype(np.float64)
            there = ~np.isnan(part[..., :1])
            total += np.where(there, part, 0) * weights[i, j]
            weight += there * weights[i, j]
    with np.errstate(invalid="ignore"):
        return np.moveaxis(total / weight, -1, 0).astype(np.float32)


def window_weights(span: int) -> NDArray[np.float64]:
    """Return the weight of a window over its cells, (span, span), the same in all directions.

    Examples
    --------
    >>> window_weights(1).tolist()
    [[1.0]]
    """
    from_middle = (np.arange(span) + 0.5) / span - 0.5
    along = np.exp(-0.5 * (from_middle / SIGMA) ** 2)
    return np.outer(along, along)


def _batch(plan: CellPlan) -> int:
    """Return how many windows the model is given at once."""
    if plan.batch is not None:
        return plan.batch
    spec = plan.model.spec
    pixels = BATCH_PX.get(plan.model.arithmetic.get("device", "cpu"))
    if pixels is None:
        return plan.windows.tile_px**2
    return max(1, pixels // (spec.tile_px + 2 * spec.halo_px) ** 2)
