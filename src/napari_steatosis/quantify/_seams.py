"""Connected components of a class map of any size: labelled in blocks, joined across seams."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region
from ..core.prediction import Array
from ._giants import GiantSums
from ._patches import Cutout, Patch, Sheet, boxes_of, joined
from ._shapes import Shapes

LARGEST_PX = 2048
"""A component whose bounding box is longer than this is only summed up, never held whole."""

COLUMNS_PX = 4096
"""Columns of the class map that are read at once."""


def bands(classes: Array, rows_px: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Read a class map once, in bands of rows with one more pixel on each side.

    Parameters
    ----------
    classes : (y, x) uint8
        In memory or stored; read in multiples of `rows_px` rows, so that chunks of that
        height are decoded once.
    rows_px : int
        Rows that are read at once.

    Yields
    ------
    y, band : int, (rows + 2, x + 2) uint8
        ``band[1:-1, 1:-1]`` begins at row `y`; outside the plane it is 0. A view of one
        buffer: it is overwritten when the next band is asked for.
    """
    height, width = classes.shape
    buffer = np.zeros((rows_px + 3, width + 2), np.uint8)
    y = 0
    for start in range(0, height, rows_px):
        rows = min(rows_px, height - start)
        for x in range(0, width, COLUMNS_PX):
            x_end = min(x + COLUMNS_PX, width)
            buffer[2 : 2 + rows, 1 + x : 1 + x_end] = classes[start : start + rows, x:x_end]
        last = start + rows == height
        top = 1 if start == 0 else 0  # row 1 is then the empty row above the plane
        bottom = 2 + rows + (1 if last else 0)
        if last:
            buffer[2 + rows] = 0
        band = buffer[top:bottom]
        if len(band) > 2:
            yield y, band
            y += len(band) - 2
        buffer[:2] = buffer[rows : rows + 2].copy()


def components(band: NDArray[np.uint8], value: int) -> tuple[NDArray[np.int32], int]:
    """Label one class; pixels hang together along their sides, not their corners."""
    from scipy import ndimage

    inside = band == value
    if not inside.any():  # most of a slide
        return np.zeros((0, 0), np.int32), 0
    labels = np.empty(band.shape, np.int32)
    return labels, ndimage.label(inside, output=labels)


@dataclass
class _Group:
    """Pieces that are known to be one component."""

    box: Region
    pieces: list[Cutout] = field(default_factory=list)
    giant: GiantSums | None = None

    def absorb(self, other: _Group) -> None:
        y, x = min(self.box.y, other.box.y), min(self.box.x, other.box.x)
        height = max(self.box.y_end, other.box.y_end) - y
        width = max(self.box.x_end, other.box.x_end) - x
        self.box = Region(y=y, x=x, height=height, width=width)
        self.pieces += other.pieces
        if other.giant is not None:
            self.giant = other.giant if self.giant is None else self.giant + other.giant
        self.settle()

    def settle(self) -> None:
        """Give up the pixels of a component that has grown too large to be held."""
        if max(self.box.height, self.box.width) > LARGEST_PX or self.giant is not None:
            for piece in self.pieces:
                own = GiantSums.of(piece)
                self.giant = own if self.giant is None else self.giant + own
            self.pieces = []


class SeamJoiner:
    """Union-find over the pieces that touch seams; forgets what is complete."""

    def __init__(self, width: int) -> None:
        self._parent: dict[int, int] = {}
        self._groups: dict[int, _Group] = {}
        self._next = 1
        self._sheet = Sheet()
        self.above = np.zeros(width, np.int64)
        """Piece under each column of the last row of the band above, or 0."""

    def add(self, patch: Patch, index: int) -> int:
        """Take in component `index` of a patch as a piece; return the number of the piece."""
        piece = patch.cut(index)
        height, width = piece.pixels.shape
        group = _Group(Region(y=piece.y, x=piece.x, height=height, width=width), [piece])
        group.settle()
        number, self._next = self._next, self._next + 1
        self._parent[number], self._groups[number] = number, group
        return number

    def join(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        """Join the pieces that face each other on the two sides of a seam; 0 is none."""
        facing = (one > 0) & (other > 0)
        if not facing.any():
            return
        for a, b in np.unique(np.stack([one[facing], other[facing]], axis=1), axis=0).tolist():
            keep, gone = sorted((self._find(a), self._find(b)))
            if keep != gone:
                self._parent[gone] = keep
                self._groups[keep].absorb(self._groups.pop(gone))

    def close_band(self, last_row: NDArray[np.int64]) -> Iterator[Patch | Shapes]:
        """Yield the components that do not reach the last row of the band just done."""
        numbers = np.unique(last_row)
        roots = np.array([self._find(n) if n else 0 for n in numbers.tolist()], np.int64)
        self.above = roots[np.searchsorted(numbers, last_row)]
        still_open = set(roots.tolist())
        for root in [root for root in self._groups if root not in still_open]:
            group = self._groups.pop(root)
            if group.giant is not None:
                yield group.giant.shapes()
            else:
                yield from self._sheet.add(joined(group.pieces, group.box))
        self._parent = {root: root for root in still_open if root}

    def finish(self) -> Iterator[Patch | Shapes]:
        """Yield all the rest."""
        yield from self.close_band(np.zeros_like(self.above))
        yield from self._sheet.flush()

    def _find(self, number: int) -> int:
        while (above := self._parent[number]) != number:
            self._parent[number] = self._parent[above]
            number = above
        return number


def label_band(
    band: NDArray[np.uint8], y: int, value: int, *, joiner: SeamJoiner, block_px: int
) -> Iterator[Patch | Shapes]:
    """Yield the complete components of one class in a band; the joiner keeps the others.

    Parameters
    ----------
    band : (rows + 2, x + 2) uint8
        As `bands` yields it.
    y : int
        First row of the band in the plane, px.
    value : int
        The class.
    joiner : SeamJoiner
        Lives as long as the plane is being read.
    block_px : int
        Columns that are labelled at once.
    """
    rows, width = band.shape[0] - 2, band.shape[1] - 2
    last_row = np.zeros(width, np.int64)
    left = np.zeros(rows, np.int64)
    for x in range(0, width, block_px):
        x_end = min(x + block_px, width)
        around = band[:, x : x_end + 2]
        labels, n = components(around[1:-1, 1:-1], value)
        if n == 0:
            left = np.zeros(rows, np.int64)
            continue
        unknown = around == 0
        edge = unknown[:-2, 1:-1] | unknown[2:, 1:-1] | unknown[1:-1, :-2] | unknown[1:-1, 2:]
        boxes = boxes_of(labels)
        patch = Patch(labels, edge, boxes, np.tile(np.array([y, x]), (n, 1)))
        # Below the last row of the plane there is nothing, so waiting there costs no join.
        seam = (boxes[:, 2] == rows) | ((boxes[:, 3] == x_end - x) & (x_end < width))
        seam |= ((boxes[:, 0] == 0) & (y > 0)) | ((boxes[:, 1] == 0) & (x > 0))
        seam |= (boxes[:, 2:] - boxes[:, :2]).max(axis=1) > LARGEST_PX
        number = np.zeros(n + 1, np.int64)
        for index in np.flatnonzero(seam).tolist():
            number[index + 1] = joiner.add(patch, index)
        joiner.join(joiner.above[x:x_end], number[labels[0]])
        joiner.join(left, number[labels[:, 0]])
        left, last_row[x:x_end] = number[labels[:, -1]], number[labels[-1]]
        if not seam.all():
            yield patch.only(~seam)
    yield from joiner.close_band(last_row)
