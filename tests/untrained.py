"""Classifiers of timm with random weights, as folders."""

from __future__ import annotations

from pathlib import Path

from napari_steatosis.core.model import ModelSpec


def untrained_classifier(folder: Path, tile_px: int = 64) -> Path:
    """Save a resnet18 of three classes with seeded weights and return its folder."""
    import torch

    from napari_steatosis.models import build, save_model
    from napari_steatosis.models._torch import TorchModel

    torch.manual_seed(11)
    spec = ModelSpec(
        name="untrained-resnet18",
        architecture="timm",
        task="classification",
        classes=("calm", "busy", "torn"),
        um_per_px=0.5,
        tile_px=tile_px,
        halo_px=0,
        multiple_px=32,
        parameters={"name": "resnet18", "classes": 3},
    )
    network = build("timm", **spec.parameters)
    save_model(TorchModel(network, spec, device="cpu", precision="fp32"), folder)
    return folder
