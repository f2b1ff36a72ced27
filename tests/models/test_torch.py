"""The seam: arrays in, probabilities out, the same in every process."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_steatosis.core.errors import BadValueError, ModelFileError, SteatosisWarning
from napari_steatosis.core.model import Model
from napari_steatosis.models import build, load_model, save_model
from napari_steatosis.models._batches import MOST_PX
from napari_steatosis.models._gpus import Machine
from napari_steatosis.models._torch import TorchModel


def tiles(count: int = 2, side: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def test_it_is_a_model_and_its_probabilities_sum_to_one(model: TorchModel):
    assert isinstance(model, Model)
    found = model.predict(tiles(3)[:, :, :48])
    assert found.shape == (3, 2, 64, 48)
    assert found.dtype == np.float32
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)


def test_fusing_and_memory_order_do_not_change_the_answer(model: TorchModel):
    plain = build("droplet-net", **model.spec.parameters).eval()
    plain.load_state_dict(model.state)
    rgb = tiles()
    with torch.inference_mode():
        expected = plain(torch.tensor(rgb).permute(0, 3, 1, 2).float()).sigmoid()
    np.testing.assert_allclose(model.predict(rgb)[:, 1:], expected.numpy(), atol=1e-5)


def test_the_same_tiles_give_the_same_bits(model: TorchModel):
    assert np.array_equal(model.predict(tiles()), model.predict(tiles()))


def test_batches_are_cut_without_changing_the_answer(model: TorchModel, monkeypatch):
    whole = model.predict(tiles(5))
    monkeypatch.setitem(MOST_PX, "cpu", 2 * 64 * 64)
    np.testing.assert_allclose(model.predict(tiles(5)), whole, atol=1e-6)


def test_read_only_and_strided_arrays_are_taken(model: TorchModel):
    rgb = tiles()
    frozen = rgb.copy()
    frozen.flags.writeable = False
    expected = model.predict(rgb)
    assert np.array_equal(model.predict(frozen), expected)
    assert np.array_equal(model.predict(np.ascontiguousarray(rgb[:, ::-1])[:, ::-1]), expected)


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (tiles().astype(np.float32), "float32"),
        (tiles()[0], r"\(64, 64, 3\)"),
        (tiles()[..., :2], r"\(2, 64, 64, 2\)"),
        (tiles()[:, :62], "62 x 64"),
        (tiles()[:0], r"\(0, 64, 64, 3\)"),
    ],
)
def test_arrays_of_another_kind_are_refused(model: TorchModel, bad: np.ndarray, word: str):
    with pytest.raises(BadValueError, match=word):
        model.predict(bad)


def test_bfloat16_agrees_to_a_few_percent(folder: Path, model: TorchModel):
    rough = load_model(folder, device="cpu", precision="bf16")
    assert np.abs(rough.predict(tiles()) - model.predict(tiles())).max() < 0.05
    assert rough.digest == model.digest


def test_values_beyond_half_precision_are_said_not_returned(model: TorchModel):
    network = build("droplet-net", **model.spec.parameters)
    with torch.no_grad():
        network.head.weight.fill_(60_000.0)
    half = TorchModel(network, model.spec, device="cpu", precision="fp16")
    with pytest.raises(BadValueError, match=r"too large for fp16. Use precision 'bf16'"):
        half.predict(tiles())
    small = TorchModel(
        build("droplet-net", **model.spec.parameters), model.spec, device="cpu", precision="fp16"
    )
    assert np.isfinite(small.predict(tiles())).all()


def test_a_gpu_that_is_not_used_is_warned_of(folder: Path, monkeypatch):
    machine = Machine(build="PyTorch 2.9.0+cpu", nvidia=("NVIDIA GeForce RTX 5090",))
    monkeypatch.setattr("napari_steatosis.models._device.this_machine", lambda: machine)
    with pytest.warns(SteatosisWarning, match=r"RTX 5090.*built without CUDA") as caught:
        model = load_model(folder)
    assert len(caught) == 1
    assert str(caught[0].message) == model.compute.warning


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_missing_gpu_is_said_not_replaced(folder: Path):
    with pytest.raises(BadValueError, match="'cuda' is not available"):
        load_model(folder, device="cuda")


def test_a_pickle_is_small_and_loads_once_per_process(folder: Path):
    model = load_model(folder, device="cpu", precision="fp32")
    sent = pickle.dumps(model)
    assert len(sent) < 1000
    first, second = pickle.loads(sent), pickle.loads(sent)
    assert first is second
    assert np.array_equal(first.predict(tiles()), model.predict(tiles()))


def test_another_process_gives_the_same_bits(folder: Path, tmp_path: Path):
    model = load_model(folder, device="cpu", precision="fp32")
    (tmp_path / "sent").write_bytes(pickle.dumps((model, tiles())))
    code = (
        "import pickle, sys, numpy; from pathlib import Path; at = Path(sys.argv[1]);"
        "model, tiles = pickle.loads((at / 'sent').read_bytes());"
        "numpy.save(at / 'found.npy', model.predict(tiles))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert np.array_equal(np.load(tmp_path / "found.npy"), model.predict(tiles()))


def test_a_worker_refuses_other_weights_than_were_sent(folder: Path, model: TorchModel):
    sent = pickle.dumps(load_model(folder, device="cpu"))
    network = build("droplet-net", **model.spec.parameters)
    save_model(TorchModel(network, model.spec, device="cpu"), folder)
    with pytest.raises(ModelFileError, match="was sent"):
        pickle.loads(sent)


def test_a_model_that_is_not_on_disk_cannot_be_sent(model: TorchModel):
    with pytest.raises(BadValueError, match="save_model"):
        pickle.dumps(model)


def test_training_on_does_not_change_a_model(model: TorchModel):
    network = build("droplet-net", **model.spec.parameters)
    kept = TorchModel(network, model.spec, device="cpu", precision="fp32")
    before = kept.predict(tiles())
    with torch.no_grad():
        for values in network.parameters():
            values.add_(1.0)
    assert np.array_equal(kept.predict(tiles()), before)


def test_importing_models_imports_no_torch():
    code = (
        "import sys, napari_steatosis.models as m; m.MODELS; m.SHIPPED;"
        "assert 'torch' not in sys.modules and 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_the_cpu(folder: Path, model: TorchModel):
    on_gpu = load_model(folder, device="cuda", precision="fp32")
    np.testing.assert_allclose(on_gpu.predict(tiles()), model.predict(tiles()), atol=1e-3)
