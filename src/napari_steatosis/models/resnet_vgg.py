"""ResNet50, VGG16, and both side by side: a tile becomes a vector, then come dense layers."""

from __future__ import annotations

from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn

from ..core.errors import BadValueError
from ..core.model import Task
from ._backbone import Encoder, dense_head, level_names, refuse_unknown, scale_of
from ._tokens import cell_means

VggFeatures = Literal["fc2", "flatten", "gap", "flatten_proj"]
VGG_FEATURES: tuple[VggFeatures, ...] = ("fc2", "flatten", "gap", "flatten_proj")

CELLS = 7
"""A side of the map that the dense layers of VGG read: that of a tile of 224 px."""

WIDTHS = (1024, 512)
"""Of the dense layers between the features and the classes."""


class ResNetVgg(nn.Module):
    """Two networks of timm that see the same tile; their features, side by side, go to one head.

    As published: ``resnet="resnet50"``, ``vgg="vgg16"``, ``vgg_features="fc2"``. Then 2048 and
    4096 features are joined to 6144, and the head (1024, 512, classes; ReLU and dropout after
    each but the last) has 6 819 845 parameters for five classes. The default is a smaller pair,
    for processors.

    Parameters
    ----------
    classes : int
        One logit each.
    resnet, vgg : str
        Networks of timm; the second one of the VGG family.
    vgg_features : {"gap", "fc2", "flatten", "flatten_proj"}
        See `Vgg`.
    dropout : float
        In the head.

    Raises
    ------
    UnknownNameError, BadValueError
        Where timm has no such network, or an argument is impossible.

    Examples
    --------
    >>> ResNetVgg(classes=5)(torch.zeros(2, 3, 64, 96)).shape
    torch.Size([2, 5])
    """

    task: Task = "classification"
    stride_px = 32
    reach_px = None
    """The whole tile counts."""

    backbone_names = ("resnet.network", "vgg.network")
    head_names = ("head",)

    def __init__(
        self,
        classes: int = 2,
        *,
        resnet: str = "resnet18",
        vgg: str = "vgg11",
        vgg_features: VggFeatures = "gap",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.resnet = Encoder(resnet)
        self.vgg = Vgg(vgg, vgg_features)
        self.head = dense_head(self.resnet.features + self.vgg.features, WIDTHS, classes, dropout)

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """Parts whose maps Grad-CAM weights: the last convolutions of each of the two."""
        return f"resnet.network.{level_names(self.resnet.network)[-1]}", f"vgg.{self.vgg.last}"

    def features(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to ``(n, feature)``, 6144 as published."""
        return torch.cat([self.resnet(rgb), self.vgg(rgb)], 1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, class)``."""
        return self.head(self.features(rgb))


class ResNet50(nn.Module):
    """The one half of `ResNetVgg` by itself: 2048 features, averaged over the tile, and its head.

    Parameters
    ----------
    classes : int
        One logit each.
    dropout : float
        In the head.

    Examples
    --------
    >>> ResNet50(classes=5)(torch.zeros(1, 3, 32, 64)).shape
    torch.Size([1, 5])
    """

    task: Task = "classification"
    stride_px = 32
    reach_px = None
    """The whole tile counts."""

    backbone_names = ("body.network",)
    head_names = ("head",)
    cam_layers = ("body.network.layer4",)

    def __init__(self, classes: int = 2, *, dropout: float = 0.5) -> None:
        super().__init__()
        self.body = Encoder("resnet50")
        self.head = dense_head(self.body.features, WIDTHS, classes, dropout)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, class)``."""
        return self.head(self.body(rgb))


class Vgg16(nn.Module):
    """The other half of `ResNetVgg` by itself, as published with ``features="flatten"``.

    Parameters
    ----------
    classes : int
        One logit each.
    features : {"gap", "fc2", "flatten", "flatten_proj"}
        See `Vgg`.
    dropout : float
        In the head.

    Examples
    --------
    >>> Vgg16(classes=5)(torch.zeros(1, 3, 32, 64)).shape
    torch.Size([1, 5])
    """

    task: Task = "classification"
    stride_px = 32
    reach_px = None
    """The whole tile counts."""

    backbone_names = ("body.network",)
    head_names = ("head",)

    def __init__(
        self, classes: int = 2, *, features: VggFeatures = "gap", dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.body = Vgg("vgg16", features)
        self.head = dense_head(self.body.features, WIDTHS, classes, dropout)

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """The part whose map Grad-CAM weights: the last convolution, after its ReLU."""
        return (f"body.{self.body.last}",)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, class)``."""
        return self.head(self.body(rgb))


class Vgg(nn.Module):
    """A network of the VGG family that gives one vector for an image.

    Its dense layers read a map of 7 x 7, as of an image of 224 px; that of any other image is
    averaged to it.

    Parameters
    ----------
    name : str
        As timm calls it.
    features : {"gap", "fc2", "flatten", "flatten_proj"}
        The mean over the map (512); what the second dense layer of the published network gives
        (4096); the map itself (25 088); or that, brought to 4096 by a new layer.

    Raises
    ------
    UnknownNameError, BadValueError
        Where timm has no such network, or it is not of this family.
    """

    def __init__(self, name: str, features: VggFeatures) -> None:
        super().__init__()
        refuse_unknown(name)
        if not name.startswith("vgg") or features not in VGG_FEATURES:
            raise BadValueError(
                f"Give a network of the VGG family (vgg11 ... vgg19_bn) and one of "
                f"{', '.join(VGG_FEATURES)}, got {name!r} and {features!r}."
            )
        self.kind = features
        self.scale = scale_of(name)
        ratio = 1.0 if features == "fc2" else 1 / 4096  # not 120 million weights to be dropped
        network: Any = timm.create_model(name, pretrained=False, num_classes=0, mlp_ratio=ratio)
        network.head = nn.Identity()
        if features != "fc2":
            network.pre_logits = nn.Identity()
        self.network = network
        channels = int(network.num_features)
        self.last = f"network.features.{len(network.features) - 2}"
        self.features = {"fc2": 4096, "gap": channels}.get(features, channels * CELLS**2)
        if features == "flatten_proj":
            self.projection = nn.Sequential(nn.Linear(self.features, 4096), nn.ReLU(inplace=True))
            self.features = 4096

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to ``(n, features)``."""
        x: Tensor = self.network.features(self.scale(rgb))
        if self.kind == "gap":
            return x.mean((2, 3))
        x = self.network.pre_logits(cell_means(x, CELLS, CELLS)).flatten(1)
        return self.projection(x) if self.kind == "flatten_proj" else x
