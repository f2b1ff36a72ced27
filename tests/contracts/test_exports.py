"""Every row of MODELS can go to other programs, from the day on which it is listed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_steatosis.core.model import Model, ModelSpec
from napari_steatosis.models import MODELS, build, export_model, load_model

torch = pytest.importorskip("torch")


def untrained(row: str, **parameters: object) -> Model:
    from napari_steatosis.models._torch import TorchModel

    torch.manual_seed(0)
    network = build(row, **parameters)
    step, reach = network.stride_px, network.reach_px
    task = getattr(network, "task", "segmentation")
    spec = ModelSpec(
        name="untrained",
        architecture=row,
        task=task,
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=4 * step if step < 64 else step,
        halo_px=0 if reach is None else -(-reach // step) * step,
        multiple_px=step,
        context="tile" if reach is None else "halo",
        parameters=parameters,
    )
    return TorchModel(network, spec, device="cpu", precision="fp32")


def check_equal(model: Model, again: Model, *sides: tuple[int, int]) -> None:
    for height, width in sides:
        shape = (2, height, width, 3)
        tiles = np.random.default_rng(3).integers(0, 256, shape, dtype=np.uint8)
        assert np.abs(again.predict(tiles) - model.predict(tiles)).max() < 1e-4


OFTEN = ("droplet-net", "valid-unet", "smp", "timm", "fibrosis-hue")
"""Rows whose ONNX is made in every run; that of the others takes a minute or more each."""


def cases():
    for row in MODELS:
        yield pytest.param(row, "torchscript")
        marks = () if row in OFTEN else (pytest.mark.slow,)
        yield pytest.param(row, "onnx", marks=marks)


@pytest.mark.parametrize(("row", "to"), cases())
def test_every_architecture_is_equal_in_another_format(row: str, to: str, tmp_path: Path) -> None:
    if to == "onnx":
        for package in ("onnx", "onnxruntime", "onnxscript"):
            pytest.importorskip(package)
    model = untrained(row)
    path = export_model(model, tmp_path / ("net.pt" if to == "torchscript" else "net.onnx"), to=to)
    side = model.spec.tile_px
    check_equal(model, load_model(path, device="cpu"), (side, side), (2 * side, side))


def test_a_classifier_of_one_size_keeps_it_in_onnx(tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    model = untrained("timm", name="vit_tiny_patch16_224", depth=1, embed_dim=24)
    path = export_model(model, tmp_path / "net.onnx", to="onnx")
    check_equal(model, load_model(path, device="cpu"), (224, 224))
