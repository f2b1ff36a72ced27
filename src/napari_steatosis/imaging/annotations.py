"""Annotations as a label image that is drawn where it is looked at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.annotation import Annotations
from ..core.errors import BadValueError
from ..core.label_image import LabelImage
from ._spans import spans_of

COARSEST_PX = 1024
"""The longer side of the coarsest level is at most this."""

CHUNK_PX = 512
BATCH = 10_000
OPAQUE = 255


def labels_of(annotations: Annotations, shape: tuple[int, int]) -> LabelImage:
    """Return annotations as a pyramid of labels, one value per class.

    Nothing is drawn until a part of a level is read, so a slide of any size costs the memory
    of what is looked at. A pixel, of every level, belongs to a polygon when its centre does.
    Where polygons overlap, the one with the smaller bounding box lies on top. Lines and points
    have no area and are left out.

    Parameters
    ----------
    annotations : Annotations
        In px of the slide's level 0.
    shape : (int, int)
        Height and width of the slide's level 0, px.

    Returns
    -------
    LabelImage
        uint8, or uint16 for more than 255 classes. Values count from 1 in order of appearance
        of the classes; ``properties[value]["class"]`` is the name of the class, empty for
        what has none. ``colours`` are those of the classes.

    Raises
    ------
    BadValueError
        A shape that is not positive, or more than 65 535 classes.

    Examples
    --------
    >>> from napari_steatosis.core.annotation import Annotation
    >>> ring = np.array([[0, 0], [0, 2], [1, 2], [1, 0], [0, 0]]) - 0.5
    >>> drawn = labels_of(Annotations((Annotation("polygon", ((ring,),)),)), (2, 4))
    >>> drawn.levels[0][:].tolist()
    [[1, 1, 0, 0], [0, 0, 0, 0]]
    """
    height, width = (int(side) for side in shape)
    if min(height, width) < 1:
        raise BadValueError(
            f"The shape of the slide must be positive, got {height} x {width}: give slide.shape."
        )
    drawing = _Drawing(annotations)
    levels: list[LabelLevel] = []
    factor = 1
    while not levels or max(levels[-1].shape) > COARSEST_PX:
        levels.append(LabelLevel(drawing, (-(-height // factor), -(-width // factor)), factor))
        factor *= 2
    return LabelImage(
        "annotations",
        levels,
        colours={
            value: (*rgb, OPAQUE)
            for value, (_, rgb) in enumerate(drawing.classes.items(), start=1)
            if rgb is not None
        },
        properties={value: {"class": name} for value, name in enumerate(drawing.classes, start=1)},
    )


class LabelLevel:
    """One level of the labels as a read-only ``(y, x)`` array that is drawn when sliced.

    Parameters
    ----------
    drawing : _Drawing
        The polygons.
    shape : (int, int)
        Of this level, px.
    factor : int
        Level 0 pixels per pixel.
    """

    ndim = 2

    def __init__(self, drawing: _Drawing, shape: tuple[int, int], factor: int) -> None:
        self._drawing, self._factor = drawing, factor
        self.shape = shape
        self.dtype = drawing.dtype
        self.chunks = (min(CHUNK_PX, shape[0]), min(CHUNK_PX, shape[1]))

    @property
    def size(self) -> int:
        """Number of values, which orders the levels of a pyramid."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        starts, steps, counts, local = [], [], [], []
        for wanted, length in zip(keys, self.shape, strict=True):
            index = np.arange(length)[wanted]  # numpy's own rules for steps, bounds, negatives
            if np.size(index) == 0:
                return np.broadcast_to(np.zeros((), self.dtype), self.shape)[tuple(keys)]
            low = int(np.min(index))
            # Only every `step`-th row or column is drawn.
            step = max(int(np.gcd.reduce(np.ravel(index) - low)), 1)
            starts.append(low)
            steps.append(step)
            counts.append((int(np.max(index)) - low) // step + 1)
            local.append((index - low) // step)
        drawn = self._drawing.draw(
            (np.array(starts) + 0.5) * self._factor - 0.5,
            np.array(steps) * self._factor,
            (counts[0], counts[1]),
        )
        return drawn[local[0]][..., local[1]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


class _Drawing:
    """The polygons of annotations with their boxes and labels, to be drawn on any lattice."""

    def __init__(self, annotations: Annotations) -> None:
        polygons = [one for one in annotations if one.shape == "polygon" and one.parts]
        self.classes: dict[str, Any] = {}
        for one in polygons:
            if self.classes.get(one.class_name) is None:
                self.classes[one.class_name] = one.colour
        if len(self.classes) > np.iinfo(np.uint16).max:
            raise BadValueError(
                f"There are {len(self.classes)} classes, and labels can hold 65535: give fewer."
            )
        self.dtype = np.dtype(np.uint8 if len(self.classes) <= 255 else np.uint16)
        value = {name: label for label, name in enumerate(self.classes, start=1)}
        self._rings = [[ring for part in one.parts for ring in part] for one in polygons]
        boxes = _boxes(self._rings)
        on_top = np.argsort(-np.prod(boxes[:, 1] - boxes[:, 0], axis=1), kind="stable")
        self._rings = [self._rings[index] for index in on_top]
        self._boxes = boxes[on_top]
        self._labels = np.array([value[polygons[i].class_name] for i in on_top], self.dtype)

    def draw(
        self, origin: NDArray[np.float64], step: NDArray[np.int64], shape: tuple[int, int]
    ) -> NDArray[Any]:
        """Return the labels at ``origin + (row, column) * step``, px of level 0."""
        values = np.zeros(shape, self.dtype)
        boxes = (self._boxes - origin) / step
        # What lies between the points of the lattice cannot hold one of them.
        low, high = np.ceil(boxes[:, 0]), np.floor(boxes[:, 1])
        seen = (low <= high).all(1) & (high >= 0).all(1) & (low < shape).all(1)
        chosen = np.flatnonzero(seen)
        for some in np.array_split(chosen, max(len(chosen) // BATCH, 1)):
            rings = [(ring - origin) / step for index in some for ring in self._rings[index]]
            owners = [index for index in some for _ in self._rings[index]]
            for row, start, end, index in spans_of(rings, owners, shape):
                values[row, start:end] = self._labels[index]
        return values


def _boxes(polygons: list[list[NDArray[np.float64]]]) -> NDArray[np.float64]:
    """Return ``(n, 2, 2)`` first and last row and column of each polygon."""
    boxes = np.zeros((len(polygons), 2, 2))
    for first in range(0, len(polygons), BATCH):
        some = polygons[first : first + BATCH]
        sizes = [sum(len(ring) for ring in rings) for rings in some]
        points = np.concatenate([ring for rings in some for ring in rings])
        starts = np.cumsum([0, *sizes[:-1]])
        boxes[first : first + BATCH, 0] = np.minimum.reduceat(points, starts)
        boxes[first : first + BATCH, 1] = np.maximum.reduceat(points, starts)
    return boxes
