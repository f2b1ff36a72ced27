"""bioimage.io packages: its own test passes ours, and packages of others run as it runs them."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_steatosis.core.errors import BadValueError, ModelFileError
from napari_steatosis.models import export_model, load_model

core = pytest.importorskip("bioimageio.core")
spec = pytest.importorskip("bioimageio.spec")

from bioimageio.core.sample import Sample  # noqa: E402
from bioimageio.core.tensor import Tensor  # noqa: E402
from bioimageio.spec.model import v0_5  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")


class Net(torch.nn.Module):
    """A convolution over the channels, wherever they stand."""

    def __init__(self, last: bool = False, outputs: int = 2) -> None:
        super().__init__()
        self.last = last
        self.conv = torch.nn.Conv2d(3, outputs, 3, padding=1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        if self.last:
            return self.conv(rgb.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.conv(rgb)


AREA = {"unit": "micrometer", "scale": 0.25, "size": {"min": 32, "step": 16}}
AS_FLOAT = {"id": "ensure_dtype", "kwargs": {"dtype": "float32"}}
NORMAL = {"id": "zero_mean_unit_variance", "kwargs": {"axes": ["y", "x"]}}


def axes(order: str, channels: list[str], **area: object) -> list[dict]:
    made = {
        "b": {"type": "batch"},
        "c": {"type": "channel", "id": "channel", "channel_names": channels},
        "y": {"type": "space", "id": "y", **area},
        "x": {"type": "space", "id": "x", **area},
    }
    return [made[name] for name in order]


def package(folder: Path, order: str = "bcyx", outputs: int = 2, **changed: object) -> Path:
    """Write a package as another program would, with the tools of bioimage.io."""
    folder.mkdir()
    torch.manual_seed(0)
    net = Net(last=order == "byxc", outputs=outputs).eval()
    torch.jit.script(net).save(str(folder / "net.pt"))
    area = {**AREA, **changed.pop("area", {})}
    refer = {key: area[key] for key in ("unit", "scale") if key in area}
    given, found = (
        axes(order, changed.pop("channels", ["red", "green", "blue"]), **area),
        axes(order, ["tissue", "fat", "other"][:outputs]),
    )
    for axis in found:
        if axis["type"] == "space":
            axis |= {**refer, "size": {"tensor_id": "image", "axis_id": axis["id"]}, "halo": 4}
    values = {
        "format_version": v0_5.ModelDescr.implemented_format_version,
        "type": "model",
        "name": "a model of others",
        "inputs": [
            {"id": "image", "axes": given, "data": {"type": "uint8"}, "preprocessing": [AS_FLOAT]}
        ],
        "outputs": [{"id": "classes", "axes": found, "postprocessing": []}],
        "weights": {"torchscript": {"source": "net.pt", "pytorch_version": "2.4"}},
        "license": "MIT",
    }
    values["inputs"][0] |= changed.pop("input", {})
    values["outputs"][0] |= changed.pop("output", {})
    (folder / "rdf.yaml").write_text(json.dumps({**values, **changed}))  # JSON is YAML, too
    return folder


SOFTMAX = {"postprocessing": [{"id": "softmax", "kwargs": {"axis": "channel"}}]}
SIGMOID = {"postprocessing": [{"id": "sigmoid"}]}
FLOAT = {"data": {"type": "float32", "range": [0, 1]}}


def tiles(n: int = 2, side: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def as_bioimageio_does(folder: Path, tile: np.ndarray, order: str = "bcyx") -> np.ndarray:
    described = spec.load_model_description(folder, perform_io_checks=False)
    names = [axis.id for axis in described.inputs[0].axes]
    image = tile[None] if order == "byxc" else tile[None].transpose(0, 3, 1, 2)
    with core.create_prediction_pipeline(described, devices=["cpu"]) as pipeline:
        sample = Sample(members={"image": Tensor(image, names)}, stat={}, id=None)
        done = pipeline.predict_sample_without_blocking(
            sample, skip_input_padding=True, skip_output_cropping=True
        )
    found = done.members["classes"].data.transpose("batch", "channel", "y", "x")
    return found.to_numpy()[0]


@pytest.mark.parametrize("order", ["bcyx", "byxc"])
@pytest.mark.parametrize(
    "steps",
    [
        [NORMAL],
        [{"id": "scale_linear", "kwargs": {"gain": 0.004, "offset": -0.5}}],
        [
            {"id": "scale_range", "kwargs": {"axes": ["y", "x"], "max_percentile": 99.0}},
            {"id": "clip", "kwargs": {"min": 0.0, "max": 1.0}},
        ],
        [{"id": "fixed_zero_mean_unit_variance", "kwargs": {"mean": 180.0, "std": 40.0}}],
    ],
    ids=lambda steps: steps[0]["id"],
)
def test_a_package_runs_as_bioimageio_runs_it(tmp_path: Path, order: str, steps: list):
    given = {"preprocessing": [AS_FLOAT, *steps, AS_FLOAT]}
    folder = package(tmp_path / "net", order, input=given, output=SOFTMAX)
    model = load_model(folder, device="cpu")
    assert model.spec.um_per_px == 0.25
    assert (model.spec.classes, model.spec.halo_px) == (("tissue", "fat"), 16)
    assert (model.spec.context, model.spec.multiple_px) == ("tile", 16)
    found = model.predict(tiles())
    for i in range(2):
        assert np.abs(found[i] - as_bioimageio_does(folder, tiles()[i], order)).max() < 1e-6


def test_one_output_after_a_sigmoid_is_the_second_class(tmp_path: Path):
    folder = package(tmp_path / "net", outputs=1, output=SIGMOID)
    model = load_model(folder, device="cpu")
    assert model.spec.classes == ("not tissue", "tissue")
    found = model.predict(tiles(1))[0]
    assert np.abs(found[1] - as_bioimageio_does(folder, tiles(1)[0])[0]).max() < 1e-6


def test_small_tiles_are_mirrored_up_to_the_least_side(tmp_path: Path):
    model = load_model(package(tmp_path / "net", output=SOFTMAX), device="cpu")
    assert model.predict(tiles(1, 16)).shape == (1, 2, 16, 16)


def test_an_input_of_0_to_1_gets_that(tmp_path: Path):
    half = {**FLOAT, "preprocessing": [{"id": "scale_linear", "kwargs": {"gain": 255.0}}]}
    one = load_model(package(tmp_path / "one", input=half, output=SOFTMAX), device="cpu")
    other = load_model(package(tmp_path / "other", output=SOFTMAX), device="cpu")
    assert np.abs(one.predict(tiles()) - other.predict(tiles())).max() < 1e-4


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({"area": {"unit": None}}, "um_per_px"),
        ({"output": {}}, "activation"),
        ({"input": {"data": {"type": "float32"}}}, "divide_by"),
    ],
)
def test_what_a_package_leaves_open_is_asked_for(tmp_path: Path, changed: dict, asked: str):
    folder = package(tmp_path / "net", **{"output": SOFTMAX, **changed})
    with pytest.raises(ModelFileError, match=f"does not say {asked}, and nothing"):
        load_model(folder, device="cpu")
    values = {"um_per_px": 0.25, "activation": "softmax", "divide_by": 1}
    (tmp_path / "net.json").write_text(json.dumps({asked: values[asked]}))
    assert load_model(folder, device="cpu").spec.um_per_px == 0.25


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"channels": ["a", "b"]}, "2 channels"),
        ({"channels": ["blue", "green", "red"]}, "channel order blue, green, red"),
        ({"area": {"unit": "micrometer", "scale": 0.0005}}, "um_per_px is 0.0005"),
        ({"input": {"preprocessing": [{**NORMAL, "kwargs": {"axes": ["batch"]}}]}}, "data set"),
        (
            {"output": {"postprocessing": [{"id": "binarize", "kwargs": {"threshold": 1}}]}},
            "binarize",
        ),
        ({"weights": {}}, "no valid bioimage.io package"),
        ({"name": "x"}, "no valid bioimage.io package"),
    ],
)
def test_what_is_not_supported_is_named(tmp_path: Path, changed: dict, says: str):
    folder = package(tmp_path / "net", **{"output": SOFTMAX, **changed})
    with pytest.raises(ModelFileError, match=says):
        load_model(folder, device="cpu")


def test_numbers_that_the_network_does_not_take_are_named(tmp_path: Path):
    """Without a last step to float32 the format casts what is normalised to uint8 again."""
    folder = package(tmp_path / "net", input={"preprocessing": [AS_FLOAT, NORMAL]}, output=SOFTMAX)
    with pytest.raises(ModelFileError, match=r"does not take .* torch\.uint8"):
        load_model(folder, device="cpu")


def test_an_older_version_is_refused(tmp_path: Path):
    folder = package(tmp_path / "net")
    tensor = {"axes": "bcyx", "data_type": "float32", "shape": [1, 3, 64, 64]}
    old = {
        "format_version": "0.4.10",
        "type": "model",
        "name": "an old model",
        "description": "of another time",
        "authors": [{"name": "A. Nonymous"}],
        "cite": [{"text": "none", "url": "https://example.com"}],
        "license": "MIT",
        "documentation": "README.md",
        "timestamp": "2021-01-01T00:00:00",
        "inputs": [{"name": "image", **tensor}],
        "outputs": [{"name": "classes", **tensor}],
        "test_inputs": ["in.npy"],
        "test_outputs": ["out.npy"],
        "weights": {"torchscript": {"source": "net.pt"}},
    }
    (folder / "rdf.yaml").write_text(json.dumps(old))
    with pytest.raises(ModelFileError, match=r"version 0\.4"):
        load_model(folder, device="cpu")


def test_a_third_axis_is_refused(tmp_path: Path):
    folder = package(tmp_path / "net", output=SOFTMAX)
    values = json.loads((folder / "rdf.yaml").read_text())
    values["inputs"][0]["axes"].append({"type": "space", "id": "z", "size": 8})
    (folder / "rdf.yaml").write_text(json.dumps(values))
    with pytest.raises(ModelFileError, match="the axis 'z'"):
        load_model(folder, device="cpu")


def test_weights_elsewhere_are_not_fetched(tmp_path: Path):
    weights = {"torchscript": {"source": "https://example.com/net.pt", "pytorch_version": "2.4"}}
    folder = package(tmp_path / "net", output=SOFTMAX, weights=weights)
    with pytest.raises(ModelFileError, match="Download the whole package"):
        load_model(folder, device="cpu")


def test_python_code_of_a_package_is_not_run(tmp_path: Path):
    folder = package(tmp_path / "net", output=SOFTMAX)
    shutil.copy(folder / "net.pt", folder / "state.pt")
    (folder / "arch.py").write_text("raise SystemExit('run')\n")
    values = json.loads((folder / "rdf.yaml").read_text())
    values["weights"] = {
        "pytorch_state_dict": {
            "source": "state.pt",
            "pytorch_version": "2.4",
            "architecture": {"callable": "Net", "source": "arch.py"},
        }
    }
    (folder / "rdf.yaml").write_text(json.dumps(values))
    with pytest.raises(ModelFileError, match="only pytorch_state_dict"):
        load_model(folder, device="cpu")


def test_a_missing_weight_file_is_named(tmp_path: Path):
    folder = package(tmp_path / "net", output=SOFTMAX)
    (folder / "net.pt").unlink()
    with pytest.raises(ModelFileError, match=r"net\.pt"):
        load_model(folder, device="cpu")


@pytest.mark.parametrize("text", ["", "- a", "a: [", "type: model"])
def test_a_damaged_description_is_named(tmp_path: Path, text: str):
    folder = package(tmp_path / "net", output=SOFTMAX)
    (folder / "rdf.yaml").write_text(text)
    with pytest.raises(ModelFileError, match=r"no valid bioimage\.io package"):
        load_model(folder, device="cpu")


def test_a_zip_without_a_description_is_refused(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
        archive.writestr("notes.txt", "words")
    with pytest.raises(ModelFileError, match=r"net\.zip"):
        load_model(tmp_path / "net.zip", device="cpu")


def test_the_test_of_bioimageio_passes_an_export(model, tmp_path: Path):
    folder = export_model(
        model, tmp_path / "ours", to="bioimageio", authors=["A. Nonymous"], licence="BSD-3-Clause"
    )
    tested = core.test_model(folder, devices=["cpu"])
    assert tested.status == "passed"
    described = spec.load_model_description(folder)
    assert described.license == "BSD-3-Clause"
    assert [author.name for author in described.authors] == ["A. Nonymous"]
    assert [axis.scale for axis in described.inputs[0].axes if axis.id in "yx"] == [0.5, 0.5]


def test_a_licence_without_an_identifier_is_refused(model, tmp_path: Path):
    with pytest.raises(BadValueError, match="license 'do as you like'"):
        export_model(model, tmp_path / "ours", to="bioimageio", licence="do as you like")
    assert not list(tmp_path.iterdir())
