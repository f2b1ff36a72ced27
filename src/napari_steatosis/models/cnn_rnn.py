"""A network for each region of a tile, and a recurrent one over the regions; or dense layers."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..core.errors import BadValueError
from ..core.model import Task
from ._backbone import Encoder, dense_head, level_names
from ._tokens import SCANS, Scan, scan_order

HIDDEN = 256
"""Numbers that the recurrent network keeps, in each direction."""

GLASS = 220
"""Darkest channel from which a pixel is as bright as glass."""

MOST_GLASS = 0.95
"""A region with a larger share of such pixels is background; fat alone fills none so far."""

FC_WIDTHS = (1024, 512, 256)

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}
POOLINGS = ("mean", "last", "attention")


class CnnRnn(nn.Module):
    """A classifier of regions: each becomes a vector, and these are read one after another.

    A tile is cut into `grid` x `grid` regions. A network of timm makes a vector of each; a
    recurrent network reads them in the order of `scan`, forwards and backwards; what it says is
    pooled and goes to the classes. In place of a region of background (glass) it reads a vector
    of its own, which is learnt, and the pooling leaves the region out.

    Parameters
    ----------
    backbone : str
        Network of timm.
    classes : int
        One logit each.
    grid : int
        Regions along each side of a tile.
    scan : {"snake", "raster", "hilbert"}
        The order; Hilbert's curve needs a grid of 2, 4, 8 ...
    cell : {"gru", "lstm"}
    pooling : {"mean", "last", "attention"}
        Over the regions: their mean; what is said after the last one, in each direction; or a
        mean with learnt weights.

    Raises
    ------
    UnknownNameError, BadValueError
        Where timm has no such network, or an argument is impossible.

    Examples
    --------
    >>> network = CnnRnn(grid=2)
    >>> network.stride_px
    64
    >>> network(torch.zeros(1, 3, 64, 128)).shape
    torch.Size([1, 2])
    """

    task: Task = "classification"
    reach_px = None
    """The whole tile counts."""

    backbone_names = ("encoder.network",)
    head_names = ("head",)

    def __init__(
        self,
        backbone: str = "resnet18",
        classes: int = 2,
        *,
        grid: int = 4,
        scan: Scan = "snake",
        cell: Literal["gru", "lstm"] = "gru",
        pooling: Literal["mean", "last", "attention"] = "mean",
    ) -> None:
        super().__init__()
        if (
            classes < 2
            or grid < 1
            or cell not in CELLS
            or pooling not in POOLINGS
            or scan not in SCANS
        ):
            raise BadValueError(
                f"cnn-rnn has at least two classes and one region, scan {'/'.join(SCANS)}, cell "
                f"{'/'.join(CELLS)} and pooling {'/'.join(POOLINGS)}; got classes={classes}, "
                f"grid={grid}, scan={scan!r}, cell={cell!r}, pooling={pooling!r}."
            )
        self.grid, self.pooling = grid, pooling
        self.encoder = Encoder(backbone)
        self.register_buffer("order", scan_order(grid, grid, scan), persistent=False)
        self.background = nn.Parameter(torch.zeros(self.encoder.features))
        self.rnn = CELLS[cell](self.encoder.features, HIDDEN, batch_first=True, bidirectional=True)
        self.score = nn.Linear(2 * HIDDEN, 1) if pooling == "attention" else None
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(2 * HIDDEN, classes)

    order: Tensor

    @property
    def stride_px(self) -> int:
        """Sides of a tile must be multiples of this, px: 32 for each region."""
        return 32 * self.grid

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """The part whose map Grad-CAM weights: of each region by itself."""
        return (f"encoder.network.{level_names(self.encoder.network)[-1]}",)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, class)``."""
        regions = self.regions(rgb)
        return self.classify(regions, is_glass(regions))

    def regions(self, rgb: Tensor) -> Tensor:
        """Cut ``(n, 3, y, x)`` into ``(n, region, 3, y / grid, x / grid)``, in order."""
        parts = rgb.unflatten(2, (self.grid, -1)).unflatten(4, (self.grid, -1))
        return parts.permute(0, 2, 4, 1, 3, 5).flatten(1, 2)[:, self.order]

    def classify(self, regions: Tensor, background: Tensor) -> Tensor:
        """Map regions that are already in order to logits.

        Parameters
        ----------
        regions : (n, region, 3, y, x) float
            RGB of 0 to 255; any number, those of a whole slide, too.
        background : (n, region) bool
            Those that show no tissue.

        Returns
        -------
        (n, class)
        """
        states, weights = self.read(regions, background)
        return self.head(self.dropout((weights[..., None] * states).sum(1)))

    def read(self, regions: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is said at each region, and what part it has in the pooling.

        Returns
        -------
        (n, region, 512), and (n, region), which sums to 1
        """
        vectors = self.encoder(regions.flatten(0, 1)).unflatten(0, regions.shape[:2])
        vectors = torch.where(background[..., None], self.background.to(vectors.dtype), vectors)
        states = self.rnn(vectors)[0]
        if self.pooling == "last":  # forwards after the last region, backwards after the first
            ends = torch.cat([states[:, -1:, :HIDDEN], states[:, :1, HIDDEN:]], 2)
            return ends, torch.ones_like(ends[..., 0])
        scores = self.score(states)[..., 0] if self.score else torch.zeros_like(states[..., 0])
        empty = background & ~background.all(1, keepdim=True)  # of nothing but glass all count
        return states, scores.masked_fill(empty, -1e4).softmax(1)

    def attention(self, rgb: Tensor) -> Tensor:
        """Return what part each region has in the pooling.

        Parameters
        ----------
        rgb : (n, 3, y, x) float
            RGB of 0 to 255.

        Returns
        -------
        (n, grid, grid) float32
            Sums to 1 over the tile; 0 for background.

        Raises
        ------
        BadValueError
            Where the pooling takes the ends of the sequence, so that no region has a part.
        """
        if self.pooling == "last":
            raise BadValueError("Pooling 'last' weights no regions; use 'attention' or 'mean'.")
        regions = self.regions(rgb)
        weights = self.read(regions, is_glass(regions))[1][:, self.order.argsort()]
        return weights.unflatten(1, (self.grid, self.grid)).float()


class CnnFc(nn.Module):
    """A network of timm, and dense layers of 1024, 512 and 256 before the classes.

    Parameters
    ----------
    backbone : str
        Network of timm.
    classes : int
        One logit each.
    dropout : float
        After each dense layer but the last.

    Raises
    ------
    UnknownNameError
        Where timm has no such network.

    Examples
    --------
    >>> CnnFc(classes=4)(torch.zeros(1, 3, 32, 64)).shape
    torch.Size([1, 4])
    """

    task: Task = "classification"
    stride_px = 32
    reach_px = None
    """The whole tile counts."""

    backbone_names = ("encoder.network",)
    head_names = ("head",)

    def __init__(
        self, backbone: str = "resnet18", classes: int = 2, *, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.encoder = Encoder(backbone)
        self.head = dense_head(self.encoder.features, FC_WIDTHS, classes, dropout)

    @property
    def cam_layers(self) -> tuple[str, ...]:
        """The part whose map Grad-CAM weights."""
        return (f"encoder.network.{level_names(self.encoder.network)[-1]}",)

    def forward(self, rgb: Tensor) -> Tensor:
        """Map RGB of 0 to 255, ``(n, 3, y, x)``, to logits, ``(n, class)``."""
        return self.head(self.encoder(rgb))


def is_glass(regions: Tensor) -> Tensor:
    """Say which regions, ``(n, region, 3, y, x)`` of 0 to 255, show background: ``(n, region)``."""
    return (regions.amin(2) >= GLASS).float().mean((2, 3)) > MOST_GLASS
