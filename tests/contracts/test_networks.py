"""What every row of MODELS says of its parts, and what tiles change where a network sees all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from napari_steatosis.core.geometry import Region
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.imaging import drawn_liver
from napari_steatosis.models import MODELS, PUBLISHED, build

torch = pytest.importorskip("torch")

SEE_ALL = {"hybrid-convformer": {"dim": 32, "depth": 1, "heads": 4}}
"""Segmenters without a reach, and parameters that make them quick."""


NO_LAYERS = {"fibrosis-hue": "thresholds of hue and saturation"}
"""Rows that have no maps of features, and why."""


@pytest.fixture(scope="module", params=[row for row in MODELS if row not in NO_LAYERS])
def network(request):
    torch.manual_seed(0)
    return build(request.param).eval()


def test_the_parts_it_names_are_there(network):
    for name in (*network.backbone_names, *network.head_names, *network.cam_layers):
        assert (
            next(network.get_submodule(name).parameters(), None) is not None or "features" in name
        )
    assert network.cam_layers


def test_explanations_get_a_map_and_a_gradient_of_it(network):
    """One for each layer it names, in evaluation."""
    maps = {}
    for name in network.cam_layers:
        network.get_submodule(name).register_forward_hook(
            lambda _, __, found, name=name: maps.update({name: found})
        )
    side = 2 * network.stride_px
    rgb = torch.from_numpy(np.random.default_rng(0).uniform(0, 200, (1, 3, side, side))).float()
    logits = network(rgb)
    found = torch.autograd.grad(logits.square().sum(), list(maps.values()))
    assert list(maps) == list(network.cam_layers)
    for values, gradient in zip(maps.values(), found, strict=True):
        assert values.ndim == 4
        assert values.shape[1] >= 8
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0


SMP = (
    *("unet", "unetplusplus", "manet", "linknet", "fpn", "pspnet"),
    *("deeplabv3", "deeplabv3plus", "pan", "upernet", "segformer"),
)
"""Architectures of the library; its dpt takes encoders of transformers only."""

MAPS = {("resnet-vgg", ""): 2, ("hybrid-convformer", "classification"): 2}
"""Rows whose two parts are looked at by themselves and together; of the others there is one."""


@pytest.mark.parametrize("row", [row for row in MODELS if row not in NO_LAYERS])
def test_every_network_is_explained(row: str):
    """Segmenters and classifiers: a finite map of the size of the tile, of each class and way."""
    from napari_steatosis.models.explain import METHODS

    for task in ("segmentation", "classification") if row == "hybrid-convformer" else ("",):
        explainer = _explainer(row, task)
        side = 2 * explainer.network.stride_px
        noise = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
        for method in METHODS:
            found = explainer.cam(noise, target=1, method=method)
            assert found.values.shape == (2, side, side)
            assert len(found.layers) == MAPS.get((row, task), 1)
            for values in (found.values, *found.layers.values()):
                assert np.isfinite(values).all()
                assert 0 <= values.min() <= values.max() <= 1


@pytest.mark.parametrize("architecture", SMP)
def test_every_architecture_of_the_library_is_explained(architecture: str):
    explainer = _explainer("smp", architecture=architecture, encoder="resnet18")
    side = 256 if architecture == "pan" else 128  # its pyramid needs as much
    noise = np.random.default_rng(0).integers(0, 256, (1, side, side, 3), np.uint8)
    found = [explainer.cam(noise, target=target).values for target in (0, 1)]
    for values in found:
        assert values.shape == (1, side, side)
        assert np.isfinite(values).all()
    assert max(values.max() for values in found) > 0  # all that does not speak for one is flat


def _explainer(row: str, task: str = "", **parameters: Any) -> Any:
    from napari_steatosis.models._torch import TorchModel
    from napari_steatosis.models.explain import Explainer

    torch.manual_seed(0)
    parameters = {**SEE_ALL.get(row, {}), **parameters, **({"task": task} if task else {})}
    network = build(row, **parameters).eval()
    spec = ModelSpec(
        name="untrained",
        architecture=row,
        task=getattr(network, "task", "segmentation"),
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=128,
        halo_px=0,
        multiple_px=network.stride_px,
        parameters=parameters,
    )
    return Explainer(TorchModel(network, spec, device="cpu", precision="fp32"))


def test_evaluation_is_deterministic(network):
    side = 2 * network.stride_px
    rgb = torch.from_numpy(np.random.default_rng(0).uniform(0, 200, (1, 3, side, side))).float()
    with torch.inference_mode():
        assert torch.equal(network(rgb), network(rgb))


@pytest.mark.parametrize("row", PUBLISHED)
def test_what_was_published_can_be_built(row: str):
    with torch.device("meta"):
        assert build(row, classes=5, **PUBLISHED[row]).stride_px > 0


@pytest.mark.parametrize(
    ("row", "layers"),
    [
        ("valid-unet", 2),
        ("resnet50", 2),
        ("vgg16", 2),
        ("resnet-vgg", 2),
        ("cnn-rnn", 1),
        ("cnn-fc", 3),
        ("cnn-lstm-attention", 1),
    ],
)
def test_half_is_dropped_where_it_was_published(row: str, layers: int):
    with torch.device("meta"):
        parts = [one for one in build(row).modules() if isinstance(one, torch.nn.Dropout)]
    assert [one.p for one in parts] == [0.5] * layers


def test_every_segmenter_without_a_reach_is_listed_here():
    rows = [row for row in MODELS if getattr(MODELS[row], "task", "") != "classification"]
    assert {row for row in rows if getattr(MODELS[row], "reach_px", 0) is None} == set(SEE_ALL)


@pytest.mark.parametrize("row", SEE_ALL)
def test_tiles_of_one_that_sees_all_differ_by_no_more_than_is_measured(row: str):
    from napari_steatosis.models._torch import TorchModel
    from napari_steatosis.models.reach import tile_tolerance
    from napari_steatosis.pipelines.segment import segment

    torch.manual_seed(0)
    network = build(row, **SEE_ALL[row])
    torch.nn.init.normal_(network.head.weight, 0.0, 0.3)  # so that probabilities are not all 0.5
    spec = ModelSpec(
        name="untrained",
        architecture=row,
        task="segmentation",
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=128,
        halo_px=32,
        multiple_px=network.stride_px,
        context="tile",
        parameters=SEE_ALL[row],
    )
    model = TorchModel(network, spec, device="cpu", precision="fp32")
    slide = drawn_liver(256, 384, seed=3, glass=False)
    halo = spec.halo_px
    padded = slide.read(Region(y=-halo, x=-halo, height=256 + 2 * halo, width=384 + 2 * halo))
    model.spec = replace(spec, tolerance=tile_tolerance(model, padded[None]))
    assert 1e-4 < model.spec.tolerance < 0.5
    whole = model.predict(padded[None])[0, 1, halo:-halo, halo:-halo]
    found = segment(slide, model, tile_px=128, probabilities=True)
    fat = np.asarray(found.probabilities[0][1]) / 255
    assert 1e-4 < np.abs(fat - whole).max() <= model.spec.tolerance + 0.5 / 255 + 1e-5
