"""One pass through a network: tiles to the device, probabilities back, overlapping on CUDA."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ._gate import NETWORKS
from ._stain import ColourCube


class Pass:
    """A pass that has begun; on CUDA it goes on while the caller does other things.

    Parameters
    ----------
    found : Tensor
        Probabilities in the memory of the host, complete once `ready` has returned.
    ready : callable
        Waits for them.
    """

    def __init__(self, found: Tensor, ready: Callable[[], None] = lambda: None) -> None:
        self._found, self._ready = found, ready

    def into(self, out: NDArray[np.float32]) -> None:
        """Wait, and write ``(n, class, ...) float32``; of one channel make two that sum to 1."""
        self._ready()
        found = self._found.numpy()
        if found.shape[1] == out.shape[1]:
            out[:] = found
        else:
            out[:, 1] = found[:, 0]
            np.subtract(1, out[:, 1], out=out[:, 0])


class Passes:
    """A network on a device.

    On CUDA the tiles travel through page-locked memory in a stream of their own, and so do the
    results: while one pass is computed, the tiles of the next one and the probabilities of the
    last are copied. Where two classes come from one channel only that one is copied, in half
    precision where it was computed in it (an error of 2.4e-4 at most).

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the device.
    device : str
        ``"cpu"``, ``"mps"`` or ``"cuda:N"``.
    dtype : torch.dtype
        Of its weights.
    """

    def __init__(self, network: nn.Module, device: str, dtype: torch.dtype) -> None:
        self._network, self._device, self._dtype = network, device, dtype
        self._colours: ColourCube | None = None
        self._on_cuda = device.startswith("cuda")
        if self._on_cuda:
            self._up: torch.cuda.Stream = torch.cuda.Stream(device)
            self._down: torch.cuda.Stream = torch.cuda.Stream(device)

    def behind(self, colours: ColourCube) -> Passes:
        """Return passes of the same network that change the colours of the tiles first."""
        other = copy.copy(self)
        other._colours = colours
        return other

    @torch.inference_mode()
    def begin(self, tiles: NDArray[np.uint8]) -> Pass:
        """Begin a pass over ``(n, y, x, 3) uint8``."""
        if self._on_cuda:
            with torch.cuda.device(self._device):
                return self._begin_on_cuda(tiles)
        rgb = torch.from_numpy(np.array(tiles, order="C")).to(self._device)
        return Pass(self._probabilities(rgb).cpu())

    def _begin_on_cuda(self, tiles: NDArray[np.uint8]) -> Pass:
        here = torch.cuda.current_stream(self._device)
        locked = torch.empty(tiles.shape, dtype=torch.uint8, pin_memory=True)
        locked.numpy()[:] = tiles
        with torch.cuda.stream(self._up):
            rgb = locked.to(self._device, non_blocking=True)
        here.wait_stream(self._up)
        rgb.record_stream(here)  # its memory is not used again before `here` is done with it
        found = self._probabilities(rgb)
        if found.shape[1] == 1 and self._dtype != torch.float32:
            found = found.half()
        self._down.wait_stream(here)
        with torch.cuda.stream(self._down):
            back = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
            back.copy_(found, non_blocking=True)
            found.record_stream(self._down)
            arrived = self._down.record_event()
        return Pass(back, arrived.synchronize)

    def _probabilities(self, rgb: Tensor) -> Tensor:
        if self._colours is not None:
            rgb = self._colours.apply(rgb)
        # A view of (n, y, x, 3) as (n, 3, y, x) is already in the memory order channels_last.
        with NETWORKS.passing(), repeatable() if self._on_cuda else nullcontext():
            logits = self._network(rgb.permute(0, 3, 1, 2).to(self._dtype)).float()
        if self._dtype == torch.float16:  # beyond 65504 is infinite: no number, so that it is seen
            logits = logits.masked_fill(~logits.isfinite(), torch.nan)
        return logits.softmax(1) if logits.shape[1] > 1 else logits.sigmoid_()


def repeatable() -> AbstractContextManager[None]:
    """Let cuDNN choose the same algorithm every time, and compute float32 in all its digits."""
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
