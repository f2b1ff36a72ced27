"""Tiles per pass: cut by the memory that there is, and said where not even one fits."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_steatosis.core.errors import NoMemoryError
from napari_steatosis.models import load_model
from napari_steatosis.models._batches import MOST_PX, Batches, fitting, most
from napari_steatosis.models._memory import free_bytes, is_out_of_memory
from napari_steatosis.models._passes import repeatable

LIMITED = """
import resource, sys
import numpy as np, torch
torch.set_num_threads(1)
from napari_steatosis.models import load_model
from napari_steatosis.models import _batches
_batches.MOST_PX["cpu"] = 2**30
model = load_model(sys.argv[1], device="cpu", precision="fp32")
count, side = int(sys.argv[4]), int(sys.argv[5])
tiles = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
model.predict(tiles[:1, :64, :64])
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + int(sys.argv[2]) * 2**20,) * 2)
found = model.predict(tiles)
np.save(sys.argv[3], found)
print(model._batches.count(side, side))
"""


def limited(
    folder: Path, out: Path, *, mib: int, count: int, side: int
) -> subprocess.CompletedProcess[str]:
    numbers = (str(mib), str(out), str(count), str(side))
    command = [sys.executable, "-c", LIMITED, str(folder), *numbers]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of a process, as Linux has them")


@linux
def test_a_pass_that_finds_no_room_is_done_again_in_halves(folder: Path, tmp_path: Path):
    done = limited(folder, tmp_path / "found.npy", mib=200, count=64, side=256)
    assert done.returncode == 0, done.stderr
    assert 1 <= int(done.stdout) < 64
    tiles = np.random.default_rng(0).integers(0, 256, (64, 256, 256, 3), np.uint8)
    model = load_model(folder, device="cpu", precision="fp32")
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), model.predict(tiles), atol=1e-6)


@linux
def test_a_tile_that_does_not_fit_is_said_with_what_there_is(folder: Path, tmp_path: Path):
    done = limited(folder, tmp_path / "found.npy", mib=24, count=1, side=1024)
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert "NoMemoryError: A tile of 1024 x 1024 px does not fit into the memory of cpu" in said
    assert re.search(r"0\.0\d GiB are free", said)
    assert "tile_px" in said
    assert not (tmp_path / "found.npy").exists()


def test_each_size_of_tile_has_its_own_number():
    batches = Batches("cpu")
    assert batches.count(1024, 1024) == 2
    batches.halve(1024, 1024, tried=2, failure="full")
    assert batches.count(1024, 1024) == 1
    assert batches.count(512, 512) == 8
    with pytest.raises(NoMemoryError, match=r"1024 x 1024 px.*cpu.*GiB are free \(full\)"):
        batches.halve(1024, 1024, tried=1, failure="full")


def test_halving_starts_from_what_was_tried():
    batches = Batches("cpu")
    batches.halve(16, 16, tried=5, failure="full")
    assert batches.count(16, 16) == 2


def test_on_cuda_the_first_pass_takes_one_tile():
    assert Batches("cuda:1").count(1312, 1312) == 1
    assert most("cuda", 1312, 1312) == 19
    assert most("cpu", 8192, 8192) == 1


def test_what_fits_leaves_room_for_others():
    assert fitting(10**9, 24 * 10**9, 19) == 16
    assert fitting(10**9, 10**12, 19) == 19
    assert fitting(10**9, 10**8, 19) == 1


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (MemoryError("Unable to allocate 9 GiB for an array"), True),
        (RuntimeError("Given groups=1, weight of size [16, 12, 3, 3]"), False),
        (RuntimeError("could not create a primitive"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_errors_of_memory_are_told_from_others(error: Exception, is_memory: bool, monkeypatch):
    monkeypatch.setattr("napari_steatosis.models._memory.free_bytes", lambda device: 8 * 2**30)
    assert is_out_of_memory(error) is is_memory


def test_without_memory_onednn_means_memory(monkeypatch):
    monkeypatch.setattr("napari_steatosis.models._memory.free_bytes", lambda device: 2**25)
    assert is_out_of_memory(RuntimeError("could not create a primitive"))


def test_torch_itself_says_it_in_these_words():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(raised.value)


def test_other_errors_of_the_network_come_through(model, monkeypatch):
    def broken(_):
        raise RuntimeError("no kernel for this")

    monkeypatch.setattr(model._passes, "_network", broken)
    with pytest.raises(RuntimeError, match="no kernel"):
        model.predict(np.zeros((1, 64, 64, 3), np.uint8))


def test_free_memory_is_what_the_system_says():
    import psutil

    assert 0 < free_bytes("cpu") <= psutil.virtual_memory().total


def test_algorithms_on_cuda_are_chosen_the_same_way_each_time():
    before = torch.backends.cudnn.deterministic
    with repeatable():
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.deterministic == before


def test_memory_is_given_back_and_the_model_goes_on(model):
    tiles = np.zeros((1, 64, 64, 3), np.uint8)
    before = model.predict(tiles)
    model.release()
    assert np.array_equal(model.predict(tiles), before)


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.gpu
@cuda
def test_cuda_finds_how_many_tiles_fit(folder: Path):
    model = load_model(folder, device="cuda")
    tiles = np.random.default_rng(0).integers(0, 256, (6, 256, 256, 3), np.uint8)
    found = model.predict(tiles)
    assert 1 <= model._batches.count(256, 256) <= MOST_PX["cuda"] // 256**2
    single = np.concatenate([model.predict(tile[None]) for tile in tiles])
    np.testing.assert_allclose(found, single, atol=1e-3)


@pytest.mark.gpu
@cuda
def test_cuda_goes_on_with_less_memory_and_gives_it_back(folder: Path):
    model = load_model(folder, device="cuda")
    tiles = np.random.default_rng(0).integers(0, 256, (16, 512, 512, 3), np.uint8)
    expected = model.predict(tiles)
    model.release()
    held = torch.cuda.memory_reserved()
    share = (held + 200 * 2**20) / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        model._batches._counts[512, 512] = 16
        np.testing.assert_allclose(model.predict(tiles), expected, atol=1e-3)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    model.release()
    assert torch.cuda.memory_reserved() <= held + 64 * 2**20
