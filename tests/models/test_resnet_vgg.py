"""resnet50, vgg16 and both side by side: the numbers that are published, and other sizes."""

from __future__ import annotations

import pytest
import timm
import torch

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.models import PUBLISHED, build
from napari_steatosis.models.resnet_vgg import Vgg


def count(network: torch.nn.Module) -> int:
    return sum(values.numel() for values in network.parameters())


def test_the_published_pair_joins_6144_features_and_has_the_published_head():
    with torch.device("meta"):
        network = build("resnet-vgg", classes=5, **PUBLISHED["resnet-vgg"])
        assert network.features(torch.zeros(2, 3, 224, 224)).shape == (2, 6144)
        assert network(torch.zeros(2, 3, 224, 224)).shape == (2, 5)
    assert (network.resnet.features, network.vgg.features) == (2048, 4096)
    assert count(network.head) == 6_819_845
    linear = [part for part in network.head if isinstance(part, torch.nn.Linear)]
    assert [part.out_features for part in linear] == [1024, 512, 5]
    assert network.cam_layers == ("resnet.network.layer4", "vgg.network.features.29")


def test_the_published_baselines():
    with torch.device("meta"):
        assert build("resnet50", classes=5).head[0].in_features == 2048
        vgg = build("vgg16", classes=5, **PUBLISHED["vgg16"])
        assert vgg.head[0].in_features == 25_088
        assert vgg(torch.zeros(1, 3, 224, 224)).shape == (1, 5)


@pytest.mark.parametrize(
    ("features", "number"),
    [("fc2", 4096), ("flatten", 25_088), ("gap", 512), ("flatten_proj", 4096)],
)
def test_what_vgg_says_in_each_way(features: str, number: int):
    with torch.device("meta"):
        vgg = Vgg("vgg11", features)
        for height, width in [(224, 224), (64, 96), (256, 288)]:
            assert vgg(torch.zeros(2, 3, height, width)).shape == (2, number)
    assert vgg.features == number
    assert (count(vgg) > 100e6) == (features in ("fc2", "flatten_proj"))


@torch.inference_mode()
def test_fc2_is_what_timm_gives_before_the_classes():
    """With narrow dense layers, so that the test is quick; the code is the same."""
    torch.manual_seed(0)
    vgg = Vgg("vgg11", "gap").eval()
    vgg.network.pre_logits = timm.create_model("vgg11", mlp_ratio=1 / 512).pre_logits.eval()
    vgg.kind = "fc2"
    rgb = 255 * torch.rand(1, 3, 224, 224)
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    expected = vgg.network.pre_logits(vgg.network.features((rgb / 255 - mean) / std))
    assert expected.shape == (1, 4096, 1, 1)
    assert torch.allclose(vgg(rgb), expected[:, :, 0, 0], atol=1e-4)


@torch.inference_mode()
def test_each_half_scales_as_its_own_weights_ask():
    from napari_steatosis.models._backbone import scale_of

    grey = torch.full((1, 3, 1, 1), 127.5)
    assert scale_of("inception_v4")(grey).abs().max() < 1e-6, "0.5 of 0.5"
    assert scale_of("resnet50")(grey).abs().max() > 0.05
    assert build("resnet-vgg").resnet.scale is not build("resnet-vgg").vgg.scale


def test_what_is_no_vgg_is_refused():
    with pytest.raises(BadValueError, match="resnet18"):
        build("resnet-vgg", vgg="resnet18")
    with pytest.raises(BadValueError, match="fc1"):
        build("vgg16", features="fc1")
    with pytest.raises(BadValueError, match="1"):
        build("resnet50", classes=1)
