"""The bare loop: batches that somebody makes, one after the other, until the steps are done."""

from __future__ import annotations

import time
from collections.abc import Iterator

from torch import Tensor, nn

from .learner import Learner
from .losses import Objective, objective
from .recipe import Recipe
from .rows import Step


def fit(
    network: nn.Module,
    batches: Iterator[tuple[Tensor, Tensor]],
    recipe: Recipe,
    *,
    judged: Objective | None = None,
) -> Iterator[Step]:
    """Train a network in place; when the last row is out it holds the averaged weights.

    For datasets, validation and checkpoints there is `napari_steatosis.training.train`.

    Parameters
    ----------
    network : torch.nn.Module
        Maps (n, 3, y, x) RGB of 0 to 255 to (n, 1, y, x) logits.
    batches : iterator of (rgb, mask)
        As from `napari_steatosis.training.tiles.batches`; it decides what is random here.
    recipe : Recipe
        How to train; with precision ``"auto"`` in bfloat16.
    judged : callable, optional
        Of logits and truth, in place of the recipe's loss.

    Yields
    ------
    Step

    Raises
    ------
    BadValueError
        Where the loss is no longer finite.
    """
    precision = "bf16" if recipe.precision == "auto" else recipe.precision
    loss_of = judged or objective(recipe.loss, smoothing=recipe.smoothing)
    learner = Learner(network.train(), recipe, objective=loss_of, precision=precision)
    for step in range(recipe.steps):
        began = time.perf_counter()
        rgb, mask = next(batches)
        waited = time.perf_counter() - began
        rate = learner.learning_rate
        loss = learner.step(rgb, mask)
        yield Step(step, loss, rate, waited, time.perf_counter() - began)
    if learner.averaged is not network:
        network.load_state_dict(learner.averaged.state_dict())
    network.eval()
