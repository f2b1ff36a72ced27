"""One step of learning, and all that must be kept to go on from it exactly."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.errors import BadValueError, NoMemoryError
from ..models._device import DTYPES, Compute, choose_compute
from ..models._memory import empty_cache, is_out_of_memory
from .losses import Objective
from .optimisers import optimiser_of
from .recipe import Recipe

Group = dict[str, Any]


def training_compute(device: str, precision: str) -> Compute:
    """Return where and in which arithmetic to train.

    As for prediction, but on a GPU that computes bfloat16 that is taken: its range needs no
    scaling of the loss.
    """
    compute = choose_compute(device, precision)
    if compute.kind == "cuda" and precision == "auto":
        with torch.cuda.device(compute.device):
            if torch.cuda.get_device_capability()[0] >= 8:
                return Compute(compute.device, "bf16", compute.reason, compute.warning)
    return compute


class Learner:
    """A network, its optimiser, and the running average of its weights.

    Parameters
    ----------
    network : torch.nn.Module
        Maps (n, 3, y, x) RGB of 0 to 255 to logits; it is trained in place, on its device.
    recipe : Recipe
        With the number of steps.
    objective : callable
        Of logits and truth (see `napari_steatosis.training.losses.objective`).
    precision : {"fp32", "bf16", "fp16"}
        Arithmetic of the network; weights and loss are float32.
    groups : sequence of mapping, optional
        ``params`` and ``factor`` on the learning rate; all weights alike by default.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        *,
        objective: Objective,
        precision: str = "bf16",
        groups: Sequence[Group] | None = None,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.objective = objective
        self.device = next(network.parameters()).device
        self.dtype = DTYPES[precision]
        self.averaged = copy.deepcopy(network) if recipe.averaging else network
        self.optimiser = optimiser_of(
            recipe.optimiser,
            groups or [{"params": list(network.parameters()), "factor": 1.0}],
            rate=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
        )
        scaled = precision == "fp16" and self.device.type == "cuda"
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scaled)
        self.done = 0
        self.factor = 1.0
        self.part: int | None = None

    @property
    def learning_rate(self) -> float:
        """Of the next step, of a group whose factor is 1."""
        return self.recipe.rate(self.done) * self.factor

    def step(self, rgb: Tensor, truth: Tensor) -> float:
        """Learn from a batch; return its loss.

        Where memory is short the batch is computed in halves, whose gradients are added up; so
        it stays for the steps that follow (`part`).

        Raises
        ------
        BadValueError
            Where the loss is no longer finite.
        NoMemoryError
            Where a single crop does not fit.
        """
        rgb = rgb.to(self.device, memory_format=torch.channels_last, non_blocking=True)
        truth = truth.to(self.device, non_blocking=True)
        rate = self.learning_rate
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["factor"]
        while True:
            try:
                value = self._gradients(rgb, truth)
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                said = str(error).strip().split("\n")[0]
            self._halve(len(rgb), said)
        if self.recipe.clip:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.clip)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.averaged is not self.network:
            # A short memory at first, so that the average forgets the untrained weights.
            memory = min(self.recipe.averaging, (self.done + 1) / (self.done + 10))
            _average(self.averaged, self.network, memory)
        self.done += 1
        return value

    def _gradients(self, rgb: Tensor, truth: Tensor) -> float:
        self.optimiser.zero_grad()
        part, total = self.part or len(rgb), 0.0
        for start in range(0, len(rgb), part):
            some = slice(start, start + part)
            share = len(rgb[some]) / len(rgb)
            enabled = self.dtype != torch.float32
            with torch.autocast(self.device.type, self.dtype, enabled=enabled):
                logits = self.network(rgb[some])
            loss = self.objective(logits.float(), truth[some])
            value = float(loss.detach())
            if not np.isfinite(value):
                raise BadValueError(
                    f"The loss of step {self.done} is {value}; train with a learning rate below "
                    f"{self.recipe.learning_rate:g}"
                    + (", or with precision 'bf16'." if self.dtype == torch.float16 else ".")
                )
            self.scaler.scale(loss * share).backward()
            total += value * share
        return total

    def _halve(self, batch: int, said: str) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        empty_cache(str(self.device))
        part = self.part or batch
        if part == 1:
            raise NoMemoryError(
                f"A single crop does not fit into the memory of {self.device} in training "
                f"({said}). Use a smaller crop_px or network, or close other programs."
            )
        self.part = -(-part // 2)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return tensors and plain values from which `restore` goes on exactly."""
        found = self.optimiser.state_dict()
        tensors = {f"network/{name}": t for name, t in self.network.state_dict().items()}
        if self.averaged is not self.network:
            own = self.averaged.state_dict()
            tensors |= {f"averaged/{name}": t for name, t in own.items()}
        for number, values in found["state"].items():
            tensors |= {f"optimiser/{number}/{key}": t for key, t in values.items()}
        return tensors, {
            "done": self.done,
            "factor": self.factor,
            "part": self.part,
            "scaler": self.scaler.state_dict(),
        }

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take the state that `state` gave."""
        kept = {"network": self.network, "averaged": self.averaged}
        for name, network in kept.items():
            own = {
                key.removeprefix(f"{name}/"): t
                for key, t in tensors.items()
                if key.startswith(f"{name}/")
            }
            if own:
                network.load_state_dict(own)
        weights = [p for group in self.optimiser.param_groups for p in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, t in tensors.items():
            if name.startswith("optimiser/"):
                _, number, key = name.split("/")
                state.setdefault(int(number), {})[key] = t
        self.optimiser.load_state_dict(
            {"state": state, "param_groups": self.optimiser.state_dict()["param_groups"]}
        )
        for weight in weights:  # the layout in memory decides the last bits
            for key, t in self.optimiser.state.get(weight, {}).items():
                if t.shape == weight.shape:
                    self.optimiser.state[weight][key] = torch.empty_like(weight).copy_(t).detach()
        self.done, self.factor = values["done"], values["factor"]
        self.part = values["part"]
        self.scaler.load_state_dict(values["scaler"])


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, memory: float) -> None:
    own = averaged.state_dict()
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            own[name].lerp_(value, 1 - memory)
        else:
            own[name].copy_(value)
