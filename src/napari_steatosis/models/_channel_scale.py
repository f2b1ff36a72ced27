"""From RGB of 0 to 255 to what published weights were trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Of the red, green and blue of ImageNet, as parts of 1."""


class ChannelScale(nn.Module):
    """Subtracts a mean and divides by a deviation, each of one channel.

    Parameters
    ----------
    mean, std : sequence of 3 float
        As parts of 1, as they are usually published.

    Examples
    --------
    >>> grey = torch.full((1, 3, 1, 1), 127.5)
    >>> ChannelScale((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))(grey).flatten().tolist()
    [0.0, 0.0, 0.0]
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
    ) -> None:
        super().__init__()
        means, stds = (torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1) for v in (mean, std))
        self.register_buffer("scale", (64 / 255 / stds).float(), persistent=False)
        self.register_buffer("shift", ((128 / 255 - means) / stds).float(), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to values about 0."""
        return (rgb - 128) / 64 * self.scale + self.shift  # the first part is exact in bfloat16
