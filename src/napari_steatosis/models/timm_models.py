"""Every classifier of timm: a tile in, one logit per class out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import timm
from torch import Tensor, nn

from ..core.errors import BadValueError
from ..core.model import Task
from ._backbone import level_names, refuse_unknown
from ._channel_scale import IMAGENET_MEAN, IMAGENET_STD, ChannelScale

OURS = ("pretrained", "checkpoint_path", "in_chans", "num_classes", "features_only")
"""Options of the library that would break what a network is here."""


class TimmClassifier(nn.Module):
    """A classifier of timm. Nothing is downloaded; weights come from files.

    Parameters
    ----------
    name : str
        As timm calls it: ``"resnet18"``, ``"convnext_atto"``, ``"vit_tiny_patch16_224"`` ...
    classes : int
        One logit each.
    mean, std : sequence of 3 float
        Of the channels, as parts of 1, of the images that it was trained on: ImageNet.
    **options
        Of the architecture, as in timm: ``drop_rate=0.2``, ``img_size=256``.

    Raises
    ------
    UnknownNameError
        Where timm knows no such network.
    BadValueError
        Where an option is not free here.

    Examples
    --------
    >>> import torch
    >>> TimmClassifier("resnet18", classes=5)(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 5])
    """

    task: Task = "classification"
    reach_px = None
    """The whole tile counts."""

    backbone_names = ("network",)

    def __init__(
        self,
        name: str = "resnet18",
        classes: int = 2,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        **options: Any,
    ) -> None:
        super().__init__()
        if taken := sorted(options.keys() & set(OURS)):
            raise BadValueError(
                f"{', '.join(taken)} of timm is not free here: networks take RGB, give a logit "
                f"per class, and get their weights from a model folder. Leave it out."
            )
        refuse_unknown(name)
        self.scale = ChannelScale(mean, std)
        self.network: Any = timm.create_model(
            name, pretrained=False, num_classes=classes, **options
        )

    @property
    def head_names(self) -> tuple[str, ...]:
        """Parts that stand for the classes, inside the backbone."""
        named = self.network.pretrained_cfg["classifier"]
        return tuple(f"network.{name}" for name in ([named] if isinstance(named, str) else named))

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """The part whose map Grad-CAM weights: the last of its levels, or of its blocks."""
        return (f"network.{level_names(self.network)[-1]}",)

    @property
    def stride_px(self) -> int:
        """Sides of a tile must be multiples of this, px; of a fixed side, that side."""
        described = self.network.pretrained_cfg
        if described.get("fixed_input_size"):
            patches = getattr(self.network, "patch_embed", None)
            sides = getattr(patches, "img_size", None) or described["input_size"][1:]
            return int(sides[0])
        return int(self.network.feature_info[-1]["reduction"])

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, class)``."""
        logits: Tensor = self.network(self.scale(rgb))
        return logits
