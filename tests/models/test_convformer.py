"""hybrid-convformer: its attention by the formula, its sizes, its two heads."""

from __future__ import annotations

import math

import pytest
import torch

from napari_steatosis.core.errors import BadValueError, UnknownNameError
from napari_steatosis.models import PUBLISHED, build
from napari_steatosis.models._convformer import Attention
from napari_steatosis.models.hybrid_convformer import few_places


def count(network: torch.nn.Module) -> int:
    return sum(values.numel() for values in network.parameters())


@pytest.fixture(scope="module")
def attention() -> Attention:
    torch.manual_seed(0)
    return Attention(12, heads=3).eval()


@torch.no_grad()
def test_the_attention_is_that_of_the_formula(attention: Attention):
    """Place by place, as it is written: cosine times Gaussian, no softmax."""
    rows, columns, x = 3, 5, torch.randn(1, 12, 3, 5)
    query, key, value = attention.qkv(x)[0].view(3, 3, 4, rows * columns)
    sigma = attention.spread.sigmoid() * (0.4 - 0.003) + 0.003
    gathered = torch.zeros(3, 4, rows * columns)
    for h in range(3):
        for i in range(rows * columns):
            near = [
                math.exp(
                    -(
                        ((i // columns - j // columns) / rows) ** 2
                        + ((i % columns - j % columns) / columns) ** 2
                    )
                    / (2 * float(sigma[h]) ** 2)
                )
                for j in range(rows * columns)
            ]
            for j in range(rows * columns):
                q, k = query[h, :, i], key[h, :, j]
                weight = (q @ k / (q.norm() * k.norm())) * near[j] / sum(near)
                gathered[h, :, i] += weight * value[h, :, j]
    expected = x + attention.out(gathered.reshape(1, 12, rows, columns))
    assert torch.allclose(attention(x), expected, atol=1e-5)
    assert attention.weights(x)[0].min() < 0, "without a softmax some are negative"


def test_the_prior_fits_the_map_and_its_width_is_learnt(attention: Attention):
    for rows, columns in [(3, 5), (8, 8), (14, 14)]:
        prior = attention.prior(rows, columns)
        assert prior.shape == (3, rows * columns, rows * columns)
        assert torch.allclose(prior.sum(-1), torch.ones(3, rows * columns), atol=1e-5)
    assert attention.deviations().min() > 0.003
    assert attention.deviations().max() < 0.4
    (attention.prior(4, 4) ** 2).sum().backward()
    assert (attention.spread.grad != 0).all()


@pytest.mark.parametrize(
    ("backbone", "millions"), [("resnet50", 34.2), ("resnet18", 21.1), ("efficientnet_b0", 13.4)]
)
def test_the_classifier_has_the_stated_number_of_parameters(backbone: str, millions: float):
    with torch.device("meta"):
        network = build("hybrid-convformer", backbone=backbone, task="classification")
    assert round(count(network) / 1e6, 1) == millions
    assert round(count(network.blocks[0]) / 1e6, 2) == 2.36


def test_the_published_one_has_the_backbone_and_maps_that_are_stated():
    with torch.device("meta"):
        network = build("hybrid-convformer", **PUBLISHED["hybrid-convformer"])
    assert round(count(network.backbone) / 1e6, 1) == 23.5
    assert network.backbone.channels == [256, 512, 1024, 2048]
    assert network.fuse[0].in_channels == 1024


SMALL = {"dim": 32, "depth": 2, "heads": 4}


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160)])
@torch.inference_mode()
def test_a_logit_for_each_pixel_or_class(height: int, width: int):
    rgb = torch.zeros(2, 3, height, width)
    assert build("hybrid-convformer", **SMALL).eval()(rgb).shape == (2, 1, height, width)
    many = build("hybrid-convformer", classes=4, **SMALL).eval()
    assert many(rgb).shape == (2, 4, height, width)
    classifier = build("hybrid-convformer", classes=4, task="classification", **SMALL).eval()
    assert classifier(rgb).shape == (2, 4)
    assert classifier.head[1].in_features == 64, "near and far"
    given = classifier.attention(rgb + torch.rand(2, 3, height, width))
    assert given.shape == (2, height // 16, width // 16)
    assert torch.allclose(given.sum((1, 2)), torch.ones(2), atol=1e-5)


def test_attention_sees_224_px_as_14_x_14_and_never_more_than_64_x_64():
    network = build("hybrid-convformer", **SMALL).eval()
    with torch.inference_mode():
        assert network.attention(torch.rand(1, 3, 224, 224)).shape == (1, 14, 14)
    wide = torch.rand(1, 2, 30, 100)
    assert few_places(wide).shape == (1, 2, 30, 64)
    assert torch.equal(few_places(wide[..., :64]), wide[..., :64])


def test_every_pixel_depends_on_the_whole_tile():
    torch.manual_seed(1)
    network = build("hybrid-convformer", **SMALL).double().eval()
    rgb = (255 * torch.rand(1, 3, 256, 256, dtype=torch.float64)).requires_grad_()
    network(rgb)[0, 0, 8, 8].backward()
    assert rgb.grad is not None
    assert rgb.grad[..., 200:, 200:].abs().max() > 0


@pytest.mark.parametrize(
    "wrong", [{"task": "both"}, {"classes": 1}, {"depth": 0}, {"dim": 30, "heads": 4}]
)
def test_what_cannot_be_is_refused(wrong: dict[str, object]):
    with pytest.raises(BadValueError, match="hybrid-convformer"):
        build("hybrid-convformer", **wrong)


@pytest.mark.parametrize("backbone", ["vit_tiny_patch16_224", "swin_tiny_patch4_window7_224"])
def test_a_backbone_without_levels_or_free_size_is_refused(backbone: str):
    with pytest.raises(BadValueError, match="resnet18"):
        build("hybrid-convformer", backbone=backbone)


def test_an_unknown_backbone_is_refused():
    with pytest.raises(UnknownNameError, match="resnet19"):
        build("hybrid-convformer", backbone="resnet19")
