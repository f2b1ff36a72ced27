"""How good a network is after an epoch: quick scores on the validation samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.dataset import IGNORE
from ..models.reach import stated
from .class_windows import class_chances
from .losses import Objective
from .rows import Predicted
from .samples import Samples
from .tiles import LabelledTile

TOGETHER = 4
"""Samples of one size that pass together."""

SHOWN, SHOWN_PX = 4, 416
"""Samples that are shown after every epoch, and how much of each at most, px."""


@torch.no_grad()
def logits_of(network: nn.Module, images: NDArray[np.uint8]) -> Tensor:
    """Return logits of whole images, mirrored up to the stride of the network.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode; in the arithmetic of the surrounding autocast.
    images : (n, y, x, 3) uint8
        RGB.
    """
    device = next(network.parameters()).device
    rgb = torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2).to(device)
    height, width = images.shape[1:3]
    stride = stated(network).stride_px
    room = (0, -width % stride, 0, -height % stride)
    if any(room):
        rgb = F.pad(rgb, room, mode="reflect" if max(room) < min(height, width) else "replicate")
    logits: Tensor = network(rgb.contiguous(memory_format=torch.channels_last))
    return logits[..., :height, :width] if logits.ndim == 4 else logits


def probabilities(logits: Tensor) -> Tensor:
    """Return probabilities, of two classes also where they share one logit."""
    if logits.ndim == 4 and logits.shape[1] == 1:
        chance = logits.sigmoid()
        return torch.cat([1 - chance, chance], 1)
    return logits.softmax(1)


def judged_logits(network: nn.Module, tiles: list[LabelledTile], side_px: int | None) -> Tensor:
    """Return logits of whole samples; of classes the logarithm of the mean over the windows.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode.
    tiles : list of LabelledTile
        Of a segmenter of one size.
    side_px : int, optional
        Side of what a classifier sees; None: the samples are of a segmenter.
    """
    if side_px is None:
        return logits_of(network, np.stack([tile.image for tile in tiles])).float()

    def predict(seen: NDArray[np.uint8]) -> NDArray[np.float32]:
        chances: NDArray[np.float32] = logits_of(network, seen).float().softmax(1).cpu().numpy()
        return chances

    found = list(class_chances(predict, (tile.image for tile in tiles), side_px))
    return torch.from_numpy(np.stack(found)).clamp_min(1e-12).log()


def truth_of(tiles: list[LabelledTile]) -> Tensor:
    """Return the truth of whole samples of one size: (n, 1, y, x) float32, or (n,) int64."""
    if tiles[0].label >= 0:
        return torch.tensor([tile.label for tile in tiles])
    return torch.from_numpy(np.stack([tile.mask for tile in tiles]))[:, None].float()


class Monitor:
    """Scores of a network on the validation samples.

    Parameters
    ----------
    samples : Samples
        Validation samples.
    objective : callable
        As in training.

    Notes
    -----
    Segmentation: ``jaccard``, pixels pooled over the samples, mean over the classes but the
    first; ``jaccard_CLASS`` of each where there are more than two; ``area_error``, mean
    absolute error of the share of pixels that are not of the first class, percentage points.
    Classification: ``accuracy``, ``f1`` (mean over the classes).
    Both: ``loss``; and ``score``, the first of them, by which the best weights are chosen.
    """

    def __init__(self, samples: Samples, objective: Objective) -> None:
        self.samples, self.objective = samples, objective
        wanted = samples.wanted
        self.side_px = wanted.side_px if wanted.task == "classification" else None

    def judge(self, network: nn.Module) -> dict[str, float]:
        """Return the scores of a network, which must be in eval mode."""
        classes = self.samples.wanted.classes
        table = np.zeros((len(classes), len(classes)), np.int64)
        losses, errors = [], []
        for tiles in self._batches():
            logits = judged_logits(network, tiles, self.side_px)
            truth = truth_of(tiles).to(logits.device)
            losses += [float(self.objective(logits, truth))] * len(tiles)
            found = probabilities(logits).argmax(1)
            for one, said in zip(truth, found, strict=True):
                counted = _table(one.flatten().long(), said.flatten(), len(classes))
                table += counted
                errors.append(_area_error(counted))
        if self.samples.wanted.task == "classification":
            scores = _class_scores(table)
            first = scores["f1"]
        else:
            scores = _pixel_scores(table, classes)
            scores["area_error"] = float(np.mean(errors))
            first = scores["jaccard"]
        return {"score": first, "loss": float(np.mean(losses)), **scores}

    def shown(self, network: nn.Module, epoch: int) -> Iterator[Predicted]:
        """Yield what the network makes of a few samples, always the same ones."""
        fat = np.array([tile.fat_fraction for tile in self.samples])
        order = np.argsort(-fat, kind="stable")[: len(fat) // 2 + 1]  # the fattier half
        if self.samples.wanted.task == "classification":
            order = np.arange(len(fat))
        chosen = order[np.unique(np.linspace(0, len(order) - 1, SHOWN).round().astype(int))]
        for index in chosen:
            tile = self.samples[int(index)]
            image = tile.image[:SHOWN_PX, :SHOWN_PX]
            seen = replace(tile, image=image)
            logits = judged_logits(network, [seen], self.side_px)
            chance = probabilities(logits)[0].cpu().numpy()
            truth = tile.label if tile.label >= 0 else tile.mask[:SHOWN_PX, :SHOWN_PX]
            yield Predicted(epoch, tile.name, image, truth, chance)

    def _batches(self) -> Iterator[list[LabelledTile]]:
        waiting: list[LabelledTile] = []
        for tile in self.samples:
            if waiting and (len(waiting) == TOGETHER or waiting[0].image.shape != tile.image.shape):
                yield waiting
                waiting = []
            waiting.append(tile)
        if waiting:
            yield waiting


def _table(truth: Tensor, found: Tensor, classes: int) -> NDArray[np.int64]:
    """Return how many pixels of each true class (row) were taken for each class (column)."""
    judged = truth != IGNORE
    joint = truth[judged] * classes + found[judged]
    counted: NDArray[np.int64] = torch.bincount(joint, minlength=classes**2).cpu().numpy()
    return counted.reshape(classes, classes)


def _area_error(table: NDArray[np.int64]) -> float:
    count = max(1, int(table.sum()))
    return 100 * abs(int(table[0].sum()) - int(table[:, 0].sum())) / count


def _pixel_scores(table: NDArray[np.int64], classes: tuple[str, ...]) -> dict[str, float]:
    both = np.diag(table)
    either = table.sum(0) + table.sum(1) - both
    each = np.where(either > 0, both / np.maximum(either, 1), 1.0)  # right where there is none
    scores = {"jaccard": float(each[1:].mean())}
    if len(classes) > 2:
        scores |= {f"jaccard_{n}": float(j) for n, j in zip(classes[1:], each[1:], strict=True)}
    return scores


def _class_scores(table: NDArray[np.int64]) -> dict[str, float]:
    both, seen, said = np.diag(table), table.sum(1), table.sum(0)
    f1 = np.where(seen + said > 0, 2 * both / np.maximum(seen + said, 1), 0.0)
    accuracy = float(both.sum() / max(1, table.sum()))
    return {"f1": float(f1[seen > 0].mean()), "accuracy": accuracy}
