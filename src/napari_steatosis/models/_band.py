"""The rows of one value inside a network that later steps still need."""

from __future__ import annotations

import torch
from torch import Tensor

FEW = 4
"""Rows that wait are kept apart where they fill less of their memory than one part in this."""


class Band:
    """Rows that came, less those that were dropped, as one tensor ``(1, channel, rows, x)``.

    Rows lie in one piece of memory (channels last), so that any run of them is a tensor that
    a convolution takes as it is; a push moves only the few rows that wait, not all. Memory that
    is not needed goes back at once: values take turns at it.
    """

    def __init__(self) -> None:
        self.first = 0
        self.end = 0
        self._memory: Tensor | None = None
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
            shape = (1, memory.shape[1], room, memory.shape[3])
            memory = torch.empty(shape, dtype=memory.dtype, memory_format=torch.channels_last)
            memory.narrow(2, 0, waiting).copy_(kept)
            self._hold(memory)
        return memory.narrow(2, self._start + waiting, count)

    def append(self, rows: Tensor, place: Tensor | None) -> None:
        """Take the next rows, which may already lie at the place that was reserved."""
        if place is None:
            self._hold(rows)
        elif rows is not place:
            place.copy_(rows)
        self.end += rows.shape[2]

    def drop(self, first: int) -> None:
        """Forget the rows before `first`."""
        self._start += first - self.first
        self.first = first
        waiting = self.end - first
        if not waiting:
            self._hold(None)
        elif self._memory is not None and FEW * waiting <= self._memory.shape[2]:
            self._hold(self.rows(first, self.end).clone())

    def _hold(self, memory: Tensor | None) -> None:
        self._memory, self._start = memory, 0
