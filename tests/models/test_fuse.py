"""Folding of normalisations: all that can go are gone, and the answers stay."""

from __future__ import annotations

import copy

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from torch import nn

from napari_steatosis.models import build
from napari_steatosis.models._fuse import fused

SMP = {"encoder_weights": None, "classes": 1}
NETWORKS = {
    "droplet-net": lambda: build("droplet-net"),
    "smp unet resnet18": lambda: build("smp"),
    "smp linknet, transposed": lambda: smp.Linknet("resnet18", **SMP),
    "smp unet mobilenet_v2": lambda: smp.Unet("mobilenet_v2", **SMP),
    "timm resnet18": lambda: build("timm", classes=3),
    "timm efficientnet, with activations": lambda: timm.create_model("efficientnet_b0"),
}


def as_trained(network: nn.Module) -> nn.Module:
    """Give normalisations the statistics of training; with fresh ones folding does nothing."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, 0.0, 0.2)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
            nn.init.normal_(part.weight, 1.0, 0.1)
            nn.init.normal_(part.bias, 0.0, 0.2)
    return network.eval()


def norms_of(network: nn.Module) -> list[str]:
    return [name for name, part in network.named_modules() if isinstance(part, nn.BatchNorm2d)]


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_norm_is_gone_and_the_answer_is_the_same(name: str):
    torch.manual_seed(0)
    network = as_trained(NETWORKS[name]())
    image = torch.rand(2, 3, 96, 128)
    assert norms_of(network)
    with torch.inference_mode():
        expected = network(image)
        found = fused(copy.deepcopy(network), 32)
        difference = (found(image) - expected).abs().max() / expected.abs().max()
    assert norms_of(found) == []
    assert difference <= 1e-5


def test_the_first_norm_of_the_valid_unet_stays_because_padding_follows_it():
    torch.manual_seed(0)
    network = as_trained(build("valid-unet"))
    image = 255 * torch.rand(2, 3, 96, 128)
    with torch.inference_mode():
        expected = network(image)
        found = fused(copy.deepcopy(network), network.stride_px)
        difference = (found(image) - expected).abs().max() / expected.abs().max()
    assert norms_of(found) == ["norm0"]
    assert difference <= 1e-5


class TwoReaders(nn.Module):
    """A convolution that a sum reads besides its normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv1(x)
        return self.norm1(y) + y


class Shared(nn.Module):
    """A convolution with two normalisations in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm2(self.conv1(self.norm1(self.conv1(x))))


class Between(nn.Module):
    """An activation between convolution and normalisation, in the order of names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm1(self.conv1(x).relu())


OTHERS = {
    "two readers": TwoReaders,
    "shared": Shared,
    "between": Between,
    "before the convolution": lambda: nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3)),
    "statistics of the image": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)
    ),
}


@pytest.mark.parametrize("name", list(OTHERS))
def test_what_cannot_be_folded_is_left(name: str):
    network = OTHERS[name]().eval()
    before = norms_of(network)
    assert norms_of(fused(network)) == before


def test_names_and_order_do_not_matter():
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.b, self.a = nn.BatchNorm2d(4), nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.b(self.a(x))

    assert norms_of(fused(Odd().eval())) == []
