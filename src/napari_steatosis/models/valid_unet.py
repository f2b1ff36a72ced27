"""A U-Net without padding: 268 px see, 148 px are answered, and tiles show no seams."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import BadValueError


class ValidUNet(nn.Module):
    """U-Net of four levels with few channels, in two forms that share their weights.

    ``strict=True`` is the published form, for training: convolutions give valid results only,
    but for the one at the bottom, so an input of 268 px gives the 148 px in its middle, and
    shortcuts are cropped. The bottom's padding reaches the outer 16 px of them, so tiles of
    this form differ where they meet.

    The other form, for inference, pads every convolution and crops nothing: sides stay, any
    multiple of 16 will do, and away from the border it gives what valid convolutions give. So
    tiles with a halo of `reach_px` are equal to the whole, to rounding.

    Parameters
    ----------
    down, up : tuple of int
        Channels of the levels on the way down, finest first, and up, deepest first.
    bottom : int
        Channels of the three convolutions at the bottom (3 x 3, 1 x 1, 1 x 1).
    dropout : float
        Share of values dropped between these in training.
    classes : int
        Two share one logit; more have one each.
    strict : bool
        Which form.

    Notes
    -----
    Initial weights (Glorot, uniform), epsilon and momentum of the normalisations are those of
    Keras, in which the network was published.

    Examples
    --------
    >>> ValidUNet(strict=True)(torch.zeros(1, 3, 268, 268)).shape
    torch.Size([1, 1, 148, 148])
    >>> ValidUNet()(torch.zeros(1, 3, 64, 48)).shape
    torch.Size([1, 1, 64, 48])
    """

    MARGIN_PX = 60
    """What the strict form cuts off on every side, px."""

    backbone_names = ("norm0", "down")
    head_names = ("head",)
    cam_layers = ("bottom",)
    """The part whose map Grad-CAM weights: the coarsest, which sees farthest."""

    def __init__(
        self,
        down: tuple[int, ...] = (20, 25, 30, 45),
        up: tuple[int, ...] = (20, 20, 20, 10),
        *,
        bottom: int = 40,
        dropout: float = 0.5,
        classes: int = 2,
        strict: bool = False,
    ) -> None:
        super().__init__()
        if len(down) != 4 or len(up) != 4 or classes < 2:
            raise BadValueError(
                f"valid-unet has four levels and at least two classes, got down={down}, "
                f"up={up}, classes={classes}."
            )
        self.strict = strict
        pad = 0 if strict else 1
        self.norm0 = nn.BatchNorm2d(3, eps=1e-3, momentum=0.01)
        self.down = nn.ModuleList(
            Block(before, after, pad) for before, after in zip((3, *down), down, strict=False)
        )
        self.bottom = nn.Sequential(
            nn.Conv2d(down[3], bottom, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Conv2d(bottom, bottom, 1),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Conv2d(bottom, bottom, 1),
            nn.ReLU(inplace=True),
        )
        below = (bottom, *up)
        self.up = nn.ModuleList(Block(below[i] + down[3 - i], up[i], pad) for i in range(4))
        self.head = nn.Conv2d(up[3], 1 if classes == 2 else classes, 1)
        for part in self.modules():
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                nn.init.xavier_uniform_(part.weight)
                nn.init.zeros_(part.bias)

    @property
    def stride_px(self) -> int:
        """Sides of an input, and origins of tiles, must be multiples of this, px."""
        return 16

    @property
    def reach_px(self) -> int:
        """How far beyond its edges a tile must see, px, if these lie at multiples of the stride.

        The pixels that its first and its last one need, followed back through the deepest path.
        """
        low, high = 0, self.stride_px - 1
        for _ in self.up:
            low, high = (low - 2) // 2, (high + 2) // 2
        low, high = low - 1, high + 1
        for _ in self.down:
            low, high = 2 * low - 2, 2 * high + 1 + 2
        return max(-low, high - self.stride_px + 1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, 1, y, x)``.

        In the strict form sides are 16 k + 12 and come back shorter by 120.

        Raises
        ------
        BadValueError
            Where the strict form is given other sides.
        """
        if self.strict:
            check_sides(rgb.shape[2], rgb.shape[3])
        x = self.norm0((rgb - 128) / 64)  # exact in bfloat16 for whole numbers
        kept = []
        for block in self.down:  # sides of the strict form: 264, 128, 60, 26
            kept.append(block(x))
            x = F.max_pool2d(kept[-1], 2)  # 132, 64, 30, 13
        x = self.bottom(x)
        for i, block in enumerate(self.up):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")  # 26, 44, 80, 152
            beside = middle(kept[3 - i], x) if self.strict else kept[3 - i]
            x = block(torch.cat([x, beside], 1))  # 22, 40, 76, 148
        return self.head(x)


class Block(nn.Module):
    """Two 3 x 3 convolutions, each with batch normalisation and ReLU.

    Parameters
    ----------
    before, after : int
        Channels in and out.
    pad : int
        Padding of both: 0 for valid results only.
    """

    def __init__(self, before: int, after: int, pad: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, padding=pad)
        self.norm1 = nn.BatchNorm2d(after, eps=1e-3, momentum=0.01)
        self.conv2 = nn.Conv2d(after, after, 3, padding=pad)
        self.norm2 = nn.BatchNorm2d(after, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, before, y, x)`` to ``(n, after, y, x)``, shorter by 4 without padding."""
        x = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(x)), inplace=True)


def middle(shortcut: Tensor, x: Tensor) -> Tensor:
    """Return the middle of a shortcut, of the height and width of `x`."""
    top = (shortcut.shape[2] - x.shape[2]) // 2
    left = (shortcut.shape[3] - x.shape[3]) // 2
    return shortcut[:, :, top : top + x.shape[2], left : left + x.shape[3]]


def check_sides(height: int, width: int) -> None:
    """Raise `BadValueError` where the strict form has no answer for these sides."""
    if min(height, width) < 124 or height % 16 != 12 or width % 16 != 12:
        raise BadValueError(
            f"The strict form of valid-unet takes sides of 16 k + 12 px from 124 on (268), got "
            f"{height} x {width}. Cut such a part, or build it with strict=False."
        )
