"""Labels drawn over pixels: sampled where the picture's pixels lie, in their colours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.label_image import LabelImage, Rgba
from ...core.prediction import Array, Prediction
from ...core.slide import Slide
from .._palette import SPARE_COLOURS, class_colours

MOST_NAMED = 6
"""Labels of one name but many colours that the legend lists."""

CLEAR: Rgba = (0, 0, 0, 0)


@dataclass(frozen=True)
class LegendEntry:
    """A name and its colour."""

    name: str
    colour: Rgba


class Overlay:
    """Labels over a slide, and which of them were drawn.

    Parameters
    ----------
    labels : Prediction or LabelImage
        What is drawn.
    slide : Slide
        What it lies on.
    taken : collection of Rgba
        Colours of other overlays, which labels that state no colour avoid.
    """

    def __init__(
        self, labels: Prediction | LabelImage, slide: Slide, taken: Collection[Rgba] = ()
    ) -> None:
        self._labels, self._slide = labels, slide
        self._spare = next((one for one in SPARE_COLOURS if one not in taken), SPARE_COLOURS[-1])
        self._seen: set[int] = set()
        self._classes: list[str] = []
        if isinstance(labels, LabelImage):
            known = labels.properties.values()
            named = [str(about["class"]) for about in known if "class" in about]
            self._classes = list(dict.fromkeys(named))

    @property
    def colours(self) -> set[Rgba]:
        """What labels can be drawn in, as far as it is known beforehand."""
        if isinstance(self._labels, Prediction):
            return set(class_colours(self._labels.classes))
        return {self._spare, *self._labels.colours.values(), *class_colours(tuple(self._classes))}

    def rgba(self, y_px: NDArray[np.float64], x_px: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return ``(y, x, 4)`` colours, 0 to 255, at places given in px of the slide's level 0."""
        from pandas import factorize

        values = self._values(self._to_own(y_px, 0), self._to_own(x_px, 1))
        codes, found = factorize(values.ravel())
        self._seen.update(found.tolist())
        colours = np.array([self._colour(int(value)) for value in found], np.float32)
        painted: NDArray[np.float32] = colours[codes.reshape(values.shape)]
        return painted

    def legend(self) -> list[LegendEntry]:
        """Return the classes of a prediction, or the names of the labels that were drawn."""
        if isinstance(self._labels, Prediction):
            names = zip(self._labels.classes, class_colours(self._labels.classes), strict=True)
            return [LegendEntry(name, colour) for name, colour in names if colour[3]]
        groups: dict[str, dict[int, Rgba]] = {}
        for value in sorted(self._seen - {0}):
            if (colour := self._colour(value))[3]:
                groups.setdefault(self._name(value), {})[value] = colour
        return [entry for name, group in groups.items() for entry in _entries(name, group)]

    def _to_own(self, px: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        frame = self._labels.frame
        if frame is None:
            return px
        slide = self._slide.frame()
        um = px * slide.um_per_px[axis] + slide.origin_um[axis]
        own: NDArray[np.float64] = (um - frame.origin_um[axis]) / frame.um_per_px[axis]
        return own

    def _values(self, y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[Any]:
        """Return the labels at places given in px of their level 0; outside it is 0."""
        shape = self._labels.shape
        steps = [(of[-1] - of[0]) / max(len(of) - 1, 1) for of in (y, x)]
        level = _coarsest(self._labels.levels, shape, steps)
        values = np.zeros((len(y), len(x)), np.int64)
        picks, slices, places = [], [], []
        for of, n, own in zip((y, x), shape, level.shape, strict=True):
            index = np.floor(of + 0.5).astype(np.int64)
            inside = np.flatnonzero((index >= 0) & (index < n))
            if inside.size == 0:
                return values
            index = np.minimum((index[inside] / _factor(n, own)).astype(np.int64), own - 1)
            stride = max(1, (index[-1] - index[0]) // max(len(index) - 1, 1))
            slices.append(slice(int(index[0]), int(index[-1]) + 1, int(stride)))
            picks.append((index - index[0]) // stride)
            places.append(inside)
        block = np.asarray(level[slices[0], slices[1]])
        values[np.ix_(*places)] = block[np.ix_(*picks)]
        return values

    def _colour(self, value: int) -> Rgba:
        if value == 0:
            return CLEAR
        if isinstance(self._labels, Prediction):
            colours = class_colours(self._labels.classes)
            return colours[value - 1] if value <= len(colours) else CLEAR
        if value in self._labels.colours:
            return self._labels.colours[value]
        name = str(self._labels.properties.get(value, {}).get("class", ""))
        if name in self._classes:
            return class_colours(tuple(self._classes))[self._classes.index(name)]
        return self._spare

    def _name(self, value: int) -> str:
        assert isinstance(self._labels, LabelImage)
        about = self._labels.properties.get(value, {})
        return str(about.get("class", self._labels.name))


def _entries(name: str, group: dict[int, Rgba]) -> list[LegendEntry]:
    if len(set(group.values())) == 1:
        return [LegendEntry(name, next(iter(group.values())))]
    entries = [LegendEntry(f"{name} {value}", colour) for value, colour in group.items()]
    left = len(entries) - MOST_NAMED
    return entries[:MOST_NAMED] + [LegendEntry(f"{name}: {left} more", CLEAR)] * (left > 0)


def _factor(n: int, own: int) -> float:
    """Return how many pixels of level 0 one of a level covers, whole where it can be."""
    whole = round(n / own)
    return whole if own in (n // whole, -(-n // whole)) else n / own


def _coarsest(levels: Sequence[Array], shape: tuple[int, int], steps: list[float]) -> Array:
    """Return the coarsest level whose pixels are no larger than the steps."""
    chosen = levels[0]
    for level in levels[1:]:
        sides = zip(shape, level.shape, steps, strict=True)
        if all(_factor(n, own) <= max(step, 1) for n, own, step in sides):
            chosen = level
    return chosen
