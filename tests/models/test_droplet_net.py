"""The network: shapes, size, and how far it sees."""

from __future__ import annotations

import pytest
import torch

from napari_steatosis.models import build
from napari_steatosis.models.droplet_net import DropletNet


@pytest.fixture(scope="module")
def network() -> DropletNet:
    torch.manual_seed(0)
    return DropletNet().eval()


@pytest.mark.parametrize(("height", "width"), [(16, 16), (48, 80), (112, 64)])
def test_one_logit_per_pixel(network: DropletNet, height: int, width: int):
    assert network(torch.zeros(2, 3, height, width)).shape == (2, 1, height, width)


def test_size_and_stride(network: DropletNet):
    count = sum(values.numel() for values in network.parameters())
    assert 0.5e6 < count < 1.2e6
    assert network.stride_px == 16


@pytest.mark.parametrize("phase", [0, 5, 15])
def test_nothing_beyond_the_reach_matters_and_something_near_it_does(phase: int):
    """Gradient of one logit: zero outside the reach, whatever the input and weights."""
    torch.manual_seed(phase)
    small = build("droplet-net", channels=(8, 8, 8), down=(1, 2, 1), up=(1, 1)).double().eval()
    reach, size = small.reach_px, 256
    at = 128 + phase
    touched = torch.zeros(size, dtype=torch.bool)
    for _ in range(6):  # max pooling passes gradient to one of four pixels, so look often
        rgb = (255 * torch.rand(1, 3, size, size, dtype=torch.float64)).requires_grad_()
        small(rgb)[0, 0, at, at].backward()
        touched |= (rgb.grad[0].abs().sum(0) > 0).any(1)
    rows = torch.nonzero(touched)[:, 0]
    step = small.stride_px
    first, last = at // step * step, at // step * step + step - 1  # the stride that it is in
    farthest = max(first - int(rows.min()), int(rows.max()) - last)
    assert reach - 3 * step <= farthest <= reach


def test_reach_of_the_default(network: DropletNet):
    assert network.reach_px == 122


def test_tiles_must_begin_at_multiples_of_the_stride(network: DropletNet):
    rgb = (255 * torch.rand(1, 3, 320, 320)).round()
    with torch.inference_mode():
        here = network(rgb)[..., 144:176, 144:176]
        there = network(rgb[..., 16:, 16:])[..., 128:160, 128:160]
        off = network(rgb[..., 8:-8, 8:-8])[..., 136:168, 136:168]
    assert torch.allclose(here, there, atol=1e-4)
    assert (off - here).abs().max() > 1e-3
