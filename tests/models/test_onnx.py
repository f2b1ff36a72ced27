"""ONNX files: what ONNX's own checker says of ours, and what is refused of others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from napari_steatosis.core.errors import BadValueError, MissingPackageError, ModelFileError
from napari_steatosis.models import export_model, load_model

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

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


def tiles(n: int = 2, side: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


WEIGHTS = np.random.default_rng(1).normal(size=(2, 3, 1, 1)).astype(np.float32)


def saved(path: Path, shape: tuple, *, kind: int = TensorProto.FLOAT, outputs: int = 1) -> Path:
    """Write a 1 x 1 convolution to two classes that takes the shape."""
    weights = WEIGHTS.astype(helper.tensor_dtype_to_np_dtype(kind))
    names = [f"out{i}" for i in range(outputs)]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["in", "w"], [name]) for name in names],
        "net",
        [helper.make_tensor_value_info("in", kind, shape)],
        [helper.make_tensor_value_info(n, kind, (None, None, None, None)) for n in names],
        [numpy_helper.from_array(weights, "w")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    path.with_name(path.name + ".json").write_text(json.dumps(SAID))
    return path


def wanted(given: np.ndarray) -> np.ndarray:
    values = (given / 255 - SAID["mean"]) / SAID["std"]
    logits = np.einsum("nyxc,kc->nkyx", values, WEIGHTS[:, :, 0, 0])
    raised = np.exp(logits)
    return raised / raised.sum(1, keepdims=True)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16])
def test_outputs_are_those_of_the_graph_after_the_usual_scaling(tmp_path: Path, kind: int):
    file = saved(tmp_path / "net.onnx", ("n", 3, "h", "w"), kind=kind)
    model = load_model(file, device="cpu")
    near = 1e-5 if kind == TensorProto.FLOAT else 5e-3
    assert np.abs(model.predict(tiles()) - wanted(tiles())).max() < near
    assert model.arithmetic["precision"] == ("fp32" if kind == TensorProto.FLOAT else "fp16")
    assert "CPUExecutionProvider" in str(model.compute)


def test_tiles_are_mirrored_up_to_a_fixed_size(tmp_path: Path):
    model = load_model(saved(tmp_path / "net.onnx", ("n", 3, 64, 64)), device="cpu")
    assert np.abs(model.predict(tiles()) - wanted(tiles())).max() < 1e-5
    with pytest.raises(BadValueError, match="at most 64 px"):
        model.predict(tiles(1, 72))


def test_a_tile_larger_than_the_fixed_size_is_refused_when_loaded(tmp_path: Path):
    file = saved(tmp_path / "net.onnx", ("n", 3, 40, 40))
    with pytest.raises(ModelFileError, match="at most 40 px a side, got 48"):
        load_model(file, device="cpu")


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ((None, 4, None, None), "RGB image is"),
        ((1, 64, 64, 3), "RGB image is"),
        ((None, 3, 64, 32), "64 x 32; squares"),
    ],
)
def test_other_inputs_are_refused(tmp_path: Path, shape: tuple, says: str):
    file = saved(tmp_path / "net.onnx", shape)
    with pytest.raises(ModelFileError, match=says):
        load_model(file, device="cpu")


def test_a_network_of_other_channels_is_refused_when_it_is_loaded(tmp_path: Path):
    file = saved(tmp_path / "net.onnx", (None, None, None, None))
    model = onnx.load(file)
    four = numpy_helper.from_array(np.zeros((2, 4, 1, 1), np.float32), "w")
    model.graph.initializer[0].CopyFrom(four)
    onnx.save(model, file)
    with pytest.raises(ModelFileError, match=r"does not take \(1, 3, 48, 48\) float32"):
        load_model(file, device="cpu")


def test_other_numbers_are_refused(tmp_path: Path):
    file = saved(tmp_path / "net.onnx", (None, 3, None, None))
    model = onnx.load(file)
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    model.graph.node[0].input[0] = "cast"
    model.graph.node.insert(0, helper.make_node("Cast", ["in"], ["cast"], to=TensorProto.FLOAT))
    onnx.save(model, file)
    with pytest.raises(ModelFileError, match=r"tensor\(double\)"):
        load_model(file, device="cpu")


def test_several_outputs_are_refused_by_name(tmp_path: Path):
    file = saved(tmp_path / "net.onnx", (None, 3, None, None), outputs=2)
    with pytest.raises(ModelFileError, match="2 outputs \\(out0, out1\\)"):
        load_model(file, device="cpu")


def test_weights_in_a_second_file_are_refused(tmp_path: Path):
    file = saved(tmp_path / "net.onnx", (None, 3, None, None))
    model = onnx.load(file)
    onnx.save(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (tmp_path / "weights.bin").is_file()
    with pytest.raises(ModelFileError, match="second file"):
        load_model(file, device="cpu")


def test_without_a_sidecar_everything_is_asked_for(tmp_path: Path):
    file = saved(tmp_path / "net.onnx", (None, 3, None, None))
    (tmp_path / "net.onnx.json").unlink()
    with pytest.raises(ModelFileError, match=r"um_per_px.*nothing is assumed"):
        load_model(file, device="cpu")


def test_without_the_runtime_the_message_says_what_to_install(tmp_path: Path, monkeypatch):
    file = saved(tmp_path / "net.onnx", (None, 3, None, None))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'napari-steatosis\[onnx\]'"):
        load_model(file, device="cpu")


def test_a_gpu_that_the_runtime_lacks_is_refused(tmp_path: Path):
    if "CUDAExecutionProvider" in runtime.get_available_providers():
        pytest.skip("ONNX Runtime has CUDA here")
    file = saved(tmp_path / "net.onnx", (None, 3, None, None))
    with pytest.raises(BadValueError, match="onnxruntime-gpu"):
        load_model(file, device="cuda")


def test_the_checker_passes_an_export_of_free_number_and_size(model, tmp_path: Path):
    pytest.importorskip("onnxscript")
    file = export_model(model, tmp_path / "ours.onnx", to="onnx")
    onnx.checker.check_model(str(file), full_check=True)
    session = runtime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["n", 3, "height", "width"]
    step = model.spec.multiple_px
    for n, height, width in ((1, step, step), (3, 5 * step, 2 * step), (2, 64, 96)):
        given = np.random.default_rng(n).integers(0, 256, (n, height, width, 3), dtype=np.uint8)
        values = given.transpose(0, 3, 1, 2).astype(np.float32)  # RGB of 0 to 255, not scaled
        (found,) = session.run(["probabilities"], {"rgb": values})
        assert np.abs(found - model.predict(given)).max() < 1e-5
