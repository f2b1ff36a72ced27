"""WSInfer folders: what its schema says of ours, and that patches go through as WSInfer does it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from napari_steatosis.core.errors import BadValueError, ModelFileError
from napari_steatosis.models import MODELS, export_model, load_model
from tiny_classifier import ROW, classifier

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")

CONFIG = {
    "spec_version": "1.0",
    "architecture": "resnet18",
    "num_classes": 3,
    "class_names": ["none", "some", "much"],
    "patch_size_pixels": 48,
    "spacing_um_px": 0.88,
    "transform": [
        {"name": "Resize", "arguments": {"size": 32}},
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": [0.7, 0.5, 0.6], "std": [0.2, 0.3, 0.2]}},
    ],
}


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.setattr(MODELS, "_rows", {**MODELS._rows, **ROW})


class Patches(torch.nn.Module):
    """Weighs the four quarters of a patch, so that its size and place matter."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.pool = torch.nn.AvgPool2d(16)
        self.head = torch.nn.Linear(12, outputs)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.head(self.pool(rgb).flatten(1))


def patches(n: int = 3, side: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def saved(folder: Path, **changed: object) -> Path:
    config = {**CONFIG, **changed}
    folder.mkdir()
    torch.manual_seed(3)
    network = Patches(len(config["class_names"])).eval()
    torch.jit.script(network).save(str(folder / "torchscript_model.pt"))
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def as_wsinfer_does(folder: Path, given: np.ndarray) -> np.ndarray:
    """Patches through torchvision's transforms and the network, as WSInfer's run_inference."""
    config = json.loads((folder / "config.json").read_text())
    steps = [
        getattr(transforms, step["name"])(**(step.get("arguments") or {}))
        for step in config["transform"]
    ]
    batch = torch.stack([transforms.Compose(steps)(Image.fromarray(patch)) for patch in given])
    network = torch.jit.load(str(folder / "torchscript_model.pt"), map_location="cpu").eval()
    with torch.no_grad():
        logits = network(batch)
    if logits.shape[1] > 1:
        return torch.softmax(logits, 1).numpy()
    return torch.sigmoid(logits.squeeze(1)).numpy()


@pytest.mark.parametrize("size", [32, [32, 32]])
def test_probabilities_are_those_of_wsinfer(tmp_path: Path, size: object):
    steps = [{"name": "Resize", "arguments": {"size": size}}, *CONFIG["transform"][1:]]
    folder = saved(tmp_path / "net", transform=steps)
    model = load_model(folder, device="cpu")
    assert np.abs(model.predict(patches()) - as_wsinfer_does(folder, patches())).max() < 1e-6


def test_the_specification_is_what_the_config_says(tmp_path: Path):
    spec = load_model(saved(tmp_path / "net"), device="cpu").spec
    assert (spec.task, spec.classes) == ("classification", ("none", "some", "much"))
    assert (spec.um_per_px, spec.tile_px, spec.halo_px, spec.multiple_px) == (0.88, 48, 0, 48)
    assert (spec.name, spec.architecture, spec.context) == ("net", "wsinfer", "tile")


def test_one_class_is_that_class_or_not(tmp_path: Path):
    folder = saved(tmp_path / "net", num_classes=1, class_names=["fatty"])
    model = load_model(folder, device="cpu")
    assert model.spec.classes == ("not fatty", "fatty")
    found = model.predict(patches())
    assert np.abs(found[:, 1] - as_wsinfer_does(folder, patches())).max() < 1e-6


def test_patches_of_another_size_are_refused(tmp_path: Path):
    model = load_model(saved(tmp_path / "net"), device="cpu")
    with pytest.raises(BadValueError, match="multiples of 48"):
        model.predict(patches(1, 32))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"num_classes": 2}, "num_classes is 2, but class_names has 3"),
        ({"num_classes": "3"}, "'num_classes' is '3'"),
        ({"spacing_um_px": None}, "'spacing_um_px' is None"),
        ({"spacing_um_px": 0}, "um_per_px is 0, but must be"),
        ({"patch_size_pixels": 0}, "patch_size_pixels is 0"),
        ({"transform": []}, r"transform \[\] is not supported"),
        ({"transform": ["ToTensor", "Resize"]}, "is not supported"),
        ({"transform": [{"name": "CenterCrop"}, {"name": "ToTensor"}]}, "CenterCrop"),
        ({"transform": [{"name": "Resize", "arguments": {}}, {"name": "ToTensor"}]}, "Resize"),
        (
            {"transform": [{"name": "ToTensor"}, {"name": "Normalize", "arguments": {}}]},
            "mean of Normalize is None",
        ),
        (
            {
                "transform": [
                    {"name": "Resize", "arguments": {"size": 32, "interpolation": "nearest"}},
                    {"name": "ToTensor"},
                ]
            },
            "interpolation",
        ),
    ],
)
def test_a_config_that_cannot_be_run_is_refused(tmp_path: Path, changed: dict, says: str):
    folder = saved(tmp_path / "net", **changed)
    with pytest.raises(ModelFileError, match=says):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_config_that_is_no_object_is_refused(tmp_path: Path, text: str):
    folder = saved(tmp_path / "net")
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelFileError, match=r"config\.json"):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("classes", [("none", "some", "much"), ("healthy", "fatty")])
def test_wsinfer_gets_of_an_export_what_the_model_gives(tmp_path: Path, classes: tuple):
    model = classifier(*classes)
    folder = export_model(model, tmp_path / "ours", to="wsinfer")
    found = as_wsinfer_does(folder, patches())
    assert np.abs(found - model.predict(patches())).max() < 1e-5


def test_the_schema_of_wsinfer_passes_an_export(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))  # it makes a folder there when it is imported
    client = pytest.importorskip("wsinfer_zoo.client")
    model = classifier("none", "some", "much")
    folder = export_model(model, tmp_path / "ours", to="wsinfer")
    config = json.loads((folder / "config.json").read_text())
    assert client.validate_config_json(config)
    read = client.ModelConfiguration.from_dict(config)
    assert list(read.class_names) == list(model.spec.classes)
    assert read.get_slide_patch_size(0.5) == 96  # 48 px of 1 um


def test_a_model_that_segments_is_refused(model, tmp_path: Path):
    with pytest.raises(BadValueError, match="WSInfer runs classifiers of patches only"):
        export_model(model, tmp_path / "ours", to="wsinfer")
    assert not list(tmp_path.iterdir())
