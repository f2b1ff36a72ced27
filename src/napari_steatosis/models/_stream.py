"""Bands of rows through a network: no pixel is computed twice, whatever the height.

A tile that is computed by itself needs its halo again on all four sides. A band needs it on
the left and on the right only: every step keeps the few rows that its next ones still need.
The result is that of the whole image: to the last bit in bfloat16, to a few 1e-7 in float32,
where the order of a sum may depend on how many rows there are.
"""

from __future__ import annotations

import threading
import weakref

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ._band import Band
from ._gate import NETWORKS
from ._steps import NotLocalError, Program, program_of

PASS_BYTES = 2**23
"""Of the largest value inside the network: few enough for the caches, and to hold many values."""

PASS_ROWS = 32
"""Rows of a pass are a multiple of this, so that the coarse levels of a network get whole rows."""

_tracing = threading.Lock()
_known: weakref.WeakKeyDictionary[nn.Module, Program | None] = weakref.WeakKeyDictionary()


def stream_of(network: nn.Module, dtype: torch.dtype) -> BandStream | None:
    """Begin an image; None where the network cannot be computed in bands.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the CPU; maps RGB of 0 to 255 to logits.
    dtype : torch.dtype
        Of its weights.
    """
    with _tracing:
        if network not in _known:
            try:
                with NETWORKS.alone():
                    _known[network] = program_of(network)
            except NotLocalError:
                _known[network] = None
        program = _known[network]
    return None if program is None else BandStream(program, dtype)


class BandStream:
    """A network at work on one image; see `napari_steatosis.core.model.Stream`."""

    def __init__(self, program: Program, dtype: torch.dtype) -> None:
        self._steps, self._channels, self._dtype = program.steps, program.channels, dtype
        self._bytes_per_px = program.numbers_per_px * dtype.itemsize
        self._bands = [Band() for _ in range(len(self._steps) + 1)]
        self._ended = [False] * len(self._bands)
        users: list[list[int]] = [[] for _ in self._bands]
        per_row = [1.0] * len(self._bands)
        for j, step in enumerate(self._steps):
            per_row[j + 1] = per_row[step.inputs[0]] * step.grow / step.stride
            for i in set(step.inputs):
                users[i].append(j)
        self._users, self._per_row = users, per_row

    def rows_at_a_time(self, width: int) -> int:
        """Return how many rows of an image so wide are best pushed at a time."""
        row_bytes = width * self._bytes_per_px
        return max(1, int(PASS_BYTES / (row_bytes * PASS_ROWS))) * PASS_ROWS

    @torch.inference_mode()
    def push(self, rgb: NDArray[np.uint8], *, last: bool = False) -> NDArray[np.float32]:
        """Take the next rows, ``(rows, x, 3) uint8``; give what can be computed now."""
        return probabilities(self._advance(rgb, last=last))

    def _advance(self, rgb: NDArray[np.uint8], *, last: bool) -> Tensor:
        image = torch.from_numpy(np.array(rgb[None], order="C")).permute(0, 3, 1, 2)
        bands = self._bands
        bands[0].append(image.to(self._dtype), bands[0].reserve(len(rgb)))
        self._ended[0] = last
        if not last:
            self._sweep(bands[0].end)
        while last and not self._ended[-1]:  # what has waited comes in portions, not all at once
            self._sweep(max(len(rgb), PASS_ROWS))
        out = bands[-1]
        if out.first == out.end:
            return torch.empty((1, self._channels, 0, rgb.shape[1]))
        found = out.rows(out.first, out.end)
        out.drop(out.end)
        return found

    def _sweep(self, most: int) -> None:
        """Compute the next rows of every value, at most those of so many rows of the image."""
        for j, step in enumerate(self._steps):
            grown = int(most * self._per_row[j + 1]) // step.grow * step.grow
            self._run(j, max(step.grow, grown))
            for i in step.inputs:
                self._bands[i].drop(min(self._next_row(i, user) for user in self._users[i]))

    def _run(self, number: int, most: int) -> None:
        step, out = self._steps[number], self._bands[number + 1]
        bands = [self._bands[i] for i in step.inputs]
        ended, height = all(self._ended[i] for i in step.inputs), min(b.end for b in bands)
        if step.grow > 1:
            left = height * step.grow - out.end
        else:
            below = step.pad if ended else 0
            left = (height + step.pad + below - step.kernel) // step.stride + 1 - out.end
        count = min(left, most)
        self._ended[number + 1] = ended and count >= left
        if count <= 0:
            return
        if step.grow > 1:
            first, end = out.end // step.grow, (out.end + count) // step.grow
        else:
            first = out.end * step.stride - step.pad
            end = first + (count - 1) * step.stride + step.kernel
        inputs = [band.rows(max(0, first), min(end, height)) for band in bands]
        if first < 0 or end > height:
            around = (0, 0, max(0, -first), max(0, end - height))
            inputs = [F.pad(rows, around, value=step.fill) for rows in inputs]
        place = out.reserve(count)
        out.append(step.run(inputs, place), place)

    def _next_row(self, value: int, user: int) -> int:
        """Return the first row of a value that a step will still need."""
        step, done = self._steps[user], self._bands[user + 1].end
        if step.grow > 1:
            return done // step.grow
        return min(self._bands[value].end, max(0, done * step.stride - step.pad))


def probabilities(logits: Tensor) -> NDArray[np.float32]:
    """Map logits ``(1, channel, y, x)`` to ``(class, y, x)``, summing to 1 over the classes."""
    if logits.shape[1] > 1:
        return logits[0].float().softmax(0).numpy()
    found = torch.empty((2, *logits.shape[2:]), dtype=torch.float32)
    found[1] = logits[0, 0].float().sigmoid_()
    torch.sub(1.0, found[1], out=found[0])
    return found.numpy()
