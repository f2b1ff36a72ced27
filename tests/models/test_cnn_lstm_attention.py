"""cnn-lstm-attention: the published size, the order, the attention, and the second reading."""

from __future__ import annotations

import pytest
import torch

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.models import build
from napari_steatosis.models._tokens import scan_order


def noise(*shape: int) -> torch.Tensor:
    torch.manual_seed(2)
    return 255 * torch.rand(shape)


@torch.inference_mode()
def test_it_has_the_published_size_and_shapes():
    network = build("cnn-lstm-attention", classes=5).eval()
    assert sum(values.numel() for values in network.parameters()) == 604_933
    rgb = noise(2, 3, 224, 224)
    assert network.backbone(rgb)[0].shape == (2, 256, 14, 14)
    places = network.places(rgb)
    assert places.shape == (2, 196, 256)
    logits, states, attention = network.read(places)
    assert (logits.shape, states.shape, attention.shape) == ((2, 5), (2, 196, 128), (2, 196))
    assert network.head.in_features == 256
    assert network.attention(rgb).shape == (2, 14, 14)


@torch.inference_mode()
def test_it_is_the_formula():
    """The softmax of v . tanh(W h + b) weights the states; the last one stands beside the sum."""
    torch.manual_seed(0)
    network = build("cnn-lstm-attention", classes=3).eval()
    places = torch.randn(1, 7, 256)
    states = network.lstm(places)[0][0]
    e = torch.stack([network.score.weight[0] @ torch.tanh(network.inner(h)) for h in states])
    alpha = torch.exp(e) / torch.exp(e).sum()
    joined = torch.cat([(alpha[:, None] * states).sum(0), states[-1]])
    logits, _, attention = network.read(places)
    assert torch.allclose(attention[0], alpha, atol=1e-6)
    assert torch.allclose(logits[0], network.head(joined), atol=1e-5)


@torch.inference_mode()
def test_the_order_matters_and_the_map_of_attention_lies_as_the_image_does():
    raster = build("cnn-lstm-attention").eval()
    snake = build("cnn-lstm-attention", scan="snake").eval()
    snake.load_state_dict(raster.state_dict())
    rgb = noise(1, 3, 64, 96)
    assert (raster(rgb) - snake(rgb)).abs().max() > 0
    places = raster.places(rgb)
    assert torch.equal(snake.places(rgb), places[:, scan_order(4, 6, "snake")])
    along = snake.read(snake.places(rgb))[2]  # as it was read
    assert torch.equal(snake.attention(rgb)[0, 1], along[0, 6:12].flip(0))
    assert torch.equal(snake.attention(rgb)[0, 2], along[0, 12:18])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("skip", ["concat", "add"])
@pytest.mark.parametrize("cam_guided", [False, True])
@torch.inference_mode()
def test_every_form_answers(bidirectional: bool, skip: str, cam_guided: bool):
    network = build(
        "cnn-lstm-attention", bidirectional=bidirectional, skip=skip, cam_guided=cam_guided
    ).eval()
    width = 256 if bidirectional else 128
    assert network.head.in_features == (2 * width if skip == "concat" else width)
    rgb = noise(2, 3, 48, 64)
    assert network(rgb).shape == (2, 2)
    assert torch.allclose(network.attention(rgb).sum((1, 2)), torch.ones(2), atol=1e-5)


@torch.inference_mode()
def test_what_is_said_last_backwards_is_said_of_the_first_place():
    network = build("cnn-lstm-attention", bidirectional=True).eval()
    states = network.read(torch.randn(1, 5, 256))[1]
    last = network.last(states)
    assert torch.equal(last[:, :128], states[:, 4, :128])
    assert torch.equal(last[:, 128:], states[:, 0, 128:])


def test_the_second_reading_is_guided_and_no_gradient_flows_through_the_guide():
    torch.manual_seed(0)
    network = build("cnn-lstm-attention", cam_guided=True).eval()
    places = torch.randn(2, 6, 256, requires_grad=True)
    logits, states, _ = network.read(places)
    cam = network.cam(states, logits)
    assert cam.shape == (2, 6)
    assert not cam.requires_grad
    assert 0 <= float(cam.min()) <= float(cam.max()) <= 1
    rgb = noise(1, 3, 64, 64)
    with torch.inference_mode():
        once = network.read(network.places(rgb))[0]
        assert (network(rgb) - once).abs().max() > 0


@pytest.mark.parametrize(("side", "cells"), [(64, 4), (256, 16), (512, 16)])
@torch.inference_mode()
def test_a_sequence_has_at_most_256_tokens(side: int, cells: int):
    network = build("cnn-lstm-attention").eval()
    assert network.places(torch.zeros(1, 3, side, side)).shape == (1, cells * cells, 256)
    assert network.attention(torch.zeros(1, 3, side, side)).shape == (1, cells, cells)


@torch.inference_mode()
def test_a_backbone_of_timm_is_read_at_the_same_stride():
    network = build("cnn-lstm-attention", backbone="resnet18").eval()
    assert network.places(torch.zeros(1, 3, 224, 224)).shape == (1, 196, 256)
    assert network.cam_layers == ("backbone.network.layer3",)
    assert network.backbone_names == ("backbone.network",)


@pytest.mark.parametrize("wrong", [{"scan": "hilbert"}, {"skip": "none"}, {"classes": 1}])
def test_what_cannot_be_is_refused(wrong: dict[str, object]):
    with pytest.raises(BadValueError, match=str(next(iter(wrong.values())))):
        build("cnn-lstm-attention", **wrong)
