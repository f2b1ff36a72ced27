"""An untrained small model, and folders that hold it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build, save_model
from napari_steatosis.models._torch import TorchModel

SMALL = {"channels": [8, 16], "down": [1, 1], "up": [1]}


@pytest.fixture
def model() -> TorchModel:
    torch.manual_seed(3)
    network = build("droplet-net", **SMALL)
    for module in network.modules():  # statistics as after training, so that folding is tested
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.normal_(module.bias, 0.0, 0.2)
    spec = ModelSpec(
        name="small",
        architecture="droplet-net",
        task="segmentation",
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=64,
        halo_px=32,
        multiple_px=4,
        parameters=SMALL,
    )
    return TorchModel(network, spec, device="cpu", precision="fp32")


@pytest.fixture
def folder(model: TorchModel, tmp_path: Path) -> Path:
    save_model(model, tmp_path / "small")
    return tmp_path / "small"
