"""What the network is asked to make small."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def bce_dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Return binary cross-entropy plus soft Dice loss, pooled over the batch.

    Cross-entropy judges every pixel; Dice judges the fat, which is a few percent of the
    pixels, as a whole. Pooling over the batch keeps it defined where a crop has no fat.

    Parameters
    ----------
    logits, truth : (n, 1, y, x) float
        Scores before the sigmoid; 1 where there is fat, else 0.

    Examples
    --------
    >>> import torch
    >>> truth = torch.zeros(1, 1, 4, 4); truth[..., :2] = 1
    >>> bool(bce_dice(20 * truth - 10, truth) < 0.001)
    True
    """
    probability = logits.sigmoid()
    overlap = 2 * (probability * truth).sum() + 1
    dice = overlap / (probability.sum() + truth.sum() + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + 1 - dice
