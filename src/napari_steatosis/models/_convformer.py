"""Self-attention of convolutional style on a map, after Lin and others (MICCAI 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NARROWEST, WIDEST = 0.003, 0.4
"""Between these a head's prior may be, as parts of the side of the map."""


class Attention(nn.Module):
    """Every place of a map gathers what resembles it, near places first.

    Queries, keys and values come from a 3 x 3 convolution. What place j gives to place i is the
    cosine of their query and key times a Gaussian of their distance, whose rows sum to 1; there
    is no softmax, so weights may be negative. The width of the Gaussian is learnt, one for each
    head, as a part of the side of the map: the prior is made for the size of each map. A 1 x 1
    convolution follows, and the map itself is added.

    Parameters
    ----------
    dim : int
        Channels of the map.
    heads : int
        They share the channels.

    Examples
    --------
    >>> Attention(16, heads=2)(torch.zeros(1, 16, 3, 5)).shape
    torch.Size([1, 16, 3, 5])
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Conv2d(dim, 3 * dim, 3, padding=1, bias=False)
        self.spread = nn.Parameter(torch.linspace(-2, 2, heads))
        self.out = conv_norm_relu(dim, dim)

    def deviations(self) -> Tensor:
        """Return the width of each head's Gaussian, as a part of the side of the map."""
        return self.spread.float().sigmoid() * (WIDEST - NARROWEST) + NARROWEST

    def prior(self, rows: int, columns: int) -> Tensor:
        """Return how near places are, ``(head, rows * columns, rows * columns)``.

        Rows sum to 1. A Gaussian is the product of one along each axis, and so is its sum.
        """
        down, across = self._near(rows), self._near(columns)
        both = down[:, :, None, :, None] * across[:, None, :, None, :]
        return both.flatten(3, 4).flatten(1, 2)

    def _near(self, size: int) -> Tensor:
        place = torch.arange(size, device=self.spread.device) / size
        apart = (place[:, None] - place[None]) / self.deviations()[:, None, None]
        return (-(apart**2) / 2).softmax(-1)  # a Gaussian whose rows sum to 1

    def weights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what each place gives to each other one, and the values it gives.

        Parameters
        ----------
        x : (n, dim, y, x)

        Returns
        -------
        (n, head, y * x, y * x), receivers first, and (n, head, dim / head, y * x)
        """
        parts = self.qkv(x).flatten(2).unflatten(1, (3, self.heads, -1))
        query, key, value = parts.unbind(1)
        query, key = F.normalize(query, dim=2), F.normalize(key, dim=2)
        alike = query.transpose(2, 3) @ key
        return alike * self.prior(x.shape[2], x.shape[3]).to(alike.dtype), value

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, dim, y, x)`` to the same."""
        weights, value = self.weights(x)
        gathered = value @ weights.transpose(2, 3)  # (n, head, dim / head, y * x)
        return x + self.out(gathered.reshape(x.shape))


class ConvFormerBlock(nn.Module):
    """Attention, then two 1 x 1 convolutions at each place; each is added to what it is given.

    Parameters
    ----------
    dim : int
        Channels of the map.
    heads : int
        Of the attention.
    mlp : int
        Channels between the two convolutions.
    """

    def __init__(self, dim: int, heads: int, mlp: int) -> None:
        super().__init__()
        self.attention = Attention(dim, heads)
        self.places = nn.Sequential(conv_norm_relu(dim, mlp), conv_norm_relu(mlp, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, dim, y, x)`` to the same."""
        x = self.attention(x)
        return x + self.places(x)


def conv_norm_relu(before: int, after: int, kernel: int = 1) -> nn.Sequential:
    """Return a convolution that keeps the size, batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )
