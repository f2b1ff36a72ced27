"""Every network learns sixteen drawn images by heart; in the quick form its loss falls at once."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_steatosis.models import build

IMAGES = 16

SEGMENTERS = {
    "droplet-net": {},
    "valid-unet": {},
    "smp": {},
    "hybrid-convformer": {"dim": 64, "depth": 2, "heads": 4},
}
CLASSIFIERS = {
    "timm": {},
    "hybrid-convformer": {"task": "classification", "dim": 64, "depth": 2, "heads": 4},
    "resnet50": {},
    "vgg16": {},
    "resnet-vgg": {},
    "cnn-rnn": {"grid": 2},
    "cnn-fc": {},
    "cnn-lstm-attention": {},
}


def drawn(side: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return stained ground with discs: RGB, where they are, and whether they are many."""
    rng = np.random.default_rng(4)
    rgb = np.empty((IMAGES, side, side, 3), np.float32)
    rgb[:] = (200, 120, 170)
    rgb += rng.normal(0, 12, rgb.shape)
    discs = np.zeros((IMAGES, side, side), np.float32)
    rows, columns = np.ogrid[:side, :side]
    for i in range(IMAGES):
        for _ in range(2 if i % 2 == 0 else 8):
            y, x, r = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(4, 8)
            discs[i][(rows - y) ** 2 + (columns - x) ** 2 <= r * r] = 1
    rgb[discs > 0] = 245
    image = torch.from_numpy(rgb.clip(0, 255).round()).permute(0, 3, 1, 2).contiguous()
    return image, torch.from_numpy(discs)[:, None], torch.arange(IMAGES) % 2


def loss_of(logits: Tensor, truth: Tensor) -> Tensor:
    if truth.ndim == 1:
        return F.cross_entropy(logits, truth)
    return F.binary_cross_entropy_with_logits(logits, truth)


@torch.inference_mode()
def score(network: nn.Module, rgb: Tensor, truth: Tensor) -> float:
    """Return the share of right answers, or Dice of the discs, in evaluation."""
    logits = network.eval()(rgb)
    if truth.ndim == 1:
        return float((logits.argmax(1) == truth).float().mean())
    found = logits > 0
    return float(2 * (found * truth).sum() / (found.sum() + truth.sum()))


def learn(
    network: nn.Module, rgb: Tensor, truth: Tensor, *, steps: int, rate: float
) -> list[float]:
    """Go down the gradient of all images at once; what is dropped would only slow it."""
    network.train()
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    losses = []
    for _ in range(steps):
        loss = loss_of(network(rgb), truth)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


ROWS = [(row, SEGMENTERS[row], "segmentation") for row in SEGMENTERS] + [
    (row, CLASSIFIERS[row], "classification") for row in CLASSIFIERS
]
NAMES = [f"{row}-{task}" for row, _, task in ROWS]
RATES = {"vgg16": 1e-4, "resnet-vgg": 1e-4}
"""Without batch normalisation a smaller one."""


QUICK = [
    row
    for row in ROWS
    if row[0] in ("hybrid-convformer", "resnet-vgg", "cnn-rnn", "cnn-lstm-attention")
]


@pytest.mark.parametrize(
    ("row", "parameters", "task"), QUICK, ids=[f"{row}-{task}" for row, _, task in QUICK]
)
def test_the_loss_falls_in_a_few_steps(row: str, parameters: dict[str, object], task: str):
    torch.manual_seed(0)
    rgb, discs, many = drawn(64)
    some = slice(0, 2)
    truth = (discs if task == "segmentation" else many)[some]
    network = build(row, **parameters)
    losses = learn(network, rgb[some], truth, steps=4, rate=RATES.get(row, 1e-3))
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize(("row", "parameters", "task"), ROWS, ids=NAMES)
def test_it_learns_sixteen_images_by_heart(
    row: str, parameters: dict[str, object], task: str, record_property
):
    torch.manual_seed(0)
    rgb, discs, many = drawn(64)
    truth = discs if task == "segmentation" else many
    network, began, steps, found = build(row, **parameters), time.perf_counter(), 0, 0.0
    while found <= 0.95 and steps < 400:
        learn(network, rgb, truth, steps=20, rate=RATES.get(row, 1e-3))
        steps += 20
        found = score(network, rgb, truth)
    seconds = time.perf_counter() - began
    record_property("score", found)
    print(f"{row} {task}: {found:.3f} after {steps} steps, {seconds:.0f} s")
    assert found > 0.95
