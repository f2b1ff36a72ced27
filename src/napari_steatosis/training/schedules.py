"""How the learning rate moves: a factor on its highest value, from the part that is done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Schedule = Callable[[float], float]
"""Maps the part of the steps after the warm-up, 0 to 1, to a factor on the learning rate."""

DROPS = (0.5, 0.75)
"""Parts after which the schedule ``"step"`` goes on with a tenth."""

RISING, BEGIN, END = 0.3, 1 / 25, 1 / 25e4
"""Of one cycle: share of the steps in which the rate rises, its first and its last value, as in
`torch.optim.lr_scheduler.OneCycleLR` (after Smith and Topin 2019)."""


def constant(part: float) -> float:
    """Return 1: the rate stays."""
    return 1.0


def cosine(part: float) -> float:
    """Return a factor that falls to 0 along half a cosine (Loshchilov and Hutter 2017).

    Examples
    --------
    >>> cosine(0.0), round(cosine(0.5), 6), cosine(1.0)
    (1.0, 0.5, 0.0)
    """
    return 0.5 * (1 + float(np.cos(np.pi * part)))


def step(part: float) -> float:
    """Return a factor that is a tenth of the one before after each of `DROPS`.

    Examples
    --------
    >>> step(0.4), step(0.6), round(step(0.9), 6)
    (1.0, 0.1, 0.01)
    """
    return float(0.1 ** sum(part >= drop for drop in DROPS))


def one_cycle(part: float) -> float:
    """Return a factor that rises along a cosine, then falls to nearly 0.

    Examples
    --------
    >>> one_cycle(0.0), one_cycle(0.3), one_cycle(1.0) < 1e-5
    (0.04, 1.0, True)
    """
    if part < RISING:
        return BEGIN + (1 - BEGIN) * (1 - cosine(part / RISING))
    return END + (1 - END) * cosine((part - RISING) / (1 - RISING))


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "step": step,
    "one-cycle": one_cycle,
    "plateau": constant,
}
"""By name. With ``"plateau"`` the rate is multiplied by what `Plateau` says, too."""


@dataclass
class Plateau:
    """Lowers the learning rate when a score has not risen for some epochs.

    Parameters
    ----------
    patience : int
        Epochs without a better score before the rate falls.
    fall : float
        What it is multiplied by.
    factor, best, waited
        The state.

    Examples
    --------
    >>> plateau = Plateau(patience=2)
    >>> [plateau.seen(score) for score in (0.5, 0.4, 0.5, 0.6)]
    [1.0, 1.0, 0.5, 0.5]
    """

    patience: int = 3
    fall: float = 0.5
    factor: float = 1.0
    best: float | None = None
    waited: int = 0

    def seen(self, score: float) -> float:
        """Take the score of an epoch; return the factor on the learning rate from now on."""
        if self.best is None or score > self.best:
            self.best, self.waited = score, 0
        else:
            self.waited += 1
        if self.waited >= self.patience:
            self.factor, self.waited = self.factor * self.fall, 0
        return self.factor
