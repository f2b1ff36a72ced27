"""Batch normalisation folded into the convolution before it: the same answers, fewer passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._python_dispatch import TorchDispatchMode

from ._gate import NETWORKS

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
PROBE_PX = 96
"""Least side of the image that is sent through a network to see what its layers read."""

LARGER_PX = 256
"""The same where a network refuses so small a one."""


def fused(network: nn.Module, step_px: int = 16) -> nn.Module:
    """Fold every batch normalisation that alone reads a convolution into it, in place.

    Pairs are found by sending one image through the network and watching which operation
    reads which values, so neither names nor the order of modules matter. A pair is folded if
    each of both ran once and nothing but the normalisation read the convolution's result.

    Parameters
    ----------
    network : torch.nn.Module
        In evaluation mode, on the CPU, in float32; maps ``(n, 3, y, x)`` to anything.
    step_px : int
        Sides of its input must be multiples of this.

    Returns
    -------
    torch.nn.Module
        The network that was given.

    Examples
    --------
    >>> pair = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    >>> fused(pair.eval())[1]
    Identity()
    """
    names = {part: name for name, part in network.named_modules()}
    for conv, norm in _pairs(network, step_px):
        transposed = isinstance(conv, nn.ConvTranspose2d)
        _put(network, names[conv], fuse_conv_bn_eval(conv, norm, transposed))  # type: ignore[type-var]
        _put(network, names[norm], _rest_of(norm))
    return network


def _pairs(network: nn.Module, step_px: int) -> list[tuple[nn.Module, nn.BatchNorm2d]]:
    """Return the pairs that an image shows; of a larger one where the network refuses a small."""
    try:
        return _pairs_at(network, -(-PROBE_PX // step_px) * step_px)
    except RuntimeError:  # PAN pools until nothing is left of a small image
        return _pairs_at(network, -(-LARGER_PX // step_px) * step_px)


def _pairs_at(network: nn.Module, side: int) -> list[tuple[nn.Module, nn.BatchNorm2d]]:
    made: dict[int, nn.Module] = {}
    read: dict[nn.BatchNorm2d, int] = {}
    runs: Counter[nn.Module] = Counter()
    alive: list[Tensor] = []  # an id names a tensor only while it lives

    def watch(part: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        runs[part] += 1
        if isinstance(part, CONVOLUTIONS):
            made[id(result)] = part
        elif isinstance(part, nn.BatchNorm2d):
            read[part] = id(given[0])
        alive.extend([*given, result])

    watched = [p for p in network.modules() if isinstance(p, (*CONVOLUTIONS, nn.BatchNorm2d))]
    if not any(isinstance(part, nn.BatchNorm2d) for part in watched):
        return []
    hooks = [part.register_forward_hook(watch) for part in watched]
    try:
        with torch.no_grad(), NETWORKS.passing(), _Readers() as readers:
            network(torch.zeros(1, 3, side, side))
    finally:
        for hook in hooks:
            hook.remove()
    return [
        (made[values], norm)
        for norm, values in read.items()
        if values in made
        and readers.count[values] == 1
        and runs[norm] == runs[made[values]] == 1
        and norm.track_running_stats
    ]


class _Readers(TorchDispatchMode):
    """Counts how many operations read each tensor."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count: Counter[int] = Counter()
        self._alive: list[Tensor] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Skipping imports triton, whose LLVM ends a process that Mesa draws in with its own.
        return False

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = [*args, *(kwargs or {}).values()]
        for value in (v for g in given for v in (g if isinstance(g, list | tuple) else [g])):
            if isinstance(value, Tensor):
                self.count[id(value)] += 1
                self._alive.append(value)
        return func(*args, **(kwargs or {}))


def _rest_of(norm: nn.BatchNorm2d) -> nn.Module:
    """Return what a normalisation does besides: timm's hold an activation, too."""
    rest = [part for _, part in norm.named_children() if not isinstance(part, nn.Identity)]
    return nn.Sequential(*rest) if rest else nn.Identity()


def _put(network: nn.Module, name: str, part: nn.Module) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(network.get_submodule(parent), leaf, part)
