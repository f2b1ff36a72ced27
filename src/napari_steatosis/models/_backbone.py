"""Networks of timm as the first part of ours: nothing is downloaded, weights come from files."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn

from ..core.errors import BadValueError, UnknownNameError
from ._channel_scale import IMAGENET_MEAN, IMAGENET_STD, ChannelScale
from ._names import near


class Pyramid(nn.Module):
    """A network of timm that gives its maps at several strides.

    Parameters
    ----------
    name : str
        As timm calls it; one with levels, of free size: ``"resnet50"``, ``"efficientnet_b0"``,
        ``"convnext_tiny"``, ``"caformer_s18"`` ...
    strides : sequence of int
        Of the maps, ascending, px. Layers beyond the last one are left out.

    Raises
    ------
    UnknownNameError
        Where timm knows no such network.
    BadValueError
        Where it has no maps at these strides, or takes images of one size only.

    Examples
    --------
    >>> pyramid = Pyramid("resnet18", (4, 16))
    >>> pyramid.channels
    [64, 256]
    >>> [tuple(part.shape) for part in pyramid(torch.zeros(1, 3, 32, 64))]
    [(1, 64, 8, 16), (1, 256, 2, 4)]
    """

    def __init__(self, name: str, strides: Sequence[int]) -> None:
        super().__init__()
        levels = dict(zip(strides_of(name), range(99), strict=False))
        lacking = [stride for stride in strides if stride not in levels]
        stated = timm.get_pretrained_cfg(name)
        if lacking or (stated is not None and stated.fixed_input_size):
            raise BadValueError(
                f"{name!r} has maps at strides {', '.join(map(str, levels))} px"
                f"{'' if lacking else ', of images of one size'}; needed are maps of images of "
                f"any size at {', '.join(map(str, strides))}. Take a network with levels, such "
                f"as resnet18, resnet50, efficientnet_b0, convnext_tiny or caformer_s18."
            )
        self.scale = scale_of(name)
        network: Any = timm.create_model(
            name,
            pretrained=False,
            features_only=True,
            out_indices=tuple(levels[stride] for stride in strides),
        )
        self.network = network
        self.channels: list[int] = network.feature_info.channels()

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to maps, the finest first."""
        maps: list[Tensor] = self.network(self.scale(rgb))
        return maps


class Encoder(nn.Module):
    """A network of timm that gives one vector for an image: its features, averaged over it.

    Parameters
    ----------
    name : str
        As timm calls it.

    Raises
    ------
    UnknownNameError
        Where timm knows no such network.

    Examples
    --------
    >>> Encoder("resnet18")(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 512])
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        refuse_unknown(name)
        self.scale = scale_of(name)
        network: Any = timm.create_model(name, pretrained=False, num_classes=0)
        self.network = network
        self.features = int(network.head_hidden_size)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to ``(n, features)``."""
        vectors: Tensor = self.network(self.scale(rgb))
        return vectors


def refuse_unknown(name: str) -> None:
    """Raise `UnknownNameError` where timm has no network of this name."""
    if not timm.is_model(name):
        hint = near(name, timm_names())
        raise UnknownNameError(f"timm {timm.__version__} has no network {name!r}.{hint}")


def timm_names() -> list[str]:
    """Return the names of the networks of timm, in order; weights have no part in them."""
    names: list[str] = timm.list_models()
    return names


def scale_of(name: str) -> ChannelScale:
    """Return the scaling that the published weights of a network of timm ask for."""
    stated = timm.get_pretrained_cfg(name)
    return ChannelScale(*((stated.mean, stated.std) if stated else (IMAGENET_MEAN, IMAGENET_STD)))


@functools.cache
def strides_of(name: str) -> tuple[int, ...]:
    """Return the strides of the maps that a network of timm can give, px, finest first."""
    refuse_unknown(name)
    with torch.device("meta"):  # no memory, no numbers
        network: Any = timm.create_model(name, pretrained=False, num_classes=0)
    return tuple(int(level["reduction"]) for level in network.feature_info)


def dense_head(features: int, widths: Sequence[int], classes: int, dropout: float) -> nn.Sequential:
    """Return fully connected layers, each with ReLU and dropout, and a last one for the classes.

    Parameters
    ----------
    features : int
        Of the vector that comes in.
    widths : sequence of int
        Of the layers before the last.
    classes : int
        One logit each.
    dropout : float
        Share of values dropped after each layer in training.

    Examples
    --------
    >>> sum(p.numel() for p in dense_head(6144, (1024, 512), 5, 0.5).parameters())
    6819845
    """
    if classes < 2:
        raise BadValueError(f"A classifier has at least two classes, got {classes}.")
    layers: list[nn.Module] = []
    for before, after in zip((features, *widths), widths, strict=False):
        dense = nn.Linear(before, after)
        nn.init.kaiming_normal_(dense.weight, nonlinearity="relu")
        layers += [dense, nn.ReLU(inplace=True), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear((features, *widths)[-1], classes))


def level_names(network: nn.Module) -> list[str]:
    """Return the names of the parts of a network of timm that make its maps, finest first."""
    described: Any = network.feature_info
    parts = dict(network.named_modules())
    named = [str(described[i]["module"]) for i in range(len(described))]
    ways = [name if name in parts else name.replace(".", "_") for name in named]
    return [name for name in ways if name in parts]


def last_child(part: nn.Module) -> str:
    """Return the name of the last child with parameters, of a list its last; "" of a layer.

    Examples
    --------
    >>> last_child(nn.Sequential(nn.ReLU(), nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])))
    '1.1'
    """
    named = [n for n, child in part.named_children() if next(child.parameters(), None) is not None]
    if not named:
        return ""
    below = part.get_submodule(named[-1])
    inside = last_child(below) if isinstance(below, nn.ModuleList) else ""
    return f"{named[-1]}.{inside}" if inside else named[-1]
