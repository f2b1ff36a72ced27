from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import MODELS, build, load_model
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.models.explain import METHODS, Explainer

CLASSIFIERS = (
    "timm",
    "cnn-rnn",
    "cnn-fc",
    "cnn-lstm-attention",
    "resnet-vgg",
    "hybrid-convformer",
)
"""All networks of the five systems that say one class per tile."""

PARAMETERS = {"hybrid-convformer": {"task": "classification"}, "resnet-vgg": {"resnet": "resnet18"}}


def untrained(architecture, device="cpu"):
    torch.manual_seed(2)
    network = build(architecture, **PARAMETERS.get(architecture, {})).eval()
    spec = ModelSpec(
        name="untrained",
        architecture=architecture,
        task=getattr(network, "task", "segmentation"),
        classes=("calm", "busy"),
        um_per_px=0.5,
        tile_px=4 * network.stride_px,
        halo_px=0,
        multiple_px=network.stride_px,
        parameters=PARAMETERS.get(architecture, {}),
    )
    return TorchModel(network, spec, device=device, precision="fp32")


def noise(count, side, seed=0):
    random = np.random.default_rng(seed)
    tiles = random.integers(0, 256, (count, side, side, 3), np.uint8)
    tiles[:, : side // 2] = 245
    return tiles


@pytest.mark.parametrize("architecture", CLASSIFIERS)
def test_every_classifier_is_explained(architecture):
    model = untrained(architecture)
    explainer = Explainer(model)
    tiles = noise(2, max(128, model.spec.multiple_px))
    for method in METHODS:
        found = explainer.cam(tiles, method=method)
        assert found.values.shape == tiles.shape[:3]
        assert np.isfinite(found.values).all()
        assert 0 <= found.values.min() <= found.values.max() <= 1
        assert found.probabilities == pytest.approx(model.predict(tiles), abs=2e-3)
        assert (found.target == found.probabilities.argmax(1)).all()
    assert len(found.layers) == (2 if architecture in ("resnet-vgg", "hybrid-convformer") else 1)


@pytest.mark.parametrize("architecture", ["cnn-rnn", "cnn-lstm-attention", "hybrid-convformer"])
def test_attention_is_drawn_over_the_tile(architecture):
    model = untrained(architecture)
    tiles = noise(1, max(128, model.spec.multiple_px))
    found = Explainer(model).attention(tiles)
    assert found.shape == tiles.shape[:3]
    assert found.max() == pytest.approx(1)


def test_gradients_are_those_of_the_formula():
    """The weight of a channel is the mean slope of the logit, here by finite differences."""
    model = untrained("timm")
    explainer = Explainer(model)
    tiles = noise(1, 64)
    (name,) = explainer.layers
    part, kept = explainer.network.get_submodule(name), {}
    hook = part.register_forward_hook(lambda _, __, value: kept.setdefault("value", value))
    with torch.inference_mode():
        explainer.network(explainer._rgb(tiles))
        hook.remove()
        value, step, slopes = kept["value"].clone(), 1e-2, []
        for sign in (1, -1):
            handle = part.register_forward_hook(
                lambda _, __, out, sign=sign: out.index_add(
                    1, torch.tensor([3]), torch.full_like(out[:, :1], sign * step)
                )
            )
            slopes.append(float(explainer.network(explainer._rgb(tiles))[0, 1]))
            handle.remove()
    places = value.shape[2] * value.shape[3]
    numeric = (slopes[0] - slopes[1]) / (2 * step) / places
    rgb = explainer._rgb(tiles).requires_grad_()
    with torch.enable_grad():
        hook = part.register_forward_hook(lambda _, __, out: kept.update(live=out))
        logit = explainer.network(rgb)[0, 1]
        hook.remove()
        (slope,) = torch.autograd.grad(logit, kept["live"])
    assert float(slope.mean((2, 3))[0, 3]) == pytest.approx(numeric, rel=0.02, abs=1e-5)
    weight = slope.mean((2, 3), keepdim=True)
    own = (weight * value).sum(1).relu()[0].numpy()
    found = explainer.cam(tiles, target=1).values[0]
    assert np.corrcoef(found[::32, ::32].ravel(), own.ravel())[0, 1] > 0.5 or own.max() == 0


@pytest.fixture(scope="module")
def liver():
    import napari_steatosis as st

    drawn = st.drawn_liver(512, 512, seed=4, fat_percent=15, um_per_px=0.5, glass=False)
    return drawn.read(st.Region(y=0, x=0, height=256, width=256))[None]


def test_the_shipped_segmenter_looks_at_fat(liver):
    """The map of the class fat is higher on droplets than beside them."""
    model = load_model("steatosis-he", device="cpu", precision="fp32")
    fat = model.predict(liver)[0, 1] > 0.5
    found = Explainer(model).cam(liver, target=1).values[0]
    assert found[fat].mean() > 1.5 * found[~fat].mean()


def test_random_weights_change_the_map(liver):
    model = load_model("steatosis-he", device="cpu", precision="fp32")
    explainer = Explainer(model)
    own = explainer.cam(liver, target=1).values
    other = explainer.randomised().cam(liver, target=1).values
    assert np.abs(own - other).mean() > 0.05
    assert np.array_equal(own, explainer.cam(liver, target=1).values)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("architecture", ["cnn-rnn", "cnn-lstm-attention"])
def test_recurrent_networks_are_explained_on_a_gpu_in_evaluation(architecture):
    """cuDNN computes no gradient of a recurrent network in evaluation, and batch norm needs it."""
    on_cpu, on_gpu = (untrained(architecture, device) for device in ("cpu", "cuda"))
    tiles = noise(2, max(128, on_cpu.spec.multiple_px))
    own, other = Explainer(on_cpu), Explainer(on_gpu)
    for method in METHODS:
        found = other.cam(tiles, target=1, method=method)
        assert not other.network.training
        assert np.isfinite(found.values).all()
        assert found.probabilities == pytest.approx(
            own.cam(tiles, target=1, method=method).probabilities, abs=1e-3
        )
    assert other.attention(tiles) == pytest.approx(own.attention(tiles), abs=1e-2)


def test_what_cannot_be_explained_is_said():
    model = untrained("timm")
    explainer = Explainer(model)
    with pytest.raises(BadValueError, match="classes 0 to 1"):
        explainer.cam(noise(1, 64), target=2)
    with pytest.raises(BadValueError, match=r"grad-cam\+\+"):
        explainer.cam(noise(1, 64), method="saliency")
    with pytest.raises(BadValueError, match="no attention"):
        explainer.attention(noise(1, 64))
    with pytest.raises(BadValueError, match="no layer"):
        Explainer(untrained("fibrosis-hue"))
    assert "fibrosis-hue" in MODELS
