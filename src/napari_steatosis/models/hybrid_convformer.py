"""Convolutions for what is near at several scales, then attention over the whole tile."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import BadValueError
from ..core.model import Task
from ._backbone import Pyramid
from ._convformer import ConvFormerBlock, conv_norm_relu
from ._tokens import at_most, cell_means

STRIDE_PX = 16
"""Of the map that attention works on."""

MOST_PLACES = 64
"""A side of that map; longer ones are averaged, for the work grows with its fourth power."""

WIDTHS = {8: 128, 4: 64, 2: 32, 1: 16}
"""Channels of the decoder by stride, px."""


class HybridConvFormer(nn.Module):
    """A convolutional network of several scales, ConvFormer blocks, and a head.

    The maps of the backbone at strides of 4, 8, 16 and 32 px are brought to `dim` channels and
    to a stride of 16 px, concatenated and mixed: what is *near*. Blocks of attention
    (`napari_steatosis.models._convformer`) make of it what is *far*: every place of the tile
    counts, so tiles are blended (``context="tile"``).

    A classifier averages both over the tile. A segmenter enlarges what is far, step by step, and
    at each step adds the map of the backbone of that size, as a U-Net does.

    Parameters
    ----------
    backbone : str
        Network of timm with levels.
    classes : int
        To segment, two share one logit; else one logit each.
    task : {"segmentation", "classification"}
    dim : int
        Channels of the map that attention works on; four times as many inside a block.
    depth, heads : int
        Blocks, and heads in each.

    Raises
    ------
    UnknownNameError, BadValueError
        Where timm has no such backbone, or it has no such levels; where an argument is impossible.

    Examples
    --------
    >>> network = HybridConvFormer(dim=32, depth=1)
    >>> network(torch.zeros(1, 3, 64, 96)).shape
    torch.Size([1, 1, 64, 96])
    >>> network.attention(torch.zeros(1, 3, 64, 96)).shape
    torch.Size([1, 4, 6])
    """

    stride_px = 32
    reach_px = None
    """The whole tile counts."""

    backbone_names = ("backbone.network",)
    head_names = ("head",)

    def __init__(
        self,
        backbone: str = "resnet18",
        classes: int = 2,
        *,
        task: Task = "segmentation",
        dim: int = 256,
        depth: int = 4,
        heads: int = 8,
    ) -> None:
        super().__init__()
        known = task in ("segmentation", "classification")
        if not known or classes < 2 or depth < 1 or dim % heads:
            raise BadValueError(
                f"hybrid-convformer segments or classifies into at least two classes, with one "
                f"block or more whose heads share the channels evenly; got task={task!r}, "
                f"classes={classes}, depth={depth}, dim={dim}, heads={heads}."
            )
        self.task = task
        self.backbone = Pyramid(backbone, (4, 8, 16, 32))
        channels = self.backbone.channels
        self.lateral = nn.ModuleList(conv_norm_relu(before, dim) for before in channels)
        self.fuse = conv_norm_relu(4 * dim, dim)
        self.blocks = nn.Sequential(*(ConvFormerBlock(dim, heads, 4 * dim) for _ in range(depth)))
        if task == "classification":
            self.head: nn.Module = nn.Sequential(nn.Dropout(0.5), nn.Linear(2 * dim, classes))
        else:
            self.decoder = Decoder(dim, {8: channels[1], 4: channels[0]})
            self.head = nn.Conv2d(WIDTHS[1], 1 if classes == 2 else classes, 1)

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """Parts whose maps Grad-CAM weights: what is far; in a classifier what is near, too."""
        far = f"blocks.{len(self.blocks) - 1}"
        return ("fuse", far) if self.task == "classification" else (far,)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, 1, y, x)`` or ``(n, class)``."""
        maps = self.backbone(rgb)  # strides 4, 8, 16, 32 px
        near = self.near(maps)  # (n, dim, y/16, x/16)
        size = near.shape[2:]
        far = F.interpolate(self.blocks(few_places(near)), size=size, mode="bilinear")
        if self.task == "classification":
            return self.head(torch.cat([near.mean((2, 3)), far.mean((2, 3))], 1))
        return self.head(self.decoder(far, {8: maps[1], 4: maps[0]}))

    def near(self, maps: list[Tensor]) -> Tensor:
        """Return what is near: maps of the backbone, finest first, to ``(n, dim, y/16, x/16)``."""
        parts = [lateral(part) for lateral, part in zip(self.lateral, maps, strict=True)]
        rows, columns = parts[2].shape[2:]
        finer = [cell_means(part, rows, columns) for part in parts[:2]]
        coarser = F.interpolate(parts[3], scale_factor=2.0)
        return self.fuse(torch.cat([*finer, parts[2], coarser], 1))

    def attention(self, rgb: Tensor) -> Tensor:
        """Return how much each place gives to all others in the last block.

        The mean over heads and receivers of the weights without their sign, as a part of 1.

        Parameters
        ----------
        rgb : (n, 3, y, x) float
            RGB of 0 to 255.

        Returns
        -------
        (n, y / 16, x / 16) float32
            At most 64 a side; sums to 1 over the tile.
        """
        x = self.blocks[:-1](few_places(self.near(self.backbone(rgb))))
        last = cast("ConvFormerBlock", self.blocks[-1])
        weights, _ = last.attention.weights(x)
        given = weights.float().abs().mean((1, 2)).clamp_min(1e-12)
        return (given / given.sum(1, keepdim=True)).unflatten(1, x.shape[2:])


class Decoder(nn.Module):
    """From a map of stride 16 px to full resolution, with the maps of a backbone on the way.

    Parameters
    ----------
    dim : int
        Channels of the map.
    beside : dict of int to int
        Stride of a map of the backbone, px, to its channels.
    """

    def __init__(self, dim: int, beside: dict[int, int]) -> None:
        super().__init__()
        before = (dim, *WIDTHS.values())
        self.steps = nn.ModuleList(
            nn.Sequential(
                conv_norm_relu(before[i] + beside.get(stride, 0), width, 3),
                conv_norm_relu(width, width, 3),
            )
            for i, (stride, width) in enumerate(WIDTHS.items())
        )

    def forward(self, x: Tensor, beside: dict[int, Tensor]) -> Tensor:
        """Map ``(n, dim, y/16, x/16)`` to ``(n, 16, y, x)``."""
        for stride, step in zip(WIDTHS, self.steps, strict=True):
            x = F.interpolate(x, scale_factor=2.0)
            x = step(torch.cat([beside[stride], x], 1) if stride in beside else x)
        return x


def few_places(x: Tensor) -> Tensor:
    """Average a map to at most `MOST_PLACES` a side; a smaller one stays as it is."""
    return cell_means(x, at_most(x.shape[2], MOST_PLACES), at_most(x.shape[3], MOST_PLACES))
