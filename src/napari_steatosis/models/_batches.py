"""How many tiles go through a network at a time: as many as fit, found by one pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from ..core.errors import NoMemoryError
from ._memory import empty_cache, free_bytes

MOST_PX = {"cpu": 2**21, "mps": 2**22, "cuda": 2**25}
"""Input pixels of one pass; more at once gains nothing and costs memory."""

SHARE = 0.7
"""Of the free memory that a pass may take; the rest is for other programs and for fragments."""

Found = TypeVar("Found")


class Batches:
    """Tiles per pass on one device, for each size of tile.

    On CUDA the first pass of each size takes one tile and measures what it needs. Elsewhere
    the number is that of `MOST_PX`. A pass that finds no room is done again with half as many.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"mps"`` or ``"cuda:N"``.
    """

    def __init__(self, device: str) -> None:
        self._device, self._kind = device, device.partition(":")[0]
        self._counts: dict[tuple[int, int], int] = {}

    def count(self, height: int, width: int) -> int:
        """Return how many tiles of this size the next pass should take."""
        first = 1 if self._kind == "cuda" else most(self._kind, height, width)
        return self._counts.get((height, width), first)

    def watched(self, height: int, width: int, run: Callable[[], Found]) -> Found:
        """Run a pass; where nothing is known of this size, measure what its one tile takes."""
        if self._kind != "cuda" or (height, width) in self._counts:
            return run()
        torch.cuda.reset_peak_memory_stats(self._device)
        before = torch.cuda.memory_allocated(self._device)
        found = run()
        taken = torch.cuda.max_memory_allocated(self._device) - before
        fit = fitting(taken, free_bytes(self._device), most(self._kind, height, width))
        self._counts[height, width] = fit
        return found

    def halve(self, height: int, width: int, *, tried: int, failure: str) -> None:
        """Take half as many tiles of this size from now on. Call it outside of ``except``.

        The traceback of an error holds on to the tensors of the pass that failed.

        Parameters
        ----------
        height, width : int
            Of the tiles, px.
        tried : int
            How many were too many.
        failure : str
            What the allocator said.

        Raises
        ------
        NoMemoryError
            Where already one tile is too many.
        """
        empty_cache(self._device)
        if tried == 1:
            raise NoMemoryError(
                f"A tile of {height} x {width} px does not fit into the memory of "
                f"{self._device}: {free_bytes(self._device) / 2**30:.2f} GiB are free "
                f"({failure}). Use smaller tiles (tile_px), close what else uses this memory, "
                f"or compute elsewhere (device)."
            )
        self._counts[height, width] = tried // 2


def most(kind: str, height: int, width: int) -> int:
    """Return the tiles of a size that one pass takes at most, at least one."""
    return max(1, MOST_PX[kind] // (height * width))


def fitting(tile_bytes: int, free: int, limit: int) -> int:
    """Return how many tiles fit into the free memory, from 1 to a limit.

    Examples
    --------
    >>> fitting(100, 1000, 64), fitting(100, 10**6, 64), fitting(100, 50, 64)
    (7, 64, 1)
    """
    return min(limit, max(1, int(SHARE * free) // max(1, tile_bytes)))
