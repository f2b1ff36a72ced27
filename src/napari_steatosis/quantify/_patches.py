"""Patches: label images with a place in the plane, and the sheet that collects cut-outs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region

SHEET_WIDTH_PX = 2560
"""Wider than any component that is cut out."""

SHEET_AREA_PX = 1_500_000
"""A sheet is handed over when its cut-outs cover this much, px."""


@dataclass(frozen=True, eq=False)
class Cutout:
    """One component, or a piece of one, cut from the plane.

    Parameters
    ----------
    y, x : int
        Place of its top left corner in the plane, px.
    pixels : (height, width) uint8
        0 elsewhere, 1 inside, 2 inside and next to a pixel that was not analysed.
    """

    y: int
    x: int
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Patch:
    """Whole components as a label image.

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

    def cut(self, index: int) -> Cutout:
        """Cut out one component; `index` counts from 0."""
        y, x, y_end, x_end = self.boxes[index]
        window = slice(y, y_end), slice(x, x_end)
        inside = self.labels[window] == index + 1
        pixels = inside.astype(np.uint8) + (inside & self.edge[window])
        return Cutout(int(y + self.shift[index, 0]), int(x + self.shift[index, 1]), pixels)

    def only(self, keep: NDArray[np.bool_]) -> Patch:
        """Return the patch with some of its components."""
        if keep.all():
            return self
        number = np.zeros(len(self) + 1, np.int32)
        number[1:][keep] = np.arange(1, np.count_nonzero(keep) + 1, dtype=np.int32)
        return Patch(number[self.labels], self.edge, self.boxes[keep], self.shift[keep])


def boxes_of(labels: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return ``(n, 4)`` bounding boxes ``y, x, y_end, x_end`` of labels 1 ... n."""
    from scipy import ndimage

    found = [
        (rows.start, columns.start, rows.stop, columns.stop)
        for rows, columns in ndimage.find_objects(labels)
    ]
    return np.array(found, np.int64).reshape(-1, 4)


class Sheet:
    """Lays cut-outs side by side, one empty pixel apart, so that one call treats them all.

    What is computed on a sheet cannot depend on where a component lay in the plane or on
    the blocks in which the plane was read.
    """

    def __init__(self) -> None:
        self._cutouts: list[Cutout] = []
        self._area = 0

    def add(self, cutout: Cutout) -> Iterator[Patch]:
        """Add a cut-out; yields a patch when the sheet is full."""
        self._cutouts.append(cutout)
        self._area += (cutout.pixels.shape[0] + 1) * (cutout.pixels.shape[1] + 1)
        if self._area >= SHEET_AREA_PX:
            yield from self.flush()

    def flush(self) -> Iterator[Patch]:
        """Yield what is left as a patch."""
        if self._cutouts:
            yield _lay_out(self._cutouts)
        self._cutouts, self._area = [], 0


def _lay_out(cutouts: list[Cutout]) -> Patch:
    cutouts = sorted(cutouts, key=lambda cutout: cutout.pixels.shape[0])
    places, y, x, shelf = [], 1, 1, 0
    for cutout in cutouts:
        height, width = cutout.pixels.shape
        if x + width + 1 > SHEET_WIDTH_PX:
            y, x, shelf = y + shelf + 1, 1, 0
        places.append((y, x, y + height, x + width))
        x, shelf = x + width + 1, max(shelf, height)
    labels = np.zeros((y + shelf + 1, SHEET_WIDTH_PX), np.int32)
    edge = np.zeros(labels.shape, np.bool_)
    for label, (cutout, (y, x, y_end, x_end)) in enumerate(zip(cutouts, places, strict=True), 1):
        labels[y:y_end, x:x_end] = np.where(cutout.pixels, np.int32(label), np.int32(0))
        edge[y:y_end, x:x_end] = cutout.pixels == 2
    boxes = np.array(places, np.int64)
    corner = np.array([(cutout.y, cutout.x) for cutout in cutouts], np.int64)
    return Patch(labels, edge, boxes, corner - boxes[:, :2])


def joined(pieces: list[Cutout], box: Region) -> Cutout:
    """Put the pieces of one component together."""
    pixels = np.zeros((box.height, box.width), np.uint8)
    for piece in pieces:
        y, x = piece.y - box.y, piece.x - box.x
        height, width = piece.pixels.shape
        np.maximum(
            pixels[y : y + height, x : x + width],
            piece.pixels,
            out=pixels[y : y + height, x : x + width],
        )
    return Cutout(box.y, box.x, pixels)
