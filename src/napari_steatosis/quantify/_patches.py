"""Patches: components drawn on a sheet of their own, as a label image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ._runs import Runs, constant_runs

SHEET_WIDTH_PX = 2560
"""Wider than any component that is laid out."""

SHEET_AREA_PX = 1_500_000
"""A sheet is handed over when its components cover this much, px."""


@dataclass(frozen=True, eq=False)
class Patch:
    """Whole components as a label image, at least one empty pixel apart and from its sides.

    Parameters
    ----------
    labels : (y, x) int32
        0, or 1 ... n.
    edge : (y, x) bool
        Pixels next to one that was not analysed.
    boxes : (n, 4) int64
        ``y, x, y_end, x_end`` of each component in `labels`, px.
    shift : (n, 2) int64
        What takes positions in `labels` to the plane, per component, px.
    """

    labels: NDArray[np.int32]
    edge: NDArray[np.bool_]
    boxes: NDArray[np.int64]
    shift: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.boxes)


def sheets(runs: Runs) -> Iterator[tuple[NDArray[np.int64], Patch]]:
    """Lay components side by side, one empty pixel apart, so that one call treats many.

    What is computed on a sheet cannot depend on where a component lay in the plane.

    Yields
    ------
    index, patch : (k,) int64, Patch
        Which of the components are laid out on a patch, in its order.
    """
    area = _areas(runs)
    sheet = (np.cumsum(area) - area) // SHEET_AREA_PX
    for number in np.unique(sheet).tolist():
        own = sheet == number
        order, patch = _laid_out(runs.only(own))
        yield np.flatnonzero(own)[order], patch


class Sheet:
    """Collects components until there are enough for a patch."""

    def __init__(self) -> None:
        self._parts: list[Runs] = []
        self._area = 0

    def add(self, runs: Runs) -> Iterator[Patch]:
        """Add components; yields patches when there are enough."""
        self._parts.append(runs)
        self._area += int(_areas(runs).sum())
        if self._area >= SHEET_AREA_PX:
            yield from self.flush()

    def flush(self) -> Iterator[Patch]:
        """Yield what is left."""
        if self._parts:
            for _, patch in sheets(Runs.joined(self._parts)):
                yield patch
        self._parts, self._area = [], 0


def _areas(runs: Runs) -> NDArray[np.int64]:
    extent = runs.boxes[:, 2:] - runs.boxes[:, :2] + 1
    return extent[:, 0] * extent[:, 1]


def _laid_out(runs: Runs) -> tuple[NDArray[np.int64], Patch]:
    extent = runs.boxes[:, 2:] - runs.boxes[:, :2]
    order = np.argsort(extent[:, 0], kind="stable")
    corners, y, x, shelf = [], 1, 1, 0
    for height, width in extent[order].tolist():
        if x + width + 1 > SHEET_WIDTH_PX:
            y, x, shelf = y + shelf + 1, 1, 0
        corners.append((y, x))
        x, shelf = x + width + 1, max(shelf, height)
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order))
    corner = np.array(corners, np.int64)
    shift = runs.boxes[order, :2] - corner
    labels = np.zeros((y + shelf + 1, SHEET_WIDTH_PX), np.int32)
    edge = np.zeros(labels.shape, np.bool_)
    own = number[runs.label]
    length = (runs.x_end - runs.x).astype(np.int64)
    start = (runs.y - shift[own, 0]) * SHEET_WIDTH_PX + runs.x - shift[own, 1]
    first = np.cumsum(length) - length
    pixel = np.arange(length.sum()) + np.repeat(start - first, length)
    labels.ravel()[pixel] = np.repeat(own + 1, length)
    edge.ravel()[pixel] = np.repeat(runs.edge, length)
    boxes = np.concatenate([corner, corner + extent[order]], axis=1)
    return order, Patch(labels, edge, boxes, shift)


def runs_on(labels: NDArray[np.int32], edge: NDArray[np.bool_], shift: NDArray[np.int64]) -> Runs:
    """Return components that are drawn on a sheet as runs in the plane.

    Parameters
    ----------
    labels, edge : (y, x) int32, (y, x) bool
        As in `Patch`, but components may touch.
    shift : (n, 2) int64
        As in `Patch`.
    """
    start, end, kind = constant_runs((2 * labels + edge).ravel())
    label = kind // 2 - 1
    row, column = np.divmod(start, labels.shape[1])
    y, x = row + shift[label, 0], column + shift[label, 1]
    place = [one.astype(np.int32) for one in (y, x, x + end - start)]
    return Runs.of(label.astype(np.int32), place, kind % 2 == 1, len(shift))
