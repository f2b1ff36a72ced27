"""ONNX: a network as a graph in one file, which ONNX Runtime computes."""

from __future__ import annotations

import io
import logging
import os
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError, ModelFileError
from ..core.model import Model
from ._foreign import (
    ForeignModel,
    Network,
    Origin,
    Prepare,
    Sides,
    content_digest,
    package,
    refuse_precision,
)
from ._sidecar import describe
from ._whole import refuse_suffix, write_with_sidecar

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ._device import Compute

SUFFIXES = (".onnx",)

NUMBERS = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
"""Element types of the input that are supported."""

INPUT, OUTPUT = "rgb", "probabilities"
"""Names in the graphs that are written."""


def open_model(path: Path, *, device: str = "auto", precision: str = "auto") -> Model | None:
    """Open an ONNX file with the sidecar beside it; None where this is no such file.

    Parameters
    ----------
    path : Path
        With the suffix ``.onnx``, weights inside. One input, ``(n, 3, y, x)`` in float32 or
        float16; sizes may be free or fixed.
    device : {"auto", "cpu", "cuda", "cuda:N"}
        Where to compute; ``"auto"`` takes CUDA where ONNX Runtime was installed with it.
    precision : {"auto", "fp32"}
        That of the file.

    Raises
    ------
    ModelFileError
        Where the file is damaged, not described, or takes other inputs.
    MissingPackageError
        Where ONNX Runtime is not installed.
    """
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return None
    content = path.read_bytes()
    session, compute = session_of(content, path, device, precision)
    sides = _sides(session, path)
    described = describe(path, "onnx", {"multiple_px": 1} if sides.most else None)
    number, scaling = NUMBERS[session.get_inputs()[0].type], described.scaling
    network = network_of(
        session, path, lambda tiles: scaling.apply(tiles).astype(number, copy=False)
    )
    origin = Origin(path, device, precision, content_digest(content))
    if sides.most is None:
        sides = Sides(described.spec.multiple_px, described.spec.multiple_px)
    return ForeignModel(described, network, origin=origin, compute=compute, sides=sides)


def write_model(model: Model, path: Path, *, overwrite: bool = False) -> None:
    """Write a model as ONNX, with the sidecar that `open_model` asks for.

    The graph takes RGB of 0 to 255, ``(n, 3, y, x) float32`` of any number and any size in
    multiples of ``spec.multiple_px``, and gives probabilities.

    Parameters
    ----------
    model : Model
        Of this package.
    path : Path
        With the suffix ``.onnx``.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    BadValueError
        Where the suffix is another, the path is taken, or the model is not ours.
    ModelFileError
        Where the network cannot be written so that its outputs stay equal at every size.
    MissingPackageError
        Where the packages of the extra ``onnx`` are not installed.
    """
    from ._graph import Probabilities, described_output, network_of

    refuse_suffix(path, SUFFIXES)
    module = Probabilities(network_of(model))
    write_with_sidecar(
        path,
        lambda: checked(graph_bytes(module, model), module, model),
        described_output(model),
        overwrite=overwrite,
    )


def checked(content: bytes, module: nn.Module, model: Model) -> bytes:
    """Return a graph that ONNX's own checker passes and that computes what its module does."""
    import torch

    from ._graph import check_equal

    package("onnx", "onnx").checker.check_model(content, full_check=True)
    session = package("onnxruntime", "onnx").InferenceSession(
        content, providers=["CPUExecutionProvider"]
    )

    def graph(rgb: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {INPUT: rgb.numpy()})[0])

    check_equal(graph, module, model)
    return content


def graph_bytes(module: nn.Module, model: Model) -> bytes:
    """Return a module as an ONNX graph whose number and size of images are free.

    A classifier that takes one size only, as transformers do, keeps it.

    Raises
    ------
    ModelFileError
        Where the network cannot be expressed so.
    """
    import torch

    for name in ("onnx", "onnxruntime", "onnxscript"):
        package(name, "onnx")
    ways = [{0: "n", 2: "height", 3: "width"}]
    if model.spec.task == "classification":
        ways.append({0: "n"})
    for free in ways:
        try:
            return _converted(module, model, free)
        except torch.onnx.OnnxExporterError as error:
            last = error
    raise ModelFileError(
        f"Model {model.spec.name!r} cannot be written as ONNX with free sizes: "
        f"{last.__cause__ or last}. Export it as torchscript."
    ) from last


def _converted(module: nn.Module, model: Model, free: dict[int, str]) -> bytes:
    import torch

    from ._graph import example

    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # of the exporter, on its own future
            program = torch.onnx.export(
                module,
                (example(model),),
                dynamo=True,
                dynamic_shapes=(free,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    assert program is not None
    return program.model_proto.SerializeToString()


def session_of(content: bytes, path: Path, device: str, precision: str) -> tuple[Any, Compute]:
    """Prepare a graph for computing, and say where that will be.

    Raises
    ------
    ModelFileError
        Where the graph is damaged, or keeps its weights in a second file.
    BadValueError
        Where the device cannot be had.
    """
    from ._device import Compute

    runtime = package("onnxruntime", "onnx")
    refuse_precision(precision)
    gpu = "CUDAExecutionProvider" in runtime.get_available_providers()
    asked, _, card = device.partition(":")
    if asked not in ("auto", "cpu", "cuda") or (asked == "cuda" and not gpu):
        raise BadValueError(
            f"Device {device!r} is not available to ONNX Runtime here. Use 'auto' or 'cpu'"
            f"{'' if gpu else ', or install onnxruntime-gpu for cuda'}."
        )
    cuda = ("CUDAExecutionProvider", {"device_id": int(card or 0)})
    providers = [*([cuda] if gpu and asked != "cpu" else []), "CPUExecutionProvider"]
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised, too
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    try:
        session = runtime.InferenceSession(content, options, providers=providers)
    except failures() as error:
        raise ModelFileError(
            f"{path} cannot be run by ONNX Runtime {runtime.__version__} ({error}). It is damaged, "
            f"made for a newer one, or keeps its weights in a second file: copy it again, update "
            f"onnxruntime, or save it as one file."
        ) from error
    used = session.get_providers()[0]
    if asked == "cuda" and not used.startswith("CUDA"):
        raise BadValueError("ONNX Runtime could not start CUDA. Use 'cpu', or mend its CUDA.")
    half = session.get_inputs()[0].type == "tensor(float16)"
    where = f"cuda:{card or 0}" if used.startswith("CUDA") else "cpu"
    return session, Compute(where, "fp16" if half else "fp32", f"ONNX Runtime with {used}")


def network_of(session: Any, path: Path, prepare: Prepare) -> Network:
    """Return the network of a session as a function of what `prepare` takes."""
    name = session.get_inputs()[0].name

    def network(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = prepare(tiles)
        try:
            found = session.run(None, {name: values})[0]
        except failures() as error:
            raise ModelFileError(
                f"{path}: the network does not take {values.shape} {values.dtype} ({error}). "
                f"tile_px, halo_px and multiple_px decide the size."
            ) from error
        return found.astype(np.float32, copy=False)

    return network


def failures() -> tuple[type[Exception], ...]:
    """Return everything that ONNX Runtime raises; its errors have no root of their own."""
    state = vars(package("onnxruntime.capi.onnxruntime_pybind11_state", "onnx"))
    own = (v for v in state.values() if isinstance(v, type) and issubclass(v, Exception))
    return (*own, RuntimeError, ValueError)


def _sides(session: Any, path: Path) -> Sides:
    """Read the size of the input from the graph, and refuse what is not an RGB image."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelFileError(
            f"{path} has {len(inputs)} inputs ({', '.join(i.name for i in inputs)}) and "
            f"{len(outputs)} outputs ({', '.join(o.name for o in outputs)}); one of each is "
            f"supported. Export it with only these."
        )
    shape, kind = inputs[0].shape, inputs[0].type
    if kind not in NUMBERS:
        raise ModelFileError(
            f"{path}: its input is {kind}; supported are {', '.join(NUMBERS)}. Export it so."
        )
    if len(shape) != 4 or (isinstance(shape[1], int) and shape[1] != 3):
        raise ModelFileError(
            f"{path}: its input is {shape}, but an RGB image is (n, 3, y, x). Networks with "
            f"other channels, or with the channels last, are not supported."
        )
    height, width = shape[2:]
    if not isinstance(height, int) and not isinstance(width, int):
        return Sides()
    if height != width:
        raise ModelFileError(f"{path}: its input is {height} x {width}; squares are supported.")
    return Sides(height, height, most=height)
