"""How a network is trained: one frozen value that is written into the model."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from ..core.errors import BadValueError, UnknownNameError
from ..models.transfer import Freezing
from .augment import Variation
from .losses import LOSSES
from .optimisers import OPTIMISERS
from .schedules import SCHEDULES


@dataclass(frozen=True)
class Crops:
    """What of the training samples a batch shows.

    Parameters
    ----------
    batch : int
        Crops per step.
    crop_px : int
        Side of a crop, px.
    per_sample : int
        Crops of each sample in an epoch, on average where `order` is ``"weighted"``.
    order : {"weighted", "each"}
        ``"weighted"``: a sample is drawn with a probability in proportion to `floor` +
        sqrt(fraction of its pixels that are of a class other than the first), so that the few
        fatty tiles are not drowned. ``"each"``: every one as often as the others, in random
        order.
    floor : float
        Weight of a sample that shows the first class only.
    hard : float
        Share of the crops that are drawn in proportion to the error that the network makes on
        the samples, measured after every epoch (`napari_steatosis.training.sampling`).
    distinct : bool
        Each of the `per_sample` crops of a sample is the same in every epoch.
    whole : bool
        A crop is the whole sample, brought to `crop_px`, as classifiers see it.
    variation : Variation
        How far crops vary.
    """

    batch: int = 8
    crop_px: int = 256
    per_sample: int = 4
    order: Literal["weighted", "each"] = "weighted"
    floor: float = 0.15
    hard: float = 0.0
    distinct: bool = False
    whole: bool = False
    variation: Variation = field(default_factory=Variation)


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Parameters
    ----------
    steps : int
        Batches to learn from. In `train` 0: as many as `epochs` take.
    learning_rate : float
        Its highest value, reached after `warmup` of the steps, then as `schedule` says.
    weight_decay : float
        Decoupled with AdamW.
    warmup : float
        Share of the steps in which the learning rate rises.
    averaging : float
        The result is an exponential average of the weights with this memory per step; 0: none.
    optimiser, schedule, loss : str
        Rows of `OPTIMISERS`, `SCHEDULES`, `LOSSES`.
    smoothing : float
        Share of the truth that is spread over all classes.
    balanced : bool
        Weight the loss of a class by N / (K n_c): N samples (of a segmenter: pixels), K
        classes, n_c of this one.
    clip : float
        Longest gradient, as a Euclidean norm; 0: any.
    freeze : {"none", "last_block", "backbone", "all"}
        Which weights stay (`napari_steatosis.models.transfer.freeze`).
    backbone_rate : float
        Factor on the learning rate of the backbone.
    weights : mapping of str to str
        Part of the backbone to a local file of weights that it begins with; ``""`` where there
        is one part (`napari_steatosis.models.transfer.load_backbone`).
    epochs, patience : int
        How many epochs at most, and how many without a better score (0: all the same).
    monitor : {"score", "loss"}
        What is best on the validation samples: highest score or lowest loss.
    crops : Crops
        What a batch shows.
    parameters : mapping
        Arguments of the architecture while it is trained.
    preparation : str
        What is done to every image, in training and after (`ModelSpec.preparation`).
    seed : int
        Decides the first weights, crops, order and dropout.
    device, precision : str
        As for `load_model`; ``"auto"`` takes bfloat16 where it gains.
    workers : int
        Threads that make batches ahead; -1: chosen, 0: none.

    Examples
    --------
    >>> recipe = Recipe(steps=100)
    >>> recipe.rate(4) == recipe.learning_rate, recipe.rate(99) < 1e-5
    (True, True)
    """

    steps: int = 0
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    averaging: float = 0.99
    optimiser: str = "adamw"
    schedule: str = "cosine"
    loss: str = "ce-dice"
    smoothing: float = 0.0
    balanced: bool = False
    clip: float = 0.0
    freeze: Freezing = "none"
    backbone_rate: float = 1.0
    weights: Mapping[str, str] = field(default_factory=dict)
    epochs: int = 40
    patience: int = 10
    monitor: Literal["score", "loss"] = "score"
    crops: Crops = field(default_factory=Crops)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    preparation: str = ""
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    workers: int = -1

    def __post_init__(self) -> None:
        OPTIMISERS[self.optimiser]
        for kind, name, known in (
            ("schedule", self.schedule, SCHEDULES),
            ("loss", self.loss, LOSSES),
        ):
            if name not in known:
                raise UnknownNameError(
                    f"There is no {kind} named {name!r}. Known: {', '.join(known)}."
                )
        positive = {"learning_rate": self.learning_rate, "epochs": self.epochs}
        positive |= {"batch": self.crops.batch, "crop_px": self.crops.crop_px}
        positive |= {"per_sample": self.crops.per_sample}
        for name, value in positive.items():
            if not value > 0:
                raise BadValueError(f"{name} must be more than 0, got {value}.")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rising = max(1, round(self.steps * self.warmup))
        if self.schedule == "one-cycle":
            rising = 0
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        part = (step - rising) / max(1, self.steps - rising)
        return self.learning_rate * SCHEDULES[self.schedule](part)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(replace(self, parameters=dict(self.parameters), weights=dict(self.weights)))


PLACE = ("device", "precision", "workers")
"""Fields of a recipe that say where it is followed, not what it is."""


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Return a recipe with other values of fields of itself, its crops or their variation.

    Raises
    ------
    UnknownNameError
        Where no field has such a name.

    Examples
    --------
    >>> recipe = changed(Recipe(), {"epochs": 3, "batch": 4, "blurred": 0.5})
    >>> recipe.epochs, recipe.crops.batch, recipe.crops.variation.blurred
    (3, 4, 0.5)
    """
    parts: list[dict[str, Any]] = [{}, {}, {}]
    levels = (Recipe, Crops, Variation)
    for name, value in changes.items():
        place = next((i for i, kind in enumerate(levels) if name in _names(kind)), None)
        if place is None:
            known = [known for kind in levels for known in _names(kind)]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise UnknownNameError(
                f"A recipe has no {name!r}.{hint} Known: {', '.join(sorted(known))}."
            )
        parts[place][name] = value
    crops = parts[0].pop("crops", recipe.crops)
    variation = parts[1].pop("variation", crops.variation)
    crops = replace(crops, **parts[1], variation=replace(variation, **parts[2]))
    return replace(recipe, **parts[0], crops=crops)


def _names(kind: type) -> set[str]:
    return {one.name for one in fields(kind)}
