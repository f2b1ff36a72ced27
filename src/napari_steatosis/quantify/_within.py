"""A prediction cut down to drawn regions, to be measured there alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.digest import digest
from ..core.errors import BadValueError
from ..core.geometry import Frame, Region
from ..core.mask import Mask
from ..core.prediction import NOT_ANALYSED, Array, Prediction


def prediction_within(
    prediction: Prediction, *, region: Mask | None = None, exclude: Mask | None = None
) -> Prediction:
    """Return a prediction in which everything outside a region is *not analysed*.

    Nothing is read and nothing is predicted anew: the class map is masked where it is read. What
    the border of the region cuts counts with the part inside. Squares that intervals are drawn
    from begin at the corner of the region.

    Parameters
    ----------
    prediction : Prediction
        Of a slide or a part of it.
    region : Mask, optional
        Where to look; everywhere where it is left out.
    exclude : Mask, optional
        What to leave out of it.

    Returns
    -------
    Prediction
        Of the box around the region, in a frame of its own; the pixels keep their place in the
        tissue. It has no store and no probabilities.

    Raises
    ------
    BadValueError
        The region lies beside the prediction.

    Examples
    --------
    >>> fat, plane = np.full((8, 8), 2, np.uint8), Frame((1.0, 1.0))
    >>> whole = Prediction("fat", [fat], ("tissue", "fat"), plane)
    >>> drawn = Mask(np.ones((2, 3), bool), Frame((1.0, 1.0), (4.0, 1.0)))
    >>> part = prediction_within(whole, region=drawn)
    >>> part.shape, part.frame.origin_um
    ((2, 3), (4.0, 1.0))
    """
    if region is None and exclude is None:
        return prediction
    factors = [_factor(prediction.shape, level.shape) for level in prediction.levels]
    window = _window(prediction, region, factors[-1])
    frame = Frame(prediction.frame.um_per_px, _corner(prediction.frame, window))
    levels = [
        _Masked(
            level, _coarser(window, factor, level.shape), frame.coarser(factor), region, exclude
        )
        for level, factor in zip(prediction.levels, factors, strict=True)
    ]
    return replace(
        prediction,
        levels=levels,
        frame=frame,
        store=None,
        probabilities=(),
        provenance=_provenance(prediction, region, exclude),
    )


class _Masked:
    """A window of a level, with 0 where a mask says no; read and masked when it is sliced."""

    ndim = 2

    def __init__(
        self,
        level: Array,
        window: Region,
        frame: Frame,
        region: Mask | None,
        exclude: Mask | None,
    ) -> None:
        self._level, self._window, self._frame = level, window, frame
        self._region, self._exclude = region, exclude
        self.shape = (window.height, window.width)
        self.dtype, self.size = np.dtype(np.uint8), window.height * window.width

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = key if isinstance(key, tuple) else (key, slice(None))
        spans = [k.indices(n) for k, n in zip(keys, self.shape, strict=True)]
        lengths = [len(range(*span)) for span in spans]
        corner = (self._window.y, self._window.x)
        place = tuple(
            slice(low + start, low + stop, step)
            for low, (start, stop, step) in zip(corner, spans, strict=True)
        )
        values = np.array(self._level[place], np.uint8)
        if not values.any():
            return values
        steps, starts = [s[2] for s in spans], [s[0] for s in spans]
        size, origin = self._frame.um_per_px, self._frame.to_um(starts)
        seen = Frame((size[0] * steps[0], size[1] * steps[1]), (float(origin[0]), float(origin[1])))
        here = Region(y=0, x=0, height=lengths[0], width=lengths[1])
        if self._region is not None:
            values[~self._region.on(here, seen)] = NOT_ANALYSED
        if self._exclude is not None and self._exclude.touches(here, seen):
            values[self._exclude.on(here, seen)] = NOT_ANALYSED
        return values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


def _factor(fine: Sequence[int], coarse: Sequence[int]) -> int:
    return max(1, round(max(fine) / max(1, max(coarse))))


def _window(prediction: Prediction, region: Mask | None, step: int) -> Region:
    """Return the box around a region, px, widened to whole pixels of the coarsest level."""
    height, width = prediction.shape
    whole = Region(y=0, x=0, height=height, width=width)
    if region is None:
        return whole
    values = region.values
    rows, columns = (np.flatnonzero(values.any(axis)) for axis in (1, 0))
    if len(rows) == 0:
        raise BadValueError("The region is empty: draw a larger one.")
    ends = np.array([(rows[0], columns[0]), (rows[-1] + 1, columns[-1] + 1)]) - 0.5
    low, high = prediction.frame.to_px(region.frame.to_um(ends))
    first = np.floor((low + 0.5) / step).astype(int) * step
    last = np.ceil((high + 0.5) / step).astype(int) * step
    box = Region(
        y=int(first[0]),
        x=int(first[1]),
        height=int(last[0] - first[0]),
        width=int(last[1] - first[1]),
    ).intersect(whole)
    if box is None:
        raise BadValueError(
            f"The region lies beside what was analysed: rows {low[0]:.0f} to {high[0]:.0f} and "
            f"columns {low[1]:.0f} to {high[1]:.0f} of a class map of {height} x {width} px. "
            f"Draw it on the tissue."
        )
    return box


def _coarser(window: Region, factor: int, shape: Sequence[int]) -> Region:
    y, x = window.y // factor, window.x // factor
    height = max(1, min(-(-window.y_end // factor), shape[0]) - y)
    width = max(1, min(-(-window.x_end // factor), shape[1]) - x)
    return Region(y=y, x=x, height=height, width=width)


def _corner(frame: Frame, window: Region) -> tuple[float, float]:
    y, x = frame.to_um((window.y, window.x))
    return float(y), float(x)


def _provenance(
    prediction: Prediction, region: Mask | None, exclude: Mask | None
) -> dict[str, Any]:
    """Return how it was made; a mask that came after the run stands beside that of the run."""
    known = dict(prediction.provenance)
    before = known.get("within") or {}
    made: dict[str, Any] = dict(before.get("made_by", {}))
    contents = [mask.content for mask in (region, exclude) if mask is not None]
    if region is not None:
        made = {"and": [made, dict(region.provenance)]}
    if exclude is not None:
        made = {"of": made, "without": dict(exclude.provenance)}
    known.pop("content", None)
    known["within"] = {**before, "made_by": made, "measured_in": contents}
    known["digest"] = digest({"of": known.get("digest"), "measured_in": contents})
    return known
