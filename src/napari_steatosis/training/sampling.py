"""Which crops a batch is made of. Batch number n is always the same, whoever makes it and when."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..core.errors import BadValueError
from .augment import vary
from .losses import Objective
from .monitor import judged_logits, truth_of
from .recipe import Crops
from .samples import Samples
from .stain_mixing import StainPool

ORDER, DRAW, CROP, DISTINCT = range(4)
"""What a random generator is for; with the seed, and where, it says all that it gives."""


class Batches:
    """The batches of a training, by number; several threads may make them.

    Parameters
    ----------
    samples : Samples
        To train on.
    crops : Crops
        What a batch shows.
    seed : int
        Decides everything.
    margin_px : int
        What a network cuts off on every side, and its truth, too.

    Attributes
    ----------
    weights : (sample,) float
        Probability of each sample where the order is ``"weighted"``.
    """

    def __init__(self, samples: Samples, crops: Crops, *, seed: int, margin_px: int = 0) -> None:
        self.samples, self.crops, self.seed, self.margin_px = samples, crops, seed, margin_px
        self.own = own_weights(samples, crops.floor)
        self.weights = self.own
        self.pool = StainPool(tile.image for tile in samples) if crops.variation.mixed else None
        self._order = functools.lru_cache(maxsize=2)(self._order_of)

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch; a last one of a single crop is left out."""
        count, batch = len(self.samples) * self.crops.per_sample, self.crops.batch
        rest = count % batch
        return max(1, count // batch + (rest > 1 or (rest == 1 and batch == 1)))

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Make a batch.

        Parameters
        ----------
        number : int
            From 0, counted through all epochs.

        Returns
        -------
        (n, 3, crop, crop) float32 RGB 0 to 255; (n, 1, y, x) float32 or (n,) int64 classes
        """
        crops = [self._crop(number, *one) for one in enumerate(self._chosen(number))]
        rgb = torch.stack([rgb for rgb, _ in crops])
        return rgb, torch.stack([truth for _, truth in crops])

    def _chosen(self, number: int) -> list[tuple[int, int]]:
        """Return (sample, which of its crops) of each crop of a batch."""
        epoch, place = divmod(number, self.per_epoch)
        batch, each = self.crops.batch, self.crops.per_sample
        if self.crops.order == "each":
            order = self._order(epoch)[place * batch : (place + 1) * batch]
            return [divmod(int(one), each) for one in order]
        rng = np.random.default_rng((self.seed, DRAW, number))
        found = rng.choice(len(self.samples), batch, p=self.weights)
        return [(int(one), int(rng.integers(each))) for one in found]

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        rng = np.random.default_rng((self.seed, ORDER, epoch))
        return rng.permutation(len(self.samples) * self.crops.per_sample)

    def _crop(self, number: int, place: int, one: tuple[int, int]) -> tuple[Tensor, Tensor]:
        which = (DISTINCT, *one) if self.crops.distinct else (CROP, number, place)
        rng = np.random.default_rng((self.seed, *which))
        tile, variation = self.samples[one[0]], self.crops.variation
        mixing = None
        if self.pool is not None and rng.random() < variation.mixed:
            mixing = self.pool.mixing(one[0], rng)
        judged = self.samples.wanted.task == "segmentation"
        rgb, truth = vary(
            tile.image,
            tile.mask if judged else None,
            rng,
            crop_px=self.crops.crop_px,
            variation=variation,
            mixing=mixing,
        )
        if not judged:
            return rgb, torch.tensor(tile.label)
        kept = slice(self.margin_px, self.crops.crop_px - self.margin_px)
        return rgb, truth[:, kept, kept]


def own_weights(samples: Samples, floor: float) -> NDArray[np.float64]:
    """Return the probability of each sample: in proportion to `floor` + sqrt(fat fraction)."""
    found = np.array([floor + np.sqrt(tile.fat_fraction) for tile in samples])
    if not found.sum() > 0:
        raise BadValueError(f"With floor {floor:g} no sample is ever drawn; use more than 0.")
    return found / found.sum()


@dataclass(frozen=True)
class Hardness:
    """How hard one sample is for a network.

    Parameters
    ----------
    name : str
        Of the sample.
    loss : float
        Mean over it.
    """

    name: str
    loss: float


def hard_tiles(network: nn.Module, samples: Samples, objective: Objective) -> Iterator[Hardness]:
    """Yield how hard each sample is: the loss of the network on all of it, unvaried.

    Parameters
    ----------
    network : torch.nn.Module
        Takes whole samples, mirrored up to its stride.
    samples : Samples
        To judge, in order.
    objective : callable
        As in training.
    """
    network.eval()
    wanted = samples.wanted
    side = wanted.side_px if wanted.task == "classification" else None
    for tile in samples:
        logits = judged_logits(network, [tile], side)
        loss = objective(logits, truth_of([tile]).to(logits.device))
        yield Hardness(tile.name, float(loss.detach()))


def harder(
    own: NDArray[np.float64], losses: NDArray[np.float64], share: float
) -> NDArray[np.float64]:
    """Return weights of which a share is in proportion to the losses.

    Hard example mining after Shrivastava et al. 2016, for whole samples.

    Examples
    --------
    >>> harder(np.array([0.5, 0.5]), np.array([3.0, 1.0]), 0.5).tolist()
    [0.625, 0.375]
    """
    found: NDArray[np.float64] = (1 - share) * own + share * losses / max(losses.sum(), 1e-12)
    return found / found.sum()
