"""What every row of MODELS keeps; a new architecture is tested the day it is listed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.model import Model, ModelSpec
from napari_steatosis.models import MODELS, build, load_model, save_model

torch = pytest.importorskip("torch")


@pytest.fixture(params=list(MODELS))
def model(request):
    from napari_steatosis.models._torch import TorchModel

    torch.manual_seed(0)
    network = build(request.param)
    step = network.stride_px
    spec = ModelSpec(
        name="untrained",
        architecture=request.param,
        task="segmentation",
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=16 * step,
        halo_px=-(-network.reach_px // step) * step,
        multiple_px=step,
    )
    return TorchModel(network, spec, device="cpu", precision="fp32")


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)


def test_it_is_a_model_whose_probabilities_sum_to_one(model):
    side = 4 * model.spec.multiple_px
    found = model.predict(noise(2, side, side + model.spec.multiple_px))
    assert isinstance(model, Model)
    assert found.shape == (2, 2, side, side + model.spec.multiple_px)
    assert found.dtype == np.float32
    assert np.abs(found.sum(1) - 1).max() < 1e-6


def test_a_tile_with_its_halo_is_equal_to_the_whole(model):
    step, halo = model.spec.multiple_px, model.spec.halo_px
    image = noise(2 * halo + 8 * step, 2 * halo + 8 * step)
    whole = model.predict(image[None])[0, 1]
    y, side = 2 * step, 2 * step
    tile = model.predict(image[None, y : y + side + 2 * halo, y : y + side + 2 * halo])[0, 1]
    inner, start = tile[halo : halo + side, halo : halo + side], y + halo
    assert np.abs(inner - whole[start : start + side, start : start + side]).max() <= 1e-6


def test_it_comes_back_from_its_folder_with_the_same_digest_and_answers(model, tmp_path):
    save_model(model, tmp_path / "saved")
    again = load_model(tmp_path / "saved", device="cpu", precision="fp32")
    tile = noise(1, 64, 64)
    assert again.digest == model.digest
    assert np.array_equal(again.predict(tile), model.predict(tile))


def test_a_side_that_is_no_multiple_is_refused(model):
    side = 4 * model.spec.multiple_px
    with pytest.raises(BadValueError, match=str(model.spec.multiple_px)):
        model.predict(noise(1, side, side + 1))
