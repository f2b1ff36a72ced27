"""How far networks look: against arithmetic, against gradients, and where there is no bound."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.models.reach import (
    edge_distance,
    margin_for,
    measured_reach,
    seam_difference,
)


class Function(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def convolutions(*kernels: int, dilation: int = 1) -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(3, 3, k, padding=k // 2 * dilation, dilation=dilation) for k in kernels)
    )


def test_what_arithmetic_says_is_measured():
    assert measured_reach(build("valid-unet")) == build("valid-unet").reach_px == 78
    droplet = build("droplet-net", channels=(8, 8, 8), down=(1, 2, 1), up=(1, 1))
    assert droplet.reach_px - 3 * droplet.stride_px <= measured_reach(droplet) <= droplet.reach_px


@pytest.mark.parametrize(
    ("network", "stride", "reach"),
    [
        (convolutions(1), 1, 0),
        (convolutions(3, 5), 1, 3),
        (convolutions(3, 3, dilation=7), 1, 14),
        (convolutions(3, 3, dilation=200), 1, 400),
        (nn.Conv2d(3, 1, (1, 5), padding=(0, 2)), 1, 2),
        (nn.Conv2d(3, 1, (9, 1), padding=(4, 0)), 1, 4),
        (Function(lambda x: F.interpolate(F.avg_pool2d(x, 8), scale_factor=8.0)), 8, 0),
        (Function(lambda x: F.max_pool2d(x, 3, 1, 1)), 1, 1),
        (nn.Conv2d(3, 1, 5, padding=2, padding_mode="reflect"), 1, 2),
    ],
    ids=[
        "1x1",
        "3 and 5",
        "dilated",
        "gaps",
        "rows",
        "columns",
        "cells of the stride",
        "max",
        "reflected",
    ],
)
def test_small_networks(network: nn.Module, stride: int, reach: int):
    assert measured_reach(network, stride_px=stride) == reach


@pytest.mark.parametrize(
    "network",
    [
        Function(lambda x: x - x.mean((2, 3), keepdim=True)),
        Function(lambda x: x.flatten(2).softmax(2).view(x.shape)),
        nn.InstanceNorm2d(3),
        Function(lambda x: x.cumsum(3)),
        Function(lambda x: x.cumsum(2).flip(2).cumsum(2)),
        Function(
            lambda x: F.interpolate(
                F.avg_pool2d(x, 4), scale_factor=4.0, mode="bilinear", align_corners=True
            )
        ),
        nn.AvgPool2d((1, 2501), 1, (0, 1250)),
    ],
    ids=["mean", "softmax", "instance", "one way", "recurrent", "aligned corners", "too far"],
)
def test_without_a_bound_there_is_none(network: nn.Module):
    assert measured_reach(network, stride_px=4) is None


def test_gradients_of_a_tile_end_in_the_same_step():
    """Of the network without what stops a gradient: averages pass it to every pixel."""
    torch.manual_seed(1)
    network = build("smp", encoder_depth=3, decoder_channels=[16, 8, 8]).double().eval()
    step, reach = network.stride_px, network.reach_px
    for name, part in list(network.named_modules()):
        if isinstance(part, nn.ReLU):
            network.set_submodule(name, nn.Identity())
        elif isinstance(part, nn.MaxPool2d):
            network.set_submodule(name, nn.AvgPool2d(part.kernel_size, part.stride, part.padding))
    first, last = 80, 80 + step - 1
    rgb = (255 * torch.rand(1, 3, 160 + step, 16, dtype=torch.float64)).requires_grad_()
    network(rgb)[0, 0, first : last + 1].square().sum().backward()
    rows = rgb.grad[0].abs().sum((0, 2)).nonzero().flatten()
    far = max(first - int(rows.min()), int(rows.max()) - last)
    assert -(-far // step) == -(-reach // step)


def test_a_network_without_an_answer_per_pixel_or_a_stride_is_refused():
    with pytest.raises(BadValueError, match="answers every pixel"):
        measured_reach(build("timm"))
    with pytest.raises(BadValueError, match="stride_px"):
        measured_reach(nn.Conv2d(3, 1, 1))


def test_the_network_is_left_as_it_was():
    network = build("valid-unet").train()
    before = {name: values.clone() for name, values in network.state_dict().items()}
    measured_reach(network)
    assert network.training
    assert next(network.parameters()).dtype == torch.float32
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())


@pytest.fixture
def model() -> TorchModel:
    torch.manual_seed(0)
    network = build("valid-unet")
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
    spec = ModelSpec("x", "valid-unet", "segmentation", ("a", "b"), 0.5, 256, 80, 16)
    return TorchModel(network, spec, device="cpu", precision="fp32")


def images(side: int, count: int = 1) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def test_what_a_cut_changes_ends_at_the_reach(model: TorchModel):
    difference = seam_difference(model, images(512)[0])
    distance = edge_distance(*difference.shape)
    assert difference.shape == (256, 256)
    assert difference[distance >= 78].max() <= 1e-6
    assert difference[distance < 16].max() > 1e-2


def test_the_margin_is_the_smallest_that_does(model: TorchModel):
    found = [margin_for(model, images(640, 2), tolerance=t) for t in (1e-6, 1e-3, 0.02, 1.0)]
    assert found[0] == 80
    assert found == sorted(found, reverse=True)
    assert found[-1] == 0
    assert margin_for(model, images(640), tolerance=1.0, least_px=20) == 32


def test_images_that_are_too_small_are_refused(model: TorchModel):
    with pytest.raises(BadValueError, match="larger images"):
        margin_for(model, images(192), tolerance=1e-6)
    with pytest.raises(BadValueError, match="at least 64 px"):
        margin_for(model, images(48))
