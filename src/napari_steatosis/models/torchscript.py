"""TorchScript: a network as a program of its own, in one file."""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelFileError
from ..core.model import Model
from ._foreign import ForeignModel, Network, Origin, Prepare, content_digest, refuse_precision
from ._sidecar import describe
from ._whole import refuse_suffix, write_with_sidecar

if TYPE_CHECKING:
    from torch import nn

    from ._device import Compute

SUFFIXES = (".pt", ".pts", ".torchscript")

REACHES_OUT = re.compile(
    r"\.[\s\\]*(save|from_file|rpc_\w+)\b"
    r"|\bops[\s\\]*\.[\s\\]*(?!aten\b|prim\b|\w*quantized\b)\w+"
)
"""Calls that read or write files, talk to other computers, or need code that is not in torch."""


def open_model(path: Path, *, device: str = "auto", precision: str = "auto") -> Model | None:
    """Open a TorchScript file with the sidecar beside it; None where this is no such file.

    Only what ``torch.jit`` defines is read, never a pickle of Python objects, and the program
    inside is refused where it would read or write files.

    Parameters
    ----------
    path : Path
        With a suffix of `SUFFIXES`. The network takes ``(n, 3, y, x) float32``.
    device, precision : str
        As for `napari_steatosis.models.load_model`; the precision is that of the file.

    Raises
    ------
    ModelFileError
        Where the file is damaged, no TorchScript, or not described.
    """
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return None
    content = path.read_bytes()
    check_archive(content, path)
    described = describe(path, "torchscript")
    compute = as_written(device, precision)
    network = network_of(content, path, described.scaling.apply, compute)
    origin = Origin(path, device, precision, content_digest(content))
    return ForeignModel(described, network, origin=origin, compute=compute)


def write_model(model: Model, path: Path, *, overwrite: bool = False) -> None:
    """Write a model as TorchScript, with the sidecar that `open_model` asks for.

    The network takes RGB of 0 to 255, ``(n, 3, y, x) float32`` with sides that are multiples
    of ``spec.multiple_px``, and gives probabilities.

    Parameters
    ----------
    model : Model
        Of this package.
    path : Path
        With a suffix of `SUFFIXES`.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    BadValueError
        Where the suffix is another, the path is taken, or the model is not ours.
    ModelFileError
        Where the network cannot be written so that its outputs stay equal.
    """
    from ._graph import Probabilities, described_output, network_of, traced

    refuse_suffix(path, SUFFIXES)
    module = Probabilities(network_of(model))
    write_with_sidecar(
        path,
        lambda: script_bytes(traced(module, model)),
        described_output(model),
        overwrite=overwrite,
    )


def script_bytes(graph: Any) -> bytes:
    """Return a TorchScript module as the bytes of its archive."""
    import torch

    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that TorchScript is no longer developed
        torch.jit.save(graph, content)
    return content.getvalue()


def as_written(device: str, precision: str) -> Compute:
    """Decide where a TorchScript network computes; in which precision is up to its file."""
    from ._device import choose_compute

    refuse_precision(precision)
    chosen = choose_compute(device, "fp32")
    return replace(chosen, reason="the precision that the file was written in")


def check_archive(content: bytes, path: Path) -> None:
    """Raise `ModelFileError` where bytes are not a TorchScript archive that may be loaded."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            code = [name for name in names if "/code/" in name and name.endswith(".py")]
            texts = [archive.read(name).decode("utf-8", "replace") for name in code]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelFileError(
            f"{path} is damaged or not TorchScript ({error}). Copy it again; a checkpoint of "
            f"weights alone must be saved with torch.jit.save by whoever has the network's code."
        ) from error
    if not code or not any(name.endswith("/constants.pkl") for name in names):
        raise ModelFileError(
            f"{path} is not TorchScript: it holds no program, so it is a checkpoint or a pickle, "
            f"which can run any code and is not opened. Save the network with torch.jit.save."
        )
    if len(set(names)) < len(names):
        raise ModelFileError(f"{path} holds files twice; it is damaged or made to deceive.")
    for name, text in zip(code, texts, strict=True):
        if found := REACHES_OUT.search(text):
            raise ModelFileError(
                f"{path} is not opened: its program calls {found[0].strip()!r} ({name}), which "
                f"reaches files, other computers or code outside torch. A network needs no such "
                f"call; ask its author."
            )


def network_of(content: bytes, path: Path, prepare: Prepare, compute: Compute) -> Network:
    """Return the network of a checked archive as a function of what `prepare` takes."""
    import torch

    try:
        module = scripted(content, compute.device)
    except (RuntimeError, ValueError, UnicodeDecodeError) as error:
        raise ModelFileError(
            f"{path} is damaged, or written by a newer torch than {torch.__version__} "
            f"({_first_line(error)}). Copy it again, or update torch."
        ) from error

    def network(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = torch.from_numpy(prepare(tiles)).to(compute.device)
        try:
            with torch.inference_mode():
                found = module(values)
        except RuntimeError as error:
            raise ModelFileError(
                f"{path}: the network does not take {tuple(values.shape)} {values.dtype} "
                f"({_first_line(error)}). Networks of 3-channel RGB images are supported; "
                f"tile_px, halo_px and multiple_px decide the size."
            ) from error
        if not isinstance(found, torch.Tensor):
            raise ModelFileError(
                f"{path}: the network gives {type(found).__name__}, not one array. Save it with "
                f"a module around it that picks the probabilities."
            )
        return found.float().cpu().numpy()

    return network


def scripted(content: bytes, device: str = "cpu") -> nn.Module:
    """Load the bytes of a TorchScript archive that `check_archive` has seen."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # that TorchScript is no longer developed
        module: nn.Module = torch.jit.load(io.BytesIO(content), map_location=device)
    return module.eval()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
