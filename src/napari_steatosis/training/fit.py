"""Training as a plain loop that yields a row per step."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import BadValueError
from .losses import bce_dice


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    steps : int
        Batches to learn from; the learning rate falls to zero over them.
    learning_rate : float
        Its highest value (AdamW), reached after `warmup` of the steps, then a cosine.
    weight_decay : float
        Decoupled weight decay.
    warmup : float
        Share of the steps in which the learning rate rises.
    averaging : float
        The result is an exponential average of the weights with this memory per step.
    """

    steps: int
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    averaging: float = 0.99

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0.

        Examples
        --------
        >>> recipe = Recipe(steps=100)
        >>> recipe.rate(4) == recipe.learning_rate, recipe.rate(99) < 1e-5
        (True, True)
        """
        rising = max(1, round(self.steps * self.warmup))
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        part = (step - rising) / max(1, self.steps - rising)
        return self.learning_rate * 0.5 * (1 + float(np.cos(np.pi * part)))


@dataclass(frozen=True)
class Row:
    """One step of training.

    Parameters
    ----------
    step : int
        From 0.
    loss : float
        Of this batch.
    learning_rate : float
    waited_s, seconds : float
        Time spent waiting for the batch, and in all.
    """

    step: int
    loss: float
    learning_rate: float
    waited_s: float
    seconds: float


def fit(
    network: nn.Module, batches: Iterator[tuple[Tensor, Tensor]], recipe: Recipe
) -> Iterator[Row]:
    """Train a network in place; when the last row is out it holds the averaged weights.

    Parameters
    ----------
    network : torch.nn.Module
        Maps (n, 3, y, x) RGB of 0 to 255 to (n, 1, y, x) logits.
    batches : iterator of (rgb, mask)
        As from `napari_steatosis.training.tiles.batches`; it decides what is random here.
    recipe : Recipe
        How to train.

    Yields
    ------
    Row

    Raises
    ------
    BadValueError
        Where the loss is no longer finite.
    """
    network.train().to(memory_format=torch.channels_last)
    averaged = copy.deepcopy(network)
    device = next(network.parameters()).device
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    for step in range(recipe.steps):
        began = time.perf_counter()
        rgb, mask = next(batches)
        waited = time.perf_counter() - began
        rgb = rgb.to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16):
            logits = network(rgb)
        loss = bce_dice(logits.float(), mask.to(device))
        value = float(loss.detach())
        if not np.isfinite(value):
            raise BadValueError(
                f"The loss of step {step} is {value}; train with a learning rate below "
                f"{recipe.learning_rate:g}."
            )
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate(step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # A short memory at first, so that the average forgets the untrained weights.
        _average(averaged, network, min(recipe.averaging, (step + 1) / (step + 10)))
        seconds = time.perf_counter() - began
        yield Row(step, value, recipe.rate(step), waited, seconds)
    network.load_state_dict(averaged.state_dict())
    network.eval()


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, memory: float) -> None:
    own = averaged.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            own[name].lerp_(value, 1 - memory)
        else:
            own[name].copy_(value)
