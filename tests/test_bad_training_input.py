"""What wrong training data, a loss that is no number, short memory and foreign models get."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from made_datasets import mask_of, pairs, save, tissue
from napari_steatosis.cli import app
from napari_steatosis.core.errors import BadValueError, ModelFileError
from training.trainings import QUICK, SMALL, drawn, trained

NETWORK = ["--set", f"parameters={json.dumps(SMALL)}", "--set", "crop_px=32", "--device", "cpu"]


def shell(*words: object) -> str:
    """Run a command that works and return what it says."""
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def masks_of_another_size(folder: Path) -> Path:
    save(pairs(folder) / "manual" / "1001000_10.png", tissue(1, side=40)[..., 0])
    return folder


def one_class(folder: Path) -> Path:
    for number in range(3):
        save(folder / "F0" / f"100{number}000_1.png", tissue(number))
    return folder


def one_patient(folder: Path) -> Path:
    for number in range(3):
        save(folder / "images" / f"1001000_{number}.png", tissue(number))
        save(folder / "manual" / f"1001000_{number}.png", mask_of(tissue(number)))
    return folder


def empty_masks(folder: Path) -> Path:
    pairs(folder)
    for number in range(3):
        save(folder / "manual" / f"100100{number}_1{number}.png", np.zeros((230, 230), "u1"))
    return folder


FOLDERS: dict[str, tuple[Callable[[Path], Path], str, str, str]] = {
    "masks of another size": (
        masks_of_another_size,
        "droplet-net",
        "mask_size",
        "is 230 x 230 px, but its mask 40 x 40",
    ),
    "one class": (one_class, "cnn-fc", "one_class", "has one class (F0)"),
    "one patient": (one_patient, "droplet-net", "one_patient", "there is one patient only"),
    "empty masks": (empty_masks, "droplet-net", "all_masks_empty", "masks show only 'tissue'"),
}


@pytest.mark.parametrize("fault", FOLDERS)
def test_validate_finds_it_and_train_refuses_it_before_the_first_epoch(fault: str, tmp_path: Path):
    make, architecture, kind, said = FOLDERS[fault]
    folder = make(tmp_path / "set")
    done = CliRunner().invoke(app, ["validate", str(folder), "--mpp", "0.5", "--json"])
    assert done.exit_code == 1
    found = [one for one in json.loads(done.stdout)["findings"] if one["kind"] == kind]
    assert found, done.stdout
    assert (found[0]["severity"], bool(found[0]["remedy"])) == ("error", True)
    asked = ["train", architecture, folder, "--out", tmp_path / "m", "--mpp", "0.5"]
    with pytest.raises(BadValueError) as caught:
        shell(*asked, "--device", "cpu")
    assert said in str(caught.value)
    assert not (tmp_path / "m" / "model.json").exists()


def test_a_loss_that_is_no_number_leaves_no_model(tmp_path: Path):
    asked = ["train", "droplet-net", pairs(tmp_path / "set"), "--out", tmp_path / "m", *NETWORK]
    asked += ["--mpp", "0.5", "--learning-rate", "1e30", "--set", "warmup=0.0", "--batch", "2"]
    with pytest.raises(BadValueError, match=r"The loss of step \d+ is (nan|inf); train with a"):
        shell(*asked)
    assert not (tmp_path / "m" / "model.json").exists()


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
from training.trainings import QUICK, drawn
from napari_steatosis.training.train import train
how = {**QUICK, "epochs": 1, "crop_px": 128, "batch": 64, "per_sample": 32, "workers": 0}
list(train("droplet-net", drawn(2), **{**QUICK, "epochs": 1}))  # all that is loaded once
rows = train("droplet-net", drawn(2), **how)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + int(sys.argv[2]) * 2**20,) * 2)
for row in rows:
    print(type(row).__name__, getattr(row, "text", ""))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of a process, as Linux has them")
def test_where_memory_is_short_the_batch_is_computed_in_halves_and_it_is_said():
    command = [sys.executable, "-c", LIMITED, str(Path(__file__).parent), "90"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "The memory of cpu is short: from now on a batch of 64 is computed" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("Trained")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "mine"
    return trained("droplet-net", drawn(), out=out, **{**QUICK, "epochs": 1}).folder


def edited(folder: Path) -> str:
    text = (folder / "model.json").read_text()
    (folder / "model.json").write_text(text.replace('"threshold": 0.5', '"threshold": 0.1'))
    return r"model\.json was edited after it was written"


def other_weights(folder: Path) -> str:
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-2] ^= 0x10
    file.write_bytes(content)
    return "do not belong together, or one was edited"


def newer(folder: Path) -> str:
    values = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**values, "format": 2}))
    return "has format 2; this version reads format 1. Update napari-steatosis"


def newer_field(folder: Path) -> str:
    values = json.loads((folder / "model.json").read_text())
    values["spec"]["tempo"] = 3
    (folder / "model.json").write_text(json.dumps(values))
    return "states what this version does not know: tempo.*update napari-steatosis"


@pytest.mark.parametrize("change", [edited, other_weights, newer, newer_field])
def test_a_model_that_was_tampered_with_or_is_newer_is_refused(change, model: Path, tmp_path: Path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in ("model.json", "model.safetensors"):
        (folder / name).write_bytes((model / name).read_bytes())
    said = change(folder)
    data = pairs(tmp_path / "set")
    for asked in (["evaluate", folder, data], ["train", folder, data]):
        with pytest.raises(ModelFileError, match=said) as caught:
            shell(*asked, "--mpp", "0.5", "--out", tmp_path / "out", "--device", "cpu")
        assert str(folder) in str(caught.value)
    assert not (tmp_path / "out").exists()
