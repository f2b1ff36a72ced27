"""bioimage.io packages of version 0.5: a folder or zip with ``rdf.yaml``, weights and examples."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelFileError
from ..core.model import Model
from ._bioimageio.stated import check_supported, sides_of, stated_by, unsupported
from ._bioimageio.steps import with_steps
from ._foreign import ForeignModel, Network, Origin, content_digest, package
from ._sidecar import describe
from ._whole import written_whole

if TYPE_CHECKING:
    from ._device import Compute

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
"""Names of the description in a package."""

WEIGHTS = ("torchscript", "onnx")
"""Kinds of weights that are run, the preferred first; others need code of the package."""


def open_model(path: Path, *, device: str = "auto", precision: str = "auto") -> Model | None:
    """Open a bioimage.io package; None where this is none.

    Its steps before and after the network are those of ``bioimageio.core``. Only weights in
    TorchScript or ONNX are run, never Python code of the package.

    Parameters
    ----------
    path : Path
        A ``.zip``, or a folder with ``rdf.yaml`` or ``bioimageio.yaml``.
    device, precision : str
        As for `napari_steatosis.models.load_model`; the precision is that of the weights.

    Raises
    ------
    ModelFileError
        Where the package is damaged, or asks for what is not supported.
    MissingPackageError
        Where ``bioimageio.core`` is not installed.
    """
    zipped = path.suffix.lower() == ".zip" and path.is_file()
    if not zipped and not any((path / name).is_file() for name in DESCRIPTIONS):
        return None
    described = _described(path)
    check_supported(described, path)
    kind = next((name for name in WEIGHTS if getattr(described.weights, name) is not None), None)
    if kind is None:
        there = ", ".join(name for name, _ in described.weights if getattr(described.weights, name))
        raise unsupported(path, f"no weights in {' or '.join(WEIGHTS)}, only {there}")
    content = _weights(getattr(described.weights, kind), path)
    sides = sides_of(described, path)
    said = describe(path, "bioimageio", stated_by(described, path, sides))
    compute, run = _runner(kind, content, path, device, precision)
    network = with_steps(described, said.scaling, run, path)
    rdf = repr(described.model_dump(mode="json", exclude={"timestamp"})).encode()
    origin = Origin(path, device, precision, content_digest(rdf, content))
    return ForeignModel(said, network, origin=origin, compute=compute, sides=sides)


def write_model(
    model: Model,
    path: Path,
    *,
    overwrite: bool = False,
    authors: Sequence[str] = (),
    licence: str = "",
) -> None:
    """Write a model as a bioimage.io package that passes the test of ``bioimageio.core``.

    Parameters
    ----------
    model : Model
        Of this package.
    path : Path
        A folder, or a file that ends in ``.zip``.
    overwrite : bool
        Replace what is there.
    authors : sequence of str
        Names; bioimage.io asks for them when a package is uploaded.
    licence : str
        SPDX identifier; without it the model's own words go into a file in the package.

    Raises
    ------
    BadValueError
        Where the path is taken, the licence has no such identifier, or the model is not ours.
    ModelFileError
        Where the package fails its test.
    MissingPackageError
        Where ``bioimageio.core`` is not installed.
    """
    from ._bioimageio.write import write_package

    package("bioimageio.core", "bioimageio")
    with written_whole(path, overwrite=overwrite) as partial:
        write_package(
            model, partial, zipped=path.suffix.lower() == ".zip", authors=authors, licence=licence
        )


def _described(path: Path) -> Any:
    spec = package("bioimageio.spec", "bioimageio")
    package("bioimageio.core", "bioimageio")
    unreadable = (zipfile.BadZipFile, package("ruyaml", "bioimageio").YAMLError)
    try:
        return spec.load_model_description(path, perform_io_checks=False)
    except (*unreadable, OSError, ValueError, TypeError, KeyError) as error:
        raise ModelFileError(
            f"{path} is no valid bioimage.io package ({error}). Copy it again, or see what "
            f"'bioimageio test' says of it."
        ) from error


def _weights(entry: Any, path: Path) -> bytes:
    """Read weights that are in the package; nothing is fetched from elsewhere."""
    if "://" in str(entry.source):
        raise ModelFileError(
            f"{path}: its weights are at {entry.source}, not in the package. Download the whole "
            f"package and open that."
        )
    try:
        content: bytes = entry.get_reader().read()
    except (OSError, KeyError, ValueError) as error:
        raise ModelFileError(
            f"{path}: the weights {entry.source} cannot be read, or are not those that the "
            f"description states ({error}). Copy the package again."
        ) from error
    return content


def _runner(
    kind: str, content: bytes, path: Path, device: str, precision: str
) -> tuple[Compute, Network]:
    """Return where the weights compute, and the bare network for values that are prepared."""
    if kind == "torchscript":
        from .torchscript import as_written, check_archive
        from .torchscript import network_of as of_script

        check_archive(content, path)
        compute = as_written(device, precision)
        return compute, of_script(content, path, _prepared, compute)
    from .onnx import network_of as of_graph
    from .onnx import session_of

    session, compute = session_of(content, path, device, precision)
    return compute, of_graph(session, path, _prepared)


def _prepared(values: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(values)  # of the type that the steps of the package end in
