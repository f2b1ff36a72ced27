"""Convolutions, an LSTM over the places of their map, attention on what it says, a shortcut."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..core.errors import BadValueError
from ..core.model import Task
from ._backbone import Pyramid, level_names
from ._channel_scale import ChannelScale
from ._tokens import Scan, at_most, cell_means, scan_order

CHANNELS = (32, 64, 128, 256)
"""Of the four levels of the plain convolutional network."""

STRIDE_PX = 16
HIDDEN = 128
"""Numbers that the LSTM keeps, in each direction."""

MOST_CELLS = 16
"""A side of the map that is read, so that a sequence has at most 256 tokens."""


class CnnLstmAttention(nn.Module):
    """A classifier that reads the places of a map as a sequence.

    A convolutional network makes a map of stride 16 px (14 x 14 for 224 px); an LSTM reads its
    places in the order of `scan`; attention weights what it says at each (``softmax(v . tanh(W h
    + b))``); the weighted sum and what the LSTM says last go to the classes. With the defaults
    it has 604 933 parameters for five classes, as published.

    Parameters
    ----------
    classes : int
        One logit each.
    backbone : str
        ``"plain"``, four levels of 3 x 3 convolution, batch normalisation, ReLU and pooling; or a
        network of timm with levels, of which that of stride 16 px is read.
    scan : {"raster", "snake"}
        The order. A tile has none of its own, so see how much it matters to your images.
    bidirectional : bool
        Read it backwards, too.
    skip : {"concat", "add"}
        How the weighted sum and the last state are put together.
    cam_guided : bool
        Read twice: the second time each place is made stronger by how much it spoke for the
        class that the first reading found, ``1 + cam``, where `cam` is at most 1: the layer of
        the classes applied to each place by itself, which needs no gradient.

    Raises
    ------
    UnknownNameError, BadValueError
        Where timm has no such backbone, or it has no such level; where an argument is impossible.

    Examples
    --------
    >>> network = CnnLstmAttention(classes=5)
    >>> sum(values.numel() for values in network.parameters())
    604933
    >>> network.attention(torch.zeros(1, 3, 224, 224)).shape
    torch.Size([1, 14, 14])
    """

    task: Task = "classification"
    stride_px = STRIDE_PX
    reach_px = None
    """The whole tile counts."""

    head_names = ("head",)

    def __init__(
        self,
        classes: int = 2,
        *,
        backbone: str = "plain",
        scan: Scan = "raster",
        bidirectional: bool = False,
        skip: Literal["concat", "add"] = "concat",
        cam_guided: bool = False,
    ) -> None:
        super().__init__()
        if classes < 2 or scan not in ("raster", "snake") or skip not in ("concat", "add"):
            raise BadValueError(
                f"cnn-lstm-attention has at least two classes, scan 'raster' or 'snake', and skip "
                f"'concat' or 'add'; got classes={classes}, scan={scan!r}, skip={skip!r}."
            )
        self.scan: Scan = scan
        self.skip, self.cam_guided, self.bidirectional = skip, cam_guided, bidirectional
        self.backbone = PlainCnn() if backbone == "plain" else Pyramid(backbone, (STRIDE_PX,))
        self.backbone_names = ("backbone",) if backbone == "plain" else ("backbone.network",)
        width = 2 * HIDDEN if bidirectional else HIDDEN
        self.lstm = nn.LSTM(
            self.backbone.channels[-1], HIDDEN, batch_first=True, bidirectional=bidirectional
        )
        self.inner = nn.Linear(width, width)
        self.score = nn.Linear(width, 1, bias=False)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(2 * width if skip == "concat" else width, classes)

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """The part whose map Grad-CAM weights."""
        if isinstance(self.backbone, PlainCnn):
            return (f"backbone.levels.{len(CHANNELS) - 1}",)
        return (f"backbone.network.{level_names(self.backbone.network)[-1]}",)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, class)``."""
        places = self.places(rgb)
        logits, states, _ = self.read(places)
        if not self.cam_guided:
            return logits
        logits, _, _ = self.read(places * (1 + self.cam(states, logits))[..., None])
        return logits

    def places(self, rgb: Tensor) -> Tensor:
        """Return the map, at most 16 x 16, ``(n, channel, y, x)``, as ``(n, y * x, channel)``."""
        x = self.backbone(rgb)[-1]
        x = cell_means(x, at_most(x.shape[2], MOST_CELLS), at_most(x.shape[3], MOST_CELLS))
        order = scan_order(x.shape[2], x.shape[3], self.scan).to(x.device)
        return x.flatten(2).transpose(1, 2)[:, order]

    def read(self, places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits, the state at each place, and the attention to it.

        Parameters
        ----------
        places : (n, place, channel)

        Returns
        -------
        (n, class), (n, place, width), (n, place)
        """
        states = self.lstm(places)[0]
        scores = self.score(self.inner(states).tanh())  # (n, place, 1)
        attention = scores.softmax(1)
        joined = self.joined((attention * states).sum(1), self.last(states))
        return self.head(self.dropout(joined)), states, attention[..., 0]

    def last(self, states: Tensor) -> Tensor:
        """Return what the LSTM says at the end of the sequence, in each direction."""
        if not self.bidirectional:
            return states[:, -1]
        return torch.cat([states[:, -1, :HIDDEN], states[:, 0, HIDDEN:]], 1)

    def joined(self, summed: Tensor, last: Tensor) -> Tensor:
        """Put what attention sums and what the LSTM says last together."""
        return torch.cat([summed, last], 1) if self.skip == "concat" else summed + last

    def cam(self, states: Tensor, logits: Tensor) -> Tensor:
        """Return how much each place speaks for the likeliest class, ``(n, place)``, 0 to 1.

        No gradient flows through it.
        """
        alone = self.joined(states.flatten(0, 1), states.flatten(0, 1)).unflatten(
            0, states.shape[:2]
        )
        weights = self.head.weight[logits.argmax(1)]  # (n, feature)
        spoken = (alone @ weights[:, :, None])[..., 0].relu().detach()
        return spoken / spoken.amax(1, keepdim=True).clamp_min(1e-6)

    def attention(self, rgb: Tensor) -> Tensor:
        """Return how much the sum takes from each place of the map.

        Parameters
        ----------
        rgb : (n, 3, y, x) float
            RGB of 0 to 255.

        Returns
        -------
        (n, y / 16, x / 16) float32
            At most 16 a side; sums to 1 over the tile. With `cam_guided`, of the second reading.
        """
        rows, columns = (at_most(side // STRIDE_PX, MOST_CELLS) for side in rgb.shape[2:])
        places = self.places(rgb)
        logits, states, found = self.read(places)
        if self.cam_guided:
            found = self.read(places * (1 + self.cam(states, logits))[..., None])[2]
        back = scan_order(rows, columns, self.scan).argsort().to(found.device)
        return found[:, back].unflatten(1, (rows, columns)).float()


class PlainCnn(nn.Module):
    """Levels of a 3 x 3 convolution, batch normalisation, ReLU and pooling by 2."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = list(CHANNELS)
        self.scale = ChannelScale()
        self.levels = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(before, after, 3, padding=1),
                    nn.BatchNorm2d(after),
                    nn.ReLU(inplace=True),
                    nn.MaxPool2d(2),
                )
                for before, after in zip((3, *CHANNELS), CHANNELS, strict=False)
            )
        )

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to ``(n, 256, y/16, x/16)``, alone in a list."""
        return [self.levels(self.scale(rgb))]
