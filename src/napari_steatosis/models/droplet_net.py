"""The shipped network: a small residual U-Net that works on the half-resolution grid."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions, each with batch normalisation, beside a shortcut.

    Parameters
    ----------
    before, after : int
        Channels in and out; where they differ the shortcut is a 1 x 1 convolution.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        same = before == after
        self.shortcut = nn.Identity() if same else nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, before, y, x)`` to ``(n, after, y, x)``."""
        inner = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(inner)) + self.shortcut(x), inplace=True)


class DropletNet(nn.Module):
    """Residual U-Net between a pixel unshuffle and a pixel shuffle.

    Four pixels become the channels of one, so that every convolution runs on a quarter of
    the pixels; four sub-pixel logits per position come back as full resolution. All layers
    are local (no global pooling, no instance statistics), so a pixel depends on a bounded
    neighbourhood only, `reach_px`, and a slide may be cut into tiles.

    Parameters
    ----------
    channels : tuple of int
        Channels of the levels, finest first; each level halves the grid of the one before.
        Multiples of 16 fill the vector registers of processors: 24 cost twice what 16 do.
    down, up : tuple of int
        Residual blocks of each level on the way down and, finest first, on the way up. Few
        on the coarse levels, where each adds most to the reach, so to the cost of tiling.

    Examples
    --------
    >>> DropletNet().stride_px
    16
    >>> DropletNet()(torch.zeros(1, 3, 32, 48)).shape
    torch.Size([1, 1, 32, 48])
    """

    backbone_names = ("stem", "down")
    head_names = ("head",)

    def __init__(
        self,
        channels: tuple[int, ...] = (16, 32, 96, 128),
        down: tuple[int, ...] = (2, 2, 1, 1),
        up: tuple[int, ...] = (2, 2, 1),
    ) -> None:
        super().__init__()
        self.blocks_down, self.blocks_up = tuple(down), tuple(up)
        self.stem = nn.Conv2d(12, channels[0], 3, padding=1)
        self.down = nn.ModuleList(
            _stage(channels[max(0, i - 1)], channels[i], down[i]) for i in range(len(channels))
        )
        self.up = nn.ModuleList(
            _stage(channels[i] + channels[i + 1], channels[i], up[i])
            for i in range(len(channels) - 1)
        )
        self.head = nn.Conv2d(channels[0], 4, 1)

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """The part whose map Grad-CAM weights: the coarsest, which sees farthest."""
        return (f"down.{len(self.down) - 1}",)

    @property
    def stride_px(self) -> int:
        """Sides of an input, and origins of tiles, must be multiples of this, px."""
        return int(2 ** len(self.blocks_down))

    @property
    def reach_px(self) -> int:
        """How far around itself an area of whole strides depends on the input, px.

        The interval that output pixel p needs is followed back through the deepest path
        (every shortcut lies inside it), for each position of p in the stride.
        """
        depth, farthest = len(self.blocks_up), 0
        for p in range(self.stride_px):
            low = high = p // 2  # pixel shuffle: four logits per half-resolution position
            for i in range(depth):
                low, high = low - 2 * self.blocks_up[i], high + 2 * self.blocks_up[i]
                low, high = low // 2, high // 2
            low, high = low - 2 * self.blocks_down[depth], high + 2 * self.blocks_down[depth]
            for i in reversed(range(depth)):
                low, high = 2 * low, 2 * high + 1  # max pooling
                low, high = low - 2 * self.blocks_down[i], high + 2 * self.blocks_down[i]
            low, high = 2 * (low - 1), 2 * (high + 1) + 1  # stem, then pixel unshuffle
            farthest = max(farthest, -low, high - (self.stride_px - 1))
        return farthest

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits of fat, ``(n, 1, y, x)``."""
        x = (rgb - 128) / 64  # exact in bfloat16 for whole numbers
        x = self.stem(F.pixel_unshuffle(x, 2))  # (n, 16, y/2, x/2)
        kept = []
        for i, stage in enumerate(self.down):
            x = stage(F.max_pool2d(x, 2) if i else x)  # (n, 16 32 96 128, y/2 .. y/16, ...)
            kept.append(x)
        for i in reversed(range(len(self.up))):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = self.up[i](torch.cat([kept[i], x], 1))  # (n, 96 32 16, y/8 .. y/2, ...)
        return F.pixel_shuffle(self.head(x), 2)  # (n, 4, y/2, x/2) -> (n, 1, y, x)


def _stage(before: int, after: int, blocks: int) -> nn.Sequential:
    widths = [before] + [after] * blocks
    return nn.Sequential(*(ResidualBlock(widths[i], after) for i in range(blocks)))
