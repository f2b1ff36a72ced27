"""What moves the weights, by name; each is torch's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from ..core.table import Table

OPTIMISERS = Table(
    "optimiser",
    {
        "adamw": "torch.optim:AdamW",
        "adam": "torch.optim:Adam",
        "nadam": "torch.optim:NAdam",
    },
)
"""``"nadam"`` has the constants of Keras: betas 0.9 and 0.999, epsilon 1e-8, momentum decay
0.004, which are also torch's. Weight decay is decoupled in ``"adamw"`` only."""


def optimiser_of(
    name: str, groups: Iterable[Mapping[str, Any]], *, rate: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return an optimiser.

    Parameters
    ----------
    name : str
        Row of `OPTIMISERS`.
    groups : iterable of mapping
        ``params`` and ``factor`` (on the learning rate) of each group of weights.
    rate, weight_decay : float
        Learning rate of a group whose factor is 1, and the decay of all.

    Raises
    ------
    UnknownNameError
        Where no optimiser has this name.

    Examples
    --------
    >>> weights = torch.nn.Linear(2, 2).parameters()
    >>> groups = [{"params": weights, "factor": 0.1}]
    >>> optimiser_of("nadam", groups, rate=0.002, weight_decay=0).defaults["momentum_decay"]
    0.004
    """
    kind = OPTIMISERS[name]
    own = [{**group, "lr": rate * group["factor"]} for group in groups]
    made: torch.optim.Optimizer = kind(own, lr=rate, weight_decay=weight_decay)
    return made
