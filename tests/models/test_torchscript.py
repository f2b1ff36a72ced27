"""TorchScript files: what is asked of their description, and what is never run."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import transforms

from napari_steatosis.core.errors import BadValueError, ModelFileError
from napari_steatosis.models import export_model, load_model
from napari_steatosis.models.torchscript import SUFFIXES

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")

SAID = {
    "task": "segmentation",
    "classes": ["tissue", "fat"],
    "um_per_px": 0.5,
    "tile_px": 32,
    "halo_px": 8,
    "multiple_px": 8,
    "divide_by": 255,
    "mean": [0.7, 0.5, 0.6],
    "std": [0.2, 0.3, 0.25],
    "activation": "softmax",
}


class Network(nn.Module):
    """A convolution from some channels to others; leaves a mark of where it was run."""

    def __init__(self, channels: int = 3, outputs: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, outputs, 3, padding=1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.conv(rgb) * 3


class Classifier(Network):
    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.conv(rgb).mean((2, 3))


class Pair(Network):
    def forward(self, rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.conv(rgb), rgb


class Writer(nn.Module):
    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        torch.save(rgb, "written_by_a_network")
        return rgb


class Reader(nn.Module):
    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return rgb + torch.from_file("secret", False, 3).sum()


def saved(path: Path, network: nn.Module, **said: object) -> Path:
    torch.manual_seed(1)
    torch.jit.script(network.eval()).save(str(path))
    if said:
        path.with_name(path.name + ".json").write_text(json.dumps(said))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return saved(tmp_path / "net.pt", Network(), **SAID)


def tiles(n: int = 2, side: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def test_outputs_are_those_of_the_network_after_the_usual_transform(file: Path):
    prepare = transforms.Compose(
        [transforms.ToTensor(), transforms.Normalize(SAID["mean"], SAID["std"])]
    )
    network = torch.jit.load(str(file))
    with torch.inference_mode():
        wanted = network(torch.stack([prepare(tile) for tile in tiles()])).softmax(1).numpy()
    found = load_model(file, device="cpu").predict(tiles())
    assert np.abs(found - wanted).max() < 1e-6


def test_the_specification_is_what_the_sidecar_says(file: Path):
    spec = load_model(file, device="cpu").spec
    for name in ("task", "um_per_px", "tile_px", "halo_px", "multiple_px"):
        assert getattr(spec, name) == SAID[name]
    assert spec.classes == ("tissue", "fat")
    assert (spec.name, spec.architecture, spec.context) == ("net", "torchscript", "tile")


def test_a_finite_reach_is_stated(tmp_path: Path):
    file = saved(tmp_path / "net.pt", Network(), **SAID, context="halo", name="mine", threshold=0.3)
    spec = load_model(file, device="cpu").spec
    assert (spec.context, spec.name, spec.threshold) == ("halo", "mine", 0.3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_suffix_opens(tmp_path: Path, suffix: str):
    saved(tmp_path / f"net{suffix}", Network(), **SAID)
    assert load_model(tmp_path / f"net{suffix}", device="cpu").predict(tiles()).shape[1] == 2


def test_without_a_sidecar_everything_is_asked_for(tmp_path: Path):
    file = saved(tmp_path / "net.pt", Network())
    with pytest.raises(ModelFileError) as caught:
        load_model(file, device="cpu")
    message = str(caught.value)
    assert str(tmp_path / "net.pt.json") in message
    for name in SAID:
        assert f"\n  {name}: " in message
    example = json.loads(message[message.index("{\n") : message.index("\n}") + 2])
    (tmp_path / "net.pt.json").write_text(json.dumps({**example, **SAID}))
    assert load_model(file, device="cpu").spec.um_per_px == 0.5


@pytest.mark.parametrize("name", SAID)
def test_a_missing_value_is_asked_for_alone(file: Path, name: str):
    sidecar = file.with_name("net.pt.json")
    sidecar.write_text(json.dumps({**SAID, name: None}))
    with pytest.raises(ModelFileError, match=f"does not say {name}, and nothing is assumed"):
        load_model(file, device="cpu")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("um_per_px", "0.5", "um_per_px is '0.5', but must be a number"),
        ("um_per_px", 0, "at least 0.001"),
        ("um_per_px", True, "must be a number"),
        ("tile_px", 32.5, "a whole number"),
        ("tile_px", 30, "not multiples of multiple_px"),
        ("halo_px", -8, "at least 0"),
        ("classes", ["fat"], "at least two different names"),
        ("classes", ["fat", "fat"], "at least two different names"),
        ("classes", "fat", "at least two different names"),
        ("mean", [1, 2], "three numbers"),
        ("std", [1, 0, 1], "three numbers above 0"),
        ("activation", "relu", "one of softmax, sigmoid, none"),
        ("task", "detection", "one of segmentation, classification"),
        ("stain", 3, "must be text"),
        ("um_per_pixel", 0.5, "Did you mean 'um_per_px'"),
        ("classes", ["a", "b", "c"], r"needs \(1, 3, "),
        ("activation", "none", "are not probabilities"),
        ("activation", "sigmoid", r"needs \(1, 1, "),
        ("task", "classification", r"needs \(1, 2\)"),
    ],
)
def test_a_value_that_cannot_be_is_refused(file: Path, name: str, value: object, says: str):
    file.with_name("net.pt.json").write_text(json.dumps({**SAID, name: value}))
    with pytest.raises(ModelFileError, match=says):
        load_model(file, device="cpu")


@pytest.mark.parametrize("text", ["{", "[1]", '"text"'])
def test_a_sidecar_that_is_no_object_is_refused(file: Path, text: str):
    file.with_name("net.pt.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"net\.pt\.json"):
        load_model(file, device="cpu")


def test_one_output_is_the_second_class(tmp_path: Path):
    file = saved(tmp_path / "net.pt", Network(outputs=1), **{**SAID, "activation": "sigmoid"})
    model = load_model(file, device="cpu")
    found = model.predict(tiles())
    shown = (tiles().transpose(0, 3, 1, 2) / 255 - np.reshape(SAID["mean"], (3, 1, 1))) / (
        np.reshape(SAID["std"], (3, 1, 1))
    )
    with torch.inference_mode():
        raw = torch.jit.load(str(file))(torch.from_numpy(shown).float()).numpy()
    assert np.abs(found[:, 1] - 1 / (1 + np.exp(-raw[:, 0]))).max() < 1e-5


def test_a_classifier_gives_one_row_per_tile(tmp_path: Path):
    said = {**SAID, "task": "classification", "halo_px": 0, "multiple_px": 32}
    model = load_model(saved(tmp_path / "net.pt", Classifier(), **said), device="cpu")
    assert model.predict(tiles(3, 32)).shape == (3, 2)


def test_a_network_of_other_channels_is_refused_when_it_is_loaded(tmp_path: Path):
    file = saved(tmp_path / "net.pt", Network(channels=4), **SAID)
    with pytest.raises(ModelFileError, match="to have 4 channels, but got 3 channels"):
        load_model(file, device="cpu")


def test_a_network_that_gives_a_tuple_is_refused(tmp_path: Path):
    with pytest.raises(ModelFileError, match="gives tuple, not one array"):
        load_model(saved(tmp_path / "net.pt", Pair(), **SAID), device="cpu")


@pytest.mark.parametrize("network", [Writer(), Reader()])
def test_a_program_that_reaches_files_is_not_run(tmp_path: Path, monkeypatch, network: nn.Module):
    monkeypatch.chdir(tmp_path)
    file = saved(tmp_path / "net.pt", network, **SAID)
    with pytest.raises(ModelFileError, match="which reaches files"):
        load_model(file, device="cpu")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.pt", "net.pt.json"]


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return open, ("exploded", "w")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_not_opened(tmp_path: Path, monkeypatch, zipped: bool):
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": Bomb()}
    if zipped:
        torch.save(content, tmp_path / "net.pt")
    else:
        (tmp_path / "net.pt").write_bytes(pickle.dumps(content))
    (tmp_path / "net.pt.json").write_text(json.dumps(SAID))
    with pytest.raises(ModelFileError, match=r"torch\.jit\.save"):
        load_model("net.pt", device="cpu")
    assert not (tmp_path / "exploded").exists()


def test_a_sidecar_of_another_file_is_refused(model, tmp_path: Path):
    file = export_model(model, tmp_path / "ours.pt", to="torchscript")
    saved(file, Network())
    with pytest.raises(ModelFileError, match="belongs to another file"):
        load_model(file, device="cpu")


def test_the_digest_covers_weights_and_description(file: Path):
    first = load_model(file, device="cpu").digest
    assert load_model(file, device="cpu").digest == first
    file.with_name("net.pt.json").write_text(json.dumps({**SAID, "mean": [0.7, 0.5, 0.61]}))
    second = load_model(file, device="cpu").digest
    file.with_name("net.pt.json").write_text(json.dumps(SAID))
    torch.manual_seed(2)
    torch.jit.script(Network()).save(str(file))
    assert len({first, second, load_model(file, device="cpu").digest}) == 3


def test_tiles_of_the_halo_only_need_to_be_multiples(file: Path):
    model = load_model(file, device="cpu")
    assert model.predict(tiles(1, 8)).shape == (1, 2, 8, 8)
    with pytest.raises(BadValueError, match="multiples of 8"):
        model.predict(tiles(1, 12))


def test_loading_says_nothing_of_torch(file: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(file, device="cpu")


def test_a_name_without_the_suffix_is_refused(model, tmp_path: Path):
    with pytest.raises(BadValueError, match=r"\.pt or \.pts or \.torchscript"):
        export_model(model, tmp_path / "ours.bin", to="torchscript")
