"""What the network is asked to make small."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.dataset import IGNORE
from ..core.errors import UnknownNameError

FOCUS = 2.0
"""Exponent of the focal loss (gamma of Lin et al. 2017)."""

LOSSES = ("ce", "ce-dice", "ce-keras", "focal")
"""Names for `objective`."""

Objective = Callable[[Tensor, Tensor], Tensor]


def objective(
    name: str,
    *,
    weights: Tensor | None = None,
    smoothing: float = 0.0,
    ignoring: bool = False,
) -> Objective:
    """Return the function of logits and truth that training makes small.

    Logits are (n, 1, y, x) for two classes of pixels, (n, class, y, x) for more, (n, class) for
    images. The truth has a class per pixel, (n, 1, y, x), or per image, (n,).

    Parameters
    ----------
    name : str
        One of `LOSSES`. ``"ce"``: cross-entropy, for two classes of pixels that of one logit
        (binary cross-entropy), divided by the weights of the classes seen, as torch does.
        ``"ce-keras"``: divided by their number, as Keras does; without weights both are one.
        ``"ce-dice"``: plus soft Dice loss of every class but the first, pooled over the batch.
        ``"focal"``: cross-entropy times (1 - p) to the power of `FOCUS` (Lin et al. 2017).
    weights : (class,) float Tensor, optional
        Weight of each class.
    smoothing : float
        Share of the truth that is spread over all classes (Szegedy et al. 2016).
    ignoring : bool
        Whether pixels of `IGNORE` occur; they count for nothing.

    Raises
    ------
    UnknownNameError
        Where no loss has this name.

    Examples
    --------
    >>> truth = torch.zeros(1, 1, 4, 4); truth[..., :2] = 1; truth[..., 3] = IGNORE
    >>> logits = torch.where(truth > 0, 10.0, -10.0)
    >>> round(float(objective("ce-dice", ignoring=True)(logits, truth)), 4)
    0.0001
    """
    if name not in LOSSES:
        known = ", ".join(LOSSES)
        raise UnknownNameError(f"There is no loss named {name!r}. Known: {known}.")
    if name == "ce-dice" and weights is None and not smoothing and not ignoring:
        plain = bce_dice
    else:
        plain = None

    def judged(logits: Tensor, truth: Tensor) -> Tensor:
        if plain is not None and logits.ndim == 4 and logits.shape[1] == 1:
            return plain(logits, truth)
        scores, classes = _flat(logits, truth)
        own = None if weights is None else weights.to(scores)
        loss = _entropy(scores, classes, own, name, smoothing)
        return loss + _dice(scores, classes) if name == "ce-dice" else loss

    return judged


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


def _flat(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return one row per judged pixel or image: (m, class) scores, (m,) classes.

    One logit becomes two that give the same probability.
    """
    if logits.ndim == 4:
        logits = logits.movedim(1, -1).flatten(0, 2)
    classes = truth.flatten().long()
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], 1)
    return logits, classes


def _entropy(
    scores: Tensor, classes: Tensor, weights: Tensor | None, name: str, smoothing: float
) -> Tensor:
    each = F.cross_entropy(
        scores,
        classes,
        weights,
        ignore_index=IGNORE,
        reduction="none",
        label_smoothing=smoothing,
    )
    judged = classes != IGNORE
    if name == "focal":
        known = torch.where(judged, classes, 0)
        chance = scores.softmax(1).gather(1, known[:, None])[:, 0]
        each = each * (1 - chance) ** FOCUS
    if name in ("ce-keras", "focal") or weights is None:
        return each.sum() / judged.sum().clamp_min(1)
    counted = weights[torch.where(judged, classes, 0)] * judged
    return each.sum() / counted.sum().clamp_min(1e-12)


def _dice(scores: Tensor, classes: Tensor) -> Tensor:
    judged = (classes != IGNORE)[:, None]
    chance = scores.softmax(1) * judged
    truth = F.one_hot(torch.where(judged[:, 0], classes, 0), scores.shape[1]) * judged
    overlap = 2 * (chance * truth).sum(0) + 1
    dice = overlap / (chance.sum(0) + truth.sum(0) + 1)
    return 1 - dice[1:].mean()
