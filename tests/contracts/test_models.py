"""What every row of MODELS keeps; a new architecture is tested the day it is listed."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.model import Model, ModelSpec
from napari_steatosis.imaging import drawn_liver
from napari_steatosis.models import MODELS, build, load_model, save_model

torch = pytest.importorskip("torch")

CLASSIFIERS = [row for row in MODELS if getattr(MODELS[row], "task", "") == "classification"]
SEGMENTERS = [row for row in MODELS if row not in CLASSIFIERS]


def untrained(row: str):
    from napari_steatosis.models._torch import TorchModel

    torch.manual_seed(0)
    network = build(row)
    for part in network.modules():  # statistics as after training, so that folding is tested
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(part.running_mean, 0.0, 0.2)
            torch.nn.init.uniform_(part.running_var, 0.5, 2.0)
    step, reach = network.stride_px, network.reach_px
    spec = ModelSpec(
        name="untrained",
        architecture=row,
        task="classification" if row in CLASSIFIERS else "segmentation",
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=16 * step,
        halo_px=0 if reach is None else -(-reach // step) * step,
        multiple_px=step,
        context="tile" if reach is None else "halo",
    )
    return TorchModel(network, spec, device="cpu", precision="fp32")


@pytest.fixture(scope="module", params=list(MODELS))
def model(request):
    return untrained(request.param)


@pytest.fixture(scope="module", params=SEGMENTERS)
def segmenter(request):
    return untrained(request.param)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)


def by_pixel(model):
    """Say whether a model looks at every pixel alone, and compares instead of computing."""
    return model.spec.architecture == "fibrosis-hue"


def test_it_is_a_model_whose_probabilities_sum_to_one(model):
    side = 4 * model.spec.multiple_px
    found = model.predict(noise(2, side, side + model.spec.multiple_px))
    pixels = (side, side + model.spec.multiple_px) if model.spec.task == "segmentation" else ()
    assert isinstance(model, Model)
    assert found.shape == (2, 2, *pixels)
    assert found.dtype == np.float32
    assert np.abs(found.sum(1) - 1).max() < 1e-6


def test_images_of_a_batch_do_not_know_of_each_other(model):
    tiles = noise(3, 4 * model.spec.multiple_px, 4 * model.spec.multiple_px)
    alone = np.concatenate([model.predict(tile[None]) for tile in tiles])
    assert np.abs(model.predict(tiles) - alone).max() <= 1e-5
    assert np.abs(alone[0] - alone[1]).max() > 1e-4


def test_a_segmenter_states_its_reach_or_looks_at_the_whole_tile(segmenter):
    without = segmenter.spec.context == "tile" or by_pixel(segmenter)
    assert without == (segmenter.spec.halo_px == 0)
    assert segmenter.spec.halo_px % segmenter.spec.multiple_px == 0


def test_a_tile_with_its_halo_is_equal_to_the_whole(segmenter):
    step, halo = segmenter.spec.multiple_px, segmenter.spec.halo_px
    if segmenter.spec.context == "tile":
        pytest.skip("it looks at the whole tile")
    image = noise(2 * halo + 6 * step, 2 * halo + 5 * step)
    whole = segmenter.predict(image[None])[0, 1]
    y, side = 2 * step, 2 * step
    tile = segmenter.predict(image[None, y : y + side + 2 * halo, y : y + side + 2 * halo])[0, 1]
    inner, start = tile[halo : halo + side, halo : halo + side], y + halo
    assert np.abs(inner - whole[start : start + side, start : start + side]).max() <= 1e-6


def test_the_reach_is_what_is_measured(segmenter):
    """No halo is wider than its rows need by more than a step."""
    if segmenter.spec.context == "tile":
        pytest.skip("it looks at the whole tile")
    from napari_steatosis.models.reach import measured_reach

    step, halo = segmenter.spec.multiple_px, segmenter.spec.halo_px
    reach = measured_reach(build(segmenter.spec.architecture))
    assert reach is not None
    assert reach <= halo < reach + 2 * step


def fat_of_the_whole(model, slide) -> np.ndarray:
    """Predict a slide at once, as one tile with its halo."""
    step, halo = model.spec.multiple_px, model.spec.halo_px
    height, width = slide.shape
    region = Region(
        y=-halo,
        x=-halo,
        height=-(-height // step) * step + 2 * halo,
        width=-(-width // step) * step + 2 * halo,
    )
    found = model.predict(slide.read(region)[None])[0, 1]
    return found[halo : halo + height, halo : halo + width]


def test_the_engine_shows_no_seams(segmenter):
    """Each tile is computed alone: who looks elsewhere each time is served one at a time."""
    from napari_steatosis.pipelines.segment import segment

    if segmenter.spec.context == "tile":
        pytest.skip("it looks at the whole tile")
    slide, threshold = drawn_liver(192, 1100, seed=3, glass=False), segmenter.spec.threshold
    whole = fat_of_the_whole(segmenter, slide)
    clear = np.abs(whole - threshold) > 1e-5
    assert clear.mean() > 0.99
    for tile_px in (256, 512, 1024):
        turn = itertools.count()
        found = segment(
            slide,
            segmenter,
            tile_px=tile_px,
            probabilities=True,
            focus=lambda turn=turn: (0.0, float(next(turn))),
        )
        fat = np.asarray(found.probabilities[0][1]) / 255
        classes = np.asarray(found.levels[0][:])
        assert np.abs(fat - whole).max() <= 1e-3 + 0.5 / 255
        assert np.array_equal(classes[clear], np.where(whole >= threshold, 2, 1)[clear])


@pytest.mark.parametrize("rows", [1, 3, 7])
def test_a_stream_gives_what_the_whole_gives(segmenter, rows: int):
    """Bands of so many steps; a network that cannot says so with None."""
    stream, step = segmenter.stream(), segmenter.spec.multiple_px
    if stream is None:
        pytest.skip("it is computed tile by tile")
    image = noise(9 * step, 4 * step)
    count = rows * step
    bands = [
        stream.push(image[y : y + count], last=y + count >= len(image))
        for y in range(0, len(image), count)
    ]
    whole = segmenter.predict(image[None])[0]
    assert np.abs(np.concatenate(bands, 1) - whole).max() <= 1e-5


def test_it_comes_back_from_its_folder_with_the_same_digest_and_answers(model, tmp_path):
    save_model(model, tmp_path / "saved")
    again = load_model(tmp_path / "saved", device="cpu", precision="fp32")
    tile = noise(1, 2 * model.spec.multiple_px, 2 * model.spec.multiple_px)
    assert again.digest == model.digest
    assert np.array_equal(again.predict(tile), model.predict(tile))
    sent = pickle.loads(pickle.dumps(again))
    assert sent.digest == model.digest
    assert np.array_equal(sent.predict(tile), model.predict(tile))


def test_it_computes_in_bfloat16(model, tmp_path):
    """The same to what eight bits of a number leave after that many layers."""
    save_model(model, tmp_path / "saved")
    rough = load_model(tmp_path / "saved", device="cpu", precision="bf16")
    tile = noise(1, 4 * model.spec.multiple_px, 4 * model.spec.multiple_px)
    difference = np.abs(rough.predict(tile) - model.predict(tile))
    assert (difference.max() > 0) != by_pixel(model)
    assert difference.mean() < 0.05


def test_a_side_that_is_no_multiple_is_refused(model):
    side = 4 * model.spec.multiple_px
    if by_pixel(model):
        assert model.predict(noise(1, side, side + 1)).shape == (1, 2, side, side + 1)
        return
    with pytest.raises(BadValueError, match=str(model.spec.multiple_px)):
        model.predict(noise(1, side, side + 1))
