"""The rows of one value inside a network that later steps still need."""

from __future__ import annotations

import math

from torch import Tensor

FEW = 8
"""Rows that wait are kept apart where they fill less of their memory than one part in this."""


class Spare:
    """Memory that bands take in turn, so that each does not hold what it needs now and then."""

    def __init__(self) -> None:
        self._free: list[Tensor] = []

    def take(self, shape: tuple[int, ...], like: Tensor) -> tuple[Tensor, Tensor]:
        """Return a tensor ``(1, channel, rows, x)``, channels last, and the memory it lies in."""
        count = math.prod(shape)
        fitting = [flat for flat in self._free if flat.numel() >= count]
        if fitting:
            flat = min(fitting, key=Tensor.numel)
            self._free = [one for one in self._free if one is not flat]
        else:
            flat = like.new_empty(count)
        _, channels, rows, width = shape
        return flat[:count].view(1, rows, width, channels).permute(0, 3, 1, 2), flat

    def give(self, flat: Tensor) -> None:
        """Take memory back that no band looks into any more."""
        self._free.append(flat)


class Band:
    """Rows that came, less those that were dropped, as one tensor ``(1, channel, rows, x)``.

    Rows lie in one piece of memory (channels last), so that any run of them is a tensor that
    a convolution takes as it is; a push moves only the few rows that wait, not all.

    Parameters
    ----------
    spare : Spare
        Memory shared with the other bands of an image.
    """

    def __init__(self, spare: Spare) -> None:
        self.first = 0
        self.end = 0
        self._spare = spare
        self._memory: Tensor | None = None
        self._flat: Tensor | None = None
        self._start = 0

    def rows(self, first: int, end: int) -> Tensor:
        """Return rows by their number in the image."""
        assert self._memory is not None
        return self._memory.narrow(2, self._start + first - self.first, end - first)

    def reserve(self, count: int) -> Tensor | None:
        """Return the place of the next rows; None while no rows wait, so none is prescribed."""
        waiting, memory = self.end - self.first, self._memory
        if memory is None or not waiting:
            return None
        if self._start + waiting + count > memory.shape[2]:
            kept = self.rows(self.first, self.end)
            room = waiting + count * (2 if waiting > count // 4 else 1)
            target, flat = self._spare.take((1, memory.shape[1], room, memory.shape[3]), memory)
            target.narrow(2, 0, waiting).copy_(kept)
            self._hold(target, flat)
            memory = target
        return memory.narrow(2, self._start + waiting, count)

    def append(self, rows: Tensor, place: Tensor | None) -> None:
        """Take the next rows, which may already lie at the place that was reserved."""
        if place is None:
            self._hold(rows, None)
        elif rows is not place:
            place.copy_(rows)
        self.end += rows.shape[2]

    def drop(self, first: int) -> None:
        """Forget the rows before `first`."""
        self._start += first - self.first
        self.first = first
        waiting = self.end - first
        if not waiting:
            self._hold(None, None)
        elif self._memory is not None and FEW * waiting <= self._memory.shape[2]:
            self._hold(self.rows(first, self.end).clone(), None)

    def _hold(self, memory: Tensor | None, flat: Tensor | None) -> None:
        if self._flat is not None:
            self._spare.give(self._flat)
        self._memory, self._flat, self._start = memory, flat, 0
