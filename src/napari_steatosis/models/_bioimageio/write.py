"""A model of ours as a bioimage.io package."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from ...core.errors import BadValueError, ModelFileError
from ...core.model import Model, ModelSpec
from .._foreign import package
from .._graph import Probabilities, described_output, example, network_of, traced
from ..torchscript import script_bytes
from .stated import OWN

SCRIPT, GIVEN, FOUND, README, LICENCE = (
    "weights.pt",
    "test_input.npy",
    "test_output.npy",
    "README.md",
    "LICENSE.txt",
)


def write_package(
    model: Model, place: Path, *, zipped: bool, authors: Sequence[str] = (), licence: str = ""
) -> None:
    """Write a package that takes RGB in uint8 and gives probabilities, and test it.

    Parameters
    ----------
    model : Model
        Of this package.
    place : Path
        Where nothing is yet.
    zipped : bool
        One file instead of a folder.
    authors : sequence of str
        Names.
    licence : str
        SPDX identifier.

    Raises
    ------
    BadValueError
        Where `bioimageio.spec` does not accept a value.
    ModelFileError
        Where the package fails the test of `bioimageio.core`.
    """
    spec, core = package("bioimageio.spec", "bioimageio"), package("bioimageio.core", "bioimageio")
    module = Probabilities(network_of(model))
    with TemporaryDirectory() as made:
        parts = Path(made)
        (parts / SCRIPT).write_bytes(script_bytes(traced(module, model)))
        rgb = example(model, 1, least=_least(model.spec))
        with torch.inference_mode():
            np.save(parts / FOUND, module(rgb).numpy())
        np.save(parts / GIVEN, rgb.numpy().astype(np.uint8))
        (parts / README).write_text(_readme(model.spec), encoding="utf-8")
        if not licence and model.spec.licence:
            (parts / LICENCE).write_text(model.spec.licence + "\n", encoding="utf-8")
        try:
            with spec.ValidationContext(root=parts, perform_io_checks=True):
                described = _description(model, authors, licence or None, parts)
                save = "save_bioimageio_package" + ("" if zipped else "_as_folder")
                getattr(spec, save)(described, output_path=place)
        except package("pydantic", "bioimageio").ValidationError as error:
            refused = {f"{fault['loc'][0]} {fault['input']!r}" for fault in error.errors()}
            raise BadValueError(
                f"Model {model.spec.name!r} cannot be written as a bioimage.io package, which "
                f"does not take: {', '.join(sorted(refused))}. A licence is an SPDX identifier."
            ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, that TorchScript is no longer developed
        tested = core.test_model(place, devices=["cpu"])
    if tested.status != "passed":
        faults = [f"{e.msg}" for d in tested.details if d.status == "failed" for e in d.errors]
        raise ModelFileError(
            f"Model {model.spec.name!r} was written as a bioimage.io package that fails the "
            f"test of bioimageio.core, and is not kept: {'; '.join(faults)}"
        )


def _description(model: Model, authors: Sequence[str], licence: str | None, parts: Path) -> Any:
    v0_5 = package("bioimageio.spec.model.v0_5", "bioimageio")
    spec = model.spec
    own = described_output(model).to_json()
    kept = {name: own[name] for name in own if name not in ("divide_by", "mean", "std")}
    file = (parts / LICENCE).is_file()
    return v0_5.ModelDescr(
        name=_name(spec.name),
        description=f"{spec.task.capitalize()} of {', '.join(spec.classes)} in {spec.modality} "
        f"at {spec.um_per_px:g} um per pixel. Research use only.",
        authors=[v0_5.Author(name=name) for name in authors],
        license=v0_5.FileDescr(source=LICENCE) if file else licence,
        documentation=v0_5.FileDescr(source=README),
        tags=["histology", "liver", "steatosis", "2d", spec.task],
        inputs=[_input(v0_5, spec)],
        outputs=[_output(v0_5, spec)],
        weights=v0_5.WeightsDescr(
            torchscript=v0_5.TorchscriptWeightsDescr(
                source=SCRIPT, pytorch_version=v0_5.Version(torch.__version__.partition("+")[0])
            )
        ),
        config=v0_5.Config(**{OWN: {**kept, "classes": list(spec.classes)}}),
    )


def _input(v0_5: Any, spec: ModelSpec) -> Any:
    fixed = spec.task == "classification"
    free = v0_5.ParameterizedSize(min=_least(spec), step=spec.multiple_px)
    side = spec.tile_px if fixed else free
    area = {"unit": "micrometer", "scale": spec.um_per_px, "size": side}
    return v0_5.InputTensorDescr(
        id="rgb",
        description="RGB image",
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=["r", "g", "b"]),
            v0_5.SpaceInputAxis(id="y", **area),
            v0_5.SpaceInputAxis(id="x", **area),
        ],
        test_tensor=v0_5.FileDescr(source=GIVEN),
        data=v0_5.IntervalOrRatioDataDescr(type="uint8", range=(0, 255)),
        preprocessing=[v0_5.EnsureDtypeDescr(kwargs=v0_5.EnsureDtypeKwargs(dtype="float32"))],
    )


def _output(v0_5: Any, spec: ModelSpec) -> Any:
    axes = [v0_5.BatchAxis(), v0_5.ChannelAxis(channel_names=list(spec.classes))]
    if spec.task == "segmentation":
        kind = v0_5.SpaceOutputAxisWithHalo if spec.halo_px else v0_5.SpaceOutputAxis
        halo = {"halo": spec.halo_px} if spec.halo_px else {}
        axes += [
            kind(
                id=name,
                unit="micrometer",
                scale=spec.um_per_px,
                size=v0_5.SizeReference(tensor_id="rgb", axis_id=name),
                **halo,
            )
            for name in ("y", "x")
        ]
    return v0_5.OutputTensorDescr(
        id="probabilities",
        description="probability of each class, summing to 1",
        axes=axes,
        test_tensor=v0_5.FileDescr(source=FOUND),
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0, 1)),
    )


def _least(spec: ModelSpec) -> int:
    """Return the smallest side that leaves something inside the halo."""
    return 2 * spec.halo_px + spec.multiple_px


def _name(name: str) -> str:
    """Return a name in the letters that bioimage.io allows, of at least five."""
    return re.sub(r"[^A-Za-z0-9_+\- ()]", "-", name).ljust(5, "-")


def _readme(spec: ModelSpec) -> str:
    scores = "\n".join(f"- {name}: {value}" for name, value in spec.scores.items())
    return (
        f"# {spec.name}\n\n{spec.task.capitalize()} of {', '.join(spec.classes)} in "
        f"{spec.modality}, {spec.stain}, at {spec.um_per_px:g} um per pixel. Exported by "
        f"napari-steatosis. Research use only, not a diagnostic device.\n\n"
        f"## Training data\n\n{spec.training_data or 'Not stated.'}\n\n"
        f"## Licence\n\n{spec.licence or 'Not stated.'}\n\n"
        f"## Validation\n\n{scores or 'No scores were recorded with this model.'}\n"
    )
