"""Looking for a learning rate, and for settings: each a loop that yields a row per trial."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ..core.dataset import Dataset
from ..core.errors import BadValueError
from .presets import Phases
from .recipe import Recipe
from .rows import Epoch, Trained
from .train import begin_session, train

LEARNING_RATES = (5e-4, 1e-3, 2e-3, 5e-3)
"""The grid of learning rates for valid-unet."""

MEMORY = 0.9
"""Of the running mean of the loss, per step."""

DIVERGED = 4.0
"""The loss has diverged when its running mean is so many times its lowest."""


@dataclass(frozen=True)
class RateRow:
    """One step of a learning rate range test.

    Parameters
    ----------
    step : int
    learning_rate, loss : float
    smoothed : float
        Running mean of the loss.
    suggested : float, optional
        With the last row: where the smoothed loss falls fastest; None before, and where it
        never fell.
    """

    step: int
    learning_rate: float
    loss: float
    smoothed: float
    suggested: float | None = None


def learning_rate_range(
    architecture: str,
    training: Dataset,
    *,
    steps: int = 100,
    rates: tuple[float, float] = (1e-6, 1.0),
    **changes: Any,
) -> Iterator[RateRow]:
    """Raise the learning rate step by step until the loss diverges (Smith 2017).

    Parameters
    ----------
    architecture, training, **changes
        As for `napari_steatosis.training.train.train`.
    steps : int
        Steps at most.
    rates : (float, float)
        First and last rate; they rise by a constant factor.

    Yields
    ------
    RateRow
        The last one says which rate is suggested: where the loss falls fastest.

    Raises
    ------
    BadValueError
        Where the rates do not rise.

    Examples
    --------
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> tiles = as_dataset(drawn_tiles(4, seed=1, side_px=64))
    >>> small = {"channels": (16,), "down": (1,), "up": ()}
    >>> rows = learning_rate_range("droplet-net", tiles, steps=3, crop_px=32, parameters=small)
    >>> [f"{row.learning_rate:.0e}" for row in rows]
    ['1e-06', '1e-03', '1e+00']
    """
    low, high = rates
    if not 0 < low < high or steps < 2:
        raise BadValueError(f"Rates must rise from more than 0 in 2 steps or more, got {rates}.")
    changes = {**changes, "schedule": "constant", "warmup": 0.0, "averaging": 0.0}
    session = begin_session(architecture, training, None, None, changes)
    learner, rows = session.learner, list[RateRow]()
    smoothed, least = 0.0, math.inf
    for step in range(steps):
        rate = low * (high / low) ** (step / (steps - 1))
        learner.recipe = replace(learner.recipe, learning_rate=rate, steps=steps + 1)
        torch.manual_seed(step)
        try:
            loss = learner.step(*session.batches.batch(step))
        except BadValueError:  # no longer finite: diverged
            break
        smoothed = MEMORY * smoothed + (1 - MEMORY) * loss
        mean = smoothed / (1 - MEMORY ** (step + 1))
        least = min(least, mean)
        rows.append(RateRow(step, rate, loss, mean))
        if mean > DIVERGED * least or step == steps - 1:
            break
        yield rows[-1]
    if rows:
        yield replace(rows[-1], suggested=_steepest(rows))


def _steepest(rows: Sequence[RateRow]) -> float | None:
    """Return the rate at which the smoothed loss falls fastest over the logarithm of the rate."""
    falls = [
        (after.smoothed - before.smoothed, before.learning_rate)
        for before, after in itertools.pairwise(rows)
    ]
    steepest = min(falls, default=(0.0, 0.0))
    return steepest[1] if steepest[0] < 0 else None


@dataclass(frozen=True)
class Trial:
    """One training of a grid search.

    Parameters
    ----------
    number, count : int
        From 1, of how many.
    settings : dict
        What was changed.
    score : float
        Best on the validation samples.
    epoch : int
        In which.
    best : bool
        Whether it is the best so far.
    """

    number: int
    count: int
    settings: dict[str, Any]
    score: float
    epoch: int
    best: bool


def grid_search(
    architecture: str,
    training: Dataset,
    validation: Dataset,
    grid: Mapping[str, Sequence[Any]],
    *,
    preset: str | Recipe | Phases | None = None,
    **changes: Any,
) -> Iterator[Trial | Epoch]:
    """Train with every combination of some settings.

    The best one was chosen on the validation samples: measure it on others.

    Parameters
    ----------
    architecture, training, validation, preset, **changes
        As for `napari_steatosis.training.train.train`; with `out`, each trial has a folder in it.
    grid : mapping of str to sequence
        Name of a field of the recipe to its values, such as
        ``{"learning_rate": LEARNING_RATES}``.

    Yields
    ------
    Epoch of the trial under way, and a Trial when it is done

    Raises
    ------
    BadValueError
        Where the grid is empty, or there are no validation samples.

    Examples
    --------
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> one, two = (as_dataset(drawn_tiles(2, seed=seed, side_px=64)) for seed in (1, 2))
    >>> small = {"channels": (16,), "down": (1,), "up": ()}
    >>> rows = grid_search(
    ...     "droplet-net", one, two, {"learning_rate": (1e-3, 2e-3)},
    ...     epochs=1, crop_px=32, parameters=small, per_sample=1,
    ... )
    >>> [row.settings for row in rows if isinstance(row, Trial)]
    [{'learning_rate': 0.001}, {'learning_rate': 0.002}]
    """
    combinations = [
        dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())
    ]
    if not grid or not combinations or not len(validation):
        raise BadValueError(
            "A grid search needs settings with values, and validation samples to compare them."
        )
    out, best = changes.pop("out", None), -math.inf
    for number, settings in enumerate(combinations, start=1):
        folder = None if out is None else Path(out) / f"trial-{number}"
        asked = {**changes, **settings}
        score, epoch = -math.inf, 0
        for row in train(architecture, training, validation, preset=preset, out=folder, **asked):
            if isinstance(row, Epoch):
                score = max(score, row.scores["score"])
                yield row
            elif isinstance(row, Trained):
                epoch = row.best_epoch
        yield Trial(number, len(combinations), settings, score, epoch, score > best)
        best = max(best, score)
