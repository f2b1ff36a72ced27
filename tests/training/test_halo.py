"""Tiles with the stated halo equal the whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build, load_model
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.training.halo import needed_halo_px, tiling_error
from napari_steatosis.training.tiles import drawn_tiles


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return next(iter(drawn_tiles(1, seed=9, side_px=512))).image


@pytest.fixture(scope="module")
def untrained() -> TorchModel:
    torch.manual_seed(0)
    network = build("droplet-net", channels=(8, 16), down=(1, 1), up=(1,))
    torch.nn.init.normal_(network.head.weight, 0.0, 3.0)
    spec = ModelSpec("x", "droplet-net", "segmentation", ("tissue", "fat"), 0.5, 64, 8, 4)
    return TorchModel(network, spec, device="cpu", precision="fp32")


def test_with_its_whole_reach_a_tile_equals_the_whole_and_with_less_it_does_not(untrained, image):
    reach = build("droplet-net", channels=(8, 16), down=(1, 1), up=(1,)).reach_px
    exact = -(-reach // 4) * 4
    assert tiling_error(untrained, image[:256, :256], exact) < 1e-6
    assert tiling_error(untrained, image[:256, :256], 4) > 1e-3


def test_the_smallest_halo_is_found(untrained, image):
    halo = needed_halo_px(untrained, [image[:256, :256]])
    assert tiling_error(untrained, image[:256, :256], halo) <= 1e-3
    assert tiling_error(untrained, image[:256, :256], halo - 4) > 1e-3


def test_images_too_small_to_tell_are_refused(untrained, image):
    with pytest.raises(BadValueError, match="larger images"):
        needed_halo_px(untrained, [image[:16, :16]], tolerance=1e-9)


@pytest.mark.parametrize("name", ["steatosis-he", "steatosis-he-drawn"])
def test_the_shipped_halo_holds_on_an_image_it_was_not_measured_on(name, image):
    model = load_model(name, device="cpu", precision="fp32")
    assert tiling_error(model, image, model.spec.halo_px) <= 1e-3
