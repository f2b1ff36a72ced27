"""A small classifier of tiles, for formats that hold classifiers."""

from __future__ import annotations

import torch
from torch import nn

from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models._torch import TorchModel

ROW = {"tiny-classifier": "tiny_classifier:TinyClassifier"}


class TinyClassifier(nn.Module):
    """Two convolutions and a mean over the tile."""

    stride_px = 4
    reach_px = None

    def __init__(self, outputs: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.head = nn.Linear(16, outputs)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(rgb / 255 - 0.5).mean((2, 3))) * 4


def classifier(*classes: str) -> TorchModel:
    """Return an untrained classifier; the caller lists `ROW` in MODELS."""
    torch.manual_seed(5)
    outputs = 1 if len(classes) == 2 else len(classes)
    spec = ModelSpec(
        name="tiles of liver",
        architecture="tiny-classifier",
        task="classification",
        classes=classes,
        um_per_px=1.0,
        tile_px=48,
        halo_px=0,
        multiple_px=48,
        context="tile",
        parameters={"outputs": outputs},
    )
    return TorchModel(TinyClassifier(outputs), spec, device="cpu", precision="fp32")
