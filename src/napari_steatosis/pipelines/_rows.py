"""Rows of a block that wait until a row of tiles is whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Decided:
    """What is stored of some pixels, as yet without regard to where there is tissue.

    Parameters
    ----------
    classes : (y, x) uint8
        Class map.
    probabilities : (class, y, x) uint8, optional
        Where they are kept.
    """

    classes: NDArray[np.uint8]
    probabilities: NDArray[np.uint8] | None


class Rows:
    """Decided rows of a block that wait until a row of tiles is whole."""

    def __init__(self, first: int) -> None:
        self.end = first
        self._first, self._parts = first, list[Decided]()

    def append(self, part: Decided) -> None:
        """Take the next rows."""
        self._parts.append(part)
        self.end += len(part.classes)

    def take(self, y: int, y_end: int) -> Decided:
        """Return the rows from `y` to `y_end`, and forget all before `y_end`."""
        parts, first = self._parts, self._first
        classes = np.concatenate([part.classes for part in parts])
        kept = [part.probabilities for part in parts if part.probabilities is not None]
        both = Decided(classes, np.concatenate(kept, 1) if kept else None)
        self._first, self._parts = y_end, [_part(both, y_end - first, len(classes))]
        return _part(both, y - first, y_end - first)


def _part(of: Decided, start: int, end: int) -> Decided:
    kept = None if of.probabilities is None else of.probabilities[:, start:end].copy()
    return Decided(of.classes[start:end].copy(), kept)
