"""A training under way: what it works with, and its state, which a checkpoint holds."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..core.dataset import Dataset
from ..core.errors import BadValueError
from ..models.reach import stated
from ..models.transfer import freeze, load_backbone, parameter_groups
from .beginnings import About, Beginning, scale_of
from .checkpoints import checkpoint_of, read_checkpoint, write_checkpoint
from .checks import refuse_odd_windows, refuse_unlearnable
from .learner import Group, Learner, training_compute
from .losses import Objective, objective
from .monitor import Monitor
from .recipe import PLACE, Recipe
from .rows import Epoch
from .samples import Census, Samples, Wanted, census
from .sampling import Batches, hard_tiles, harder
from .schedules import Plateau

State = dict[str, Tensor]


@dataclass
class Progress:
    """How far a training is: all of its state but weights and optimiser.

    Parameters
    ----------
    phase : int
        Recipe that is followed.
    step : int
        Steps done in the phase.
    done, before : int
        Epochs done in all, and before the phase.
    loss : float
        Sum over the steps of the epoch so far.
    best, best_epoch, waited
        Best score so far, its epoch, and epochs since.
    plateau : dict
        State of `Plateau`.
    weights : list of float
        Of the samples, where hard ones are preferred.
    rows : list of dict
        The `Epoch` rows so far.
    """

    phase: int = 0
    step: int = 0
    done: int = 0
    before: int = 0
    loss: float = 0.0
    best: float | None = None
    best_epoch: int = 0
    waited: int = 0
    plateau: dict[str, Any] = field(default_factory=lambda: asdict(Plateau()))
    weights: list[float] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


class Session:
    """Everything that a training works with.

    Parameters
    ----------
    begun : Beginning
        What is trained.
    phases : tuple of Recipe
        Followed one after the other.
    training : Dataset
    validation : Dataset, optional
    about : About
        Of the model that comes out.
    out : Path, optional
        Folder of that model.
    """

    def __init__(
        self,
        begun: Beginning,
        phases: tuple[Recipe, ...],
        training: Dataset,
        validation: Dataset | None,
        about: About,
        out: Path | None,
    ) -> None:
        self.begun, self.phases, self.about, self.out = begun, phases, about, out
        crops = phases[0].crops
        side = crops.crop_px if begun.task == "classification" else None
        self.scale = scale_of(about, training, begun, side)
        self.wanted = Wanted(begun.task, begun.classes, self.scale, side, phases[0].preparation)
        self.training = Samples(training, self.wanted)
        self.counts: Census = census(self.training)
        refuse_unlearnable(self.counts, begun.classes, begun.task)
        self.validation: Samples | None = None
        self.judged: Census | None = None
        if validation is not None and len(validation):
            self.validation = Samples(validation, self.wanted)
            self.judged = census(self.validation)
        self.compute = training_compute(phases[0].device, phases[0].precision)
        self.progress = Progress()
        self.best: State = {}
        self.network: nn.Module
        self.learner: Learner
        self.monitor: Monitor | None
        self.enter(0)

    @property
    def recipe(self) -> Recipe:
        """The recipe that is followed now, with its steps."""
        return self.learner.recipe

    @property
    def image_level(self) -> bool:
        """Whether a patient may be both in training and in validation."""
        both = (self.training, self.validation)
        return any(one is not None and one.dataset.image_level for one in both)

    def enter(self, phase: int) -> None:
        """Begin a phase: the weights go on, everything else begins anew."""
        recipe, first = self.phases[phase], phase == 0
        torch.manual_seed(recipe.seed)
        if first:
            self.network = self.begun.network(recipe)
            for part, path in recipe.weights.items():
                load_backbone(self.network, path, part=part or None)
            if self.begun.task == "classification":
                stride = stated(self.network).stride_px
                refuse_odd_windows(self.begun.architecture, recipe.crops.crop_px, stride)
            self.network.to(self.compute.device)
        else:
            self.network.load_state_dict(self.best or self.learner.averaged.state_dict())
        self.network.train()
        margin = int(getattr(self.network, "MARGIN_PX", 0))
        margin = margin if getattr(self.network, "strict", False) else 0
        self.batches = Batches(self.training, recipe.crops, seed=recipe.seed, margin_px=margin)
        per_epoch = self.batches.per_epoch
        epochs = -(-recipe.steps // per_epoch) if recipe.steps else recipe.epochs
        recipe = replace(recipe, steps=epochs * per_epoch, epochs=epochs)
        self.learner = Learner(
            self.network,
            recipe,
            objective=self.objective(recipe),
            precision=self.compute.precision,
            groups=self._groups(recipe),
        )
        kept = self.progress
        self.progress = Progress(
            phase,
            done=kept.done,
            before=kept.done,
            best=kept.best,
            best_epoch=kept.best_epoch,
            rows=kept.rows,
        )
        self.monitor = None
        if self.validation is not None:
            self.monitor = Monitor(self.validation, self.objective(recipe))

    def _groups(self, recipe: Recipe) -> list[Group] | None:
        freeze(self.network, recipe.freeze)  # what an earlier phase froze learns again
        if recipe.freeze == "none" and recipe.backbone_rate == 1.0:
            return None
        return parameter_groups(
            self.network,
            recipe.learning_rate,
            backbone_factor=recipe.backbone_rate,
            weight_decay=recipe.weight_decay,
        )

    def objective(self, recipe: Recipe) -> Objective:
        """Return what a recipe makes small, for these samples."""
        weights = None
        if recipe.balanced:
            counts = np.array(self.counts.counts, float)
            if not counts.all():
                missing = self.begun.classes[int(np.argmin(counts))]
                raise BadValueError(
                    f"No training sample shows {missing!r}, so classes cannot be weighted. Add "
                    f"one, or train with balanced=False."
                )
            weights = torch.tensor(counts.sum() / (len(counts) * counts), dtype=torch.float32)
        ignoring = self.counts.ignoring or (self.judged is not None and self.judged.ignoring)
        return objective(
            recipe.loss, weights=weights, smoothing=recipe.smoothing, ignoring=ignoring
        )

    def predicting(self) -> nn.Module:
        """Return the averaged network in the form that predicts, in eval mode."""
        network, _ = self.begun.finished(self.recipe)
        network.load_state_dict(self.learner.averaged.state_dict())
        ready = network.to(self.compute.device).to(memory_format=torch.channels_last)
        return ready.eval().requires_grad_(False)

    def prefer_hard(self, network: nn.Module) -> None:
        """Set the weights of the samples by how hard they are now."""
        share = self.recipe.crops.hard
        losses = [one.loss for one in hard_tiles(network, self.training, self.learner.objective)]
        self.batches.weights = harder(self.batches.own, np.array(losses), share)
        self.progress.weights = [float(weight) for weight in self.batches.weights]

    def end_epoch(self, scores: dict[str, float], began: float) -> Epoch:
        """Take the scores of an epoch; keep the weights if they are the best."""
        progress, recipe = self.progress, self.recipe
        progress.done += 1
        value = None
        if scores:
            value = scores["score"] if recipe.monitor == "score" else -scores["loss"]
        best = value is None or progress.best is None or value > progress.best
        if best:
            progress.best, progress.best_epoch, progress.waited = value, progress.done, 0
            self.best = copy.deepcopy(self.learner.averaged.state_dict())
        else:
            progress.waited += 1
        rate = recipe.rate(self.learner.done - 1) * self.learner.factor
        if recipe.schedule == "plateau" and value is not None:
            plateau = Plateau(**progress.plateau)
            self.learner.factor = plateau.seen(value)
            progress.plateau = asdict(plateau)
        row = Epoch(
            epoch=progress.done,
            epochs=progress.before + recipe.epochs + self._epochs_after(),
            step=progress.step,
            loss=progress.loss / self.batches.per_epoch,
            learning_rate=rate,
            scores=scores,
            best=best,
            seconds=time.perf_counter() - began,
        )
        progress.loss = 0.0
        progress.rows.append(asdict(row))
        return row

    def _epochs_after(self) -> int:
        return sum(one.epochs for one in self.phases[self.progress.phase + 1 :])

    @property
    def finished_phase(self) -> bool:
        """Whether all epochs of the phase are done, or the score has stopped to improve."""
        return self.progress.step >= self.recipe.steps or self.stopped_early

    @property
    def stopped_early(self) -> bool:
        """Whether the score has not improved for too many epochs."""
        patience = self.recipe.patience
        return bool(self.monitor and patience and self.progress.waited >= patience)

    def compute_remarks(self) -> list[str]:
        """Return what one should know of device and weights, in sentences."""
        found = [self.compute.warning] if self.compute.warning else []
        recipe = self.phases[0]
        if recipe.freeze != "none" and not recipe.weights and self.begun.model is None:
            found.append(
                "The backbone is frozen, but its weights are random: nobody trained them. Give a "
                "file of weights (weights=...), or train all of it (freeze='none')."
            )
        return found

    def identity(self) -> dict[str, Any]:
        """Return what the training is of: a checkpoint fits no other."""
        recipes = [one.to_json() for one in self.phases]
        for one in recipes:
            for name in PLACE:
                del one[name]
        return {
            "architecture": self.begun.architecture,
            "begins_with": self.begun.model.name if self.begun.model else "",
            "classes": list(self.begun.classes),
            "um_per_px": self.scale,
            "arithmetic": [self.compute.kind, self.compute.precision],
            "training": self.counts.digest,
            "validation": self.judged.digest if self.judged else "",
            "recipes": recipes,
        }

    def save(self) -> None:
        """Write a checkpoint, if there is a folder."""
        if self.out is None:
            return
        tensors, values = self.learner.state()
        tensors |= {f"best/{name}": t for name, t in self.best.items()}
        both = {"learner": values, "progress": asdict(self.progress)}
        write_checkpoint(checkpoint_of(self.out), tensors, both, self.identity())

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one."""
        if self.out is None or not checkpoint_of(self.out).is_file():
            return False
        tensors, values = read_checkpoint(checkpoint_of(self.out), self.identity())
        progress = Progress(**values["progress"])
        for phase in range(1, progress.phase + 1):
            self.enter(phase)
        self.learner.restore(tensors, values["learner"])
        device = self.compute.device
        self.best = _part(tensors, "best/", device)
        self.progress = progress
        if progress.weights:
            self.batches.weights = np.array(progress.weights)
        return True


def _part(tensors: Mapping[str, Tensor], prefix: str, device: str) -> State:
    return {
        name.removeprefix(prefix): t.to(device)
        for name, t in tensors.items()
        if name.startswith(prefix)
    }
