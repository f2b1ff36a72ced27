"""Classifiers of timm: the library's, with our conventions around it."""

from __future__ import annotations

import socket

import numpy as np
import pytest
import timm
import torch

from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build
from napari_steatosis.models._torch import TorchModel


def test_it_is_the_library_s_network_on_imagenet_values():
    torch.manual_seed(0)
    network = build("timm", classes=3).eval()
    plain = timm.create_model("resnet18", num_classes=3).eval()
    plain.load_state_dict(network.network.state_dict())
    rgb = (255 * torch.rand(2, 3, 64, 64)).round()
    config = plain.pretrained_cfg
    mean, std = (torch.tensor(config[key]).view(3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        assert torch.allclose(network(rgb), plain((rgb / 255 - mean) / std), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "side"),
    [
        ("resnet18", {}, 32),
        ("convnext_atto", {}, 32),
        ("mobilenetv3_small_050", {}, 32),
        ("vit_tiny_patch16_224", {}, 224),
        ("vit_tiny_patch16_224", {"img_size": 64}, 64),
    ],
)
def test_sides_and_classes(name: str, options: dict[str, int], side: int):
    network = build("timm", name=name, classes=5, **options).eval()
    assert network.stride_px == side
    assert network.task == "classification"
    assert network.reach_px is None
    shape = (1, 3, side, side) if side > 32 else (1, 3, 64, 96)
    with torch.inference_mode():
        assert network(torch.zeros(shape)).shape == (1, 5)


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_probabilities_are_the_softmax_of_its_logits(classes: int):
    torch.manual_seed(0)
    network = build("timm", classes=max(2, classes)).eval()
    if classes == 1:  # two classes that share a logit, as a network of another program may
        network.network.reset_classifier(1)
    names = tuple("abc"[: max(2, classes)])
    spec = ModelSpec("x", "timm", "classification", names, 0.5, 64, 0, 32)
    model = TorchModel(network, spec, device="cpu", precision="fp32")
    tiles = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), np.uint8)
    found = model.predict(tiles)
    with torch.inference_mode():
        logits = network(torch.tensor(tiles).permute(0, 3, 1, 2).float())
    if classes == 1:
        expected = torch.cat([1 - logits.sigmoid(), logits.sigmoid()], 1)
    else:
        expected = logits.softmax(1)
    assert found.shape == (5, max(2, classes))
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-3)  # weights are kept in fp16


@pytest.mark.parametrize("name", ["resnet19", "hf-hub:timm/resnet18", "local-dir:somewhere"])
def test_unknown_names_are_refused(name: str):
    with pytest.raises(UnknownNameError, match=name):
        build("timm", name=name)


@pytest.mark.parametrize("option", ["pretrained", "checkpoint_path", "num_classes"])
def test_what_a_network_is_here_cannot_be_changed(option: str):
    with pytest.raises(BadValueError, match=option):
        build("timm", **{option: True})


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert build("timm", name="efficientnet_b0.ra_in1k").stride_px == 32
