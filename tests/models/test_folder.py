"""Model folders: what is written is read back, and damage is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_steatosis.core.errors import ModelFileError, UnknownNameError
from napari_steatosis.models import build, load_model, save_model
from napari_steatosis.models._torch import TorchModel


def test_a_folder_gives_back_the_same_model(model: TorchModel, folder: Path):
    again = load_model(folder, device="cpu", precision="fp32")
    assert again.spec == model.spec
    assert again.digest == model.digest
    rgb = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    assert np.array_equal(again.predict(rgb), model.predict(rgb))
    assert sorted(file.name for file in folder.iterdir()) == ["model.json", "model.safetensors"]


def test_a_loaded_model_can_be_saved_again_without_change(folder: Path, tmp_path: Path):
    save_model(load_model(folder, device="cpu"), tmp_path / "copy")
    for name in ("model.json", "model.safetensors"):
        assert (tmp_path / "copy" / name).read_bytes() == (folder / name).read_bytes()


def test_what_half_precision_cannot_hold_is_kept_whole(model: TorchModel, tmp_path: Path):
    """The variances of deep residual networks at the beginning of a training."""
    network = build("droplet-net", **model.spec.parameters)
    network.load_state_dict(model.state)
    network.down[0][0].norm1.running_var[0] = 1e6
    own = TorchModel(network, model.spec, device="cpu", precision="fp32")
    kept = {name for name, t in own.state.items() if t.dtype == torch.float32}
    assert kept == {"down.0.0.norm1.running_var"}
    save_model(own, tmp_path / "wide")
    again = load_model(tmp_path / "wide", device="cpu", precision="fp32")
    assert float(again.state["down.0.0.norm1.running_var"][0]) == 1e6
    rgb = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    assert np.isfinite(own.predict(rgb)).all()
    assert np.array_equal(again.predict(rgb), own.predict(rgb))


def test_the_digest_is_of_weights_and_specification_but_not_of_scores(model: TorchModel):
    assert model.with_scores({"val": {"jaccard": [0.7, 0.6, 0.8]}}).digest == model.digest
    network = build("droplet-net", **model.spec.parameters)
    network.load_state_dict(model.state)
    coarser = TorchModel(network, replace(model.spec, um_per_px=1.0), device="cpu")
    assert coarser.digest != model.digest
    network.head.bias.data[0] += 0.5
    assert TorchModel(network, model.spec, device="cpu").digest != model.digest


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match=f"{name} is missing"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
@pytest.mark.parametrize("kept", [0, 7, 300])
def test_a_truncated_file_is_named(folder: Path, name: str, kept: int):
    file = folder / name
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match=name):
        load_model(folder)


def test_flipped_weights_are_noticed(folder: Path):
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ModelFileError, match="do not belong together"):
        load_model(folder)


def test_an_edited_description_is_noticed(folder: Path):
    file = folder / "model.json"
    values = json.loads(file.read_text())
    values["spec"]["um_per_px"] = 0.25
    file.write_text(json.dumps(values))
    with pytest.raises(ModelFileError, match="was edited"):
        load_model(folder)


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": 1}', '"a"', "\x00\xff"])
def test_a_foreign_description_is_refused(folder: Path, content: str):
    (folder / "model.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(ModelFileError, match=r"model\.json"):
        load_model(folder)


def test_a_later_format_asks_for_an_update(folder: Path):
    (folder / "model.json").write_text('{"format": 2, "other": 1}')
    with pytest.raises(ModelFileError, match=r"format 2.*Update"):
        load_model(folder)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"architecture": "droplet-nett"}, "Did you mean 'droplet-net'"),
        ({"parameters": {"depth": 3}}, "depth"),
        ({"parameters": {}}, "another architecture"),
    ],
)
def test_weights_of_another_architecture_are_refused(
    model: TorchModel, tmp_path: Path, change: dict, word: str
):
    network = build("droplet-net", **model.spec.parameters)
    other = TorchModel(network, replace(model.spec, **change), device="cpu")
    save_model(other, tmp_path / "other")
    with pytest.raises(ModelFileError, match=word):
        load_model(tmp_path / "other")


def test_unknown_names_and_missing_folders(tmp_path: Path):
    with pytest.raises(UnknownNameError, match="Shipped: steatosis-he, steatosis-he-drawn"):
        load_model("steatosis-hee")
    with pytest.raises(ModelFileError, match=r"model\.json is missing"):
        load_model(tmp_path / "nowhere")
