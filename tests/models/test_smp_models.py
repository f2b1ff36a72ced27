"""Networks of segmentation-models-pytorch: the library's, with our conventions around it."""

from __future__ import annotations

import socket

import pytest
import segmentation_models_pytorch as smp
import torch

from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.models import build

SMALL = {"encoder_depth": 3, "decoder_channels": [32, 16, 8]}


def test_it_is_the_library_s_network_on_imagenet_values():
    torch.manual_seed(0)
    network = build("smp", classes=4).eval()
    plain = smp.Unet("resnet18", encoder_weights=None, classes=4).eval()
    plain.load_state_dict(network.network.state_dict())
    rgb = (255 * torch.rand(1, 3, 64, 96)).round()
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    with torch.inference_mode():
        expected = plain((rgb / 255 - mean) / std)
        assert torch.allclose(network(rgb), expected, atol=1e-5)
    assert set(network.state_dict()) == {f"network.{name}" for name in plain.state_dict()}


@pytest.mark.parametrize(
    ("architecture", "encoder", "stride", "reach"),
    [
        ("unet", "resnet18", 8, 71),
        ("linknet", "resnet18", 32, 255),
        ("fpn", "resnet18", 32, None),
        ("manet", "resnet18", 8, None),
    ],
)
def test_stride_and_reach(architecture: str, encoder: str, stride: int, reach: int | None):
    options = SMALL if architecture in ("unet", "manet") else {}
    network = build("smp", architecture=architecture, encoder=encoder, **options)
    assert network.stride_px == stride
    assert network.reach_px == reach


def test_two_classes_share_a_logit_and_sides_stay():
    network = build("smp", encoder="mobilenet_v2", **SMALL).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, 32, 48)).shape == (2, 1, 32, 48)


@pytest.mark.parametrize(
    "wrong", [{"architecture": "unnet"}, {"encoder": "resnet19"}, {"encoder": "tu-nothing"}]
)
def test_unknown_names_are_refused(wrong: dict[str, str]):
    with pytest.raises(UnknownNameError, match=next(iter(wrong.values())).removeprefix("tu-")):
        build("smp", **wrong)


@pytest.mark.parametrize("option", ["encoder_weights", "activation", "in_channels"])
def test_what_a_network_is_here_cannot_be_changed(option: str):
    with pytest.raises(BadValueError, match=option):
        build("smp", **{option: None})


@pytest.mark.parametrize("encoder", ["resnet18", "mit_b0", "tu-convnext_atto", "efficientnet-b0"])
def test_nothing_is_downloaded(encoder: str, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert build("smp", encoder=encoder).stride_px == 32
