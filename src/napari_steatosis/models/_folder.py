"""A model on disk: a folder with ``model.safetensors`` and ``model.json``, never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_tensors
from safetensors.torch import save as tensor_bytes
from torch import Tensor

from ..core.digest import digest
from ..core.errors import ModelFileError
from ..core.model import ModelSpec

FORMAT = 1
"""Version of the folder's layout, stated in ``model.json``."""

State = dict[str, Tensor]


def halved(state: State) -> State:
    """Return a copy of a state with floating values rounded to half precision, on the CPU.

    A tensor with a value beyond its range, 65 504, stays in float32: half would make it infinite.
    """
    return {name: _half(t.detach()).cpu().contiguous() for name, t in state.items()}


def _half(tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    return half if bool(half.isfinite().all()) else tensor.float()


def digest_of(spec: ModelSpec, state: State) -> str:
    """Return the SHA-256 over the specification, without its scores, and every weight."""
    values = {key: value for key, value in spec.to_json().items() if key != "scores"}
    found = hashlib.sha256(digest(values).encode())
    for name in sorted(state):
        tensor = state[name]
        found.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def write_folder(
    folder: Path, spec: ModelSpec, state: State, made: dict[str, Any] | None = None
) -> None:
    """Write a model; each file appears whole or not at all.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    spec, state
        The model.
    made : dict, optional
        What it was made of and with: plain values, for people.
    """
    folder.mkdir(parents=True, exist_ok=True)
    values = {"format": FORMAT, "digest": digest_of(spec, state), "spec": spec.to_json()}
    if made is not None:
        values["made"] = made
    values["checksum"] = digest(values)
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / "model.json").unlink(missing_ok=True)  # else it would stand beside other weights
    _write_whole(folder / "model.safetensors", tensor_bytes(state))
    _write_whole(folder / "model.json", text.encode())


def read_folder(folder: Path) -> tuple[ModelSpec, State]:
    """Read a model.

    Raises
    ------
    ModelFileError
        Where a file is missing, damaged, or does not belong to the other one.
    """
    described, weights = folder / "model.json", folder / "model.safetensors"
    for file in (described, weights):
        if not file.is_file():
            raise ModelFileError(
                f"{file} is missing. A model is a folder with model.json and "
                f"model.safetensors; copy both from where it was trained."
            )
    try:
        values = json.loads(described.read_text(encoding="utf-8"))
        version, stated, spec = _parsed(values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{described} is not the description of a model ({type(error).__name__}: {error}). "
            f"Copy the model folder again from its origin, or update napari-steatosis."
        ) from error
    if version != FORMAT:
        raise ModelFileError(
            f"{described} has format {version!r}; this version reads format {FORMAT}. "
            f"Update napari-steatosis, or save the model again with this version."
        )
    try:
        state = parse_tensors(weights.read_bytes())
    except (SafetensorError, ValueError, OSError) as error:
        raise ModelFileError(
            f"{weights} is damaged or not a safetensors file ({error}). "
            f"Copy the model folder again from its origin."
        ) from error
    if "checksum" in values and values.pop("checksum") != digest(values):
        raise ModelFileError(
            f"{described} was edited after it was written: its checksum is another. "
            f"Copy the model folder again from its origin."
        )
    if digest_of(spec, state) != stated:
        raise ModelFileError(
            f"{folder}: model.json and model.safetensors do not belong together, or one was "
            f"edited (digest {stated[:12]} stated, {digest_of(spec, state)[:12]} found). "
            f"Copy the model folder again from its origin."
        )
    return spec, state


def check_fits(network: torch.nn.Module, state: State, folder: Path) -> None:
    """Raise `ModelFileError` where the weights are of another architecture."""
    own = {name: tuple(t.shape) for name, t in network.state_dict().items()}
    given = {name: tuple(t.shape) for name, t in state.items()}
    if own != given:
        differing = sorted(n for n in own.keys() | given.keys() if own.get(n) != given.get(n))
        raise ModelFileError(
            f"{folder / 'model.safetensors'} holds weights of another architecture than "
            f"model.json names: {len(differing)} tensors differ, the first is "
            f"{differing[0]!r}. Copy the model folder again from its origin."
        )


def _parsed(values: dict[str, Any]) -> tuple[Any, str, ModelSpec]:
    if values["format"] != FORMAT:
        return values["format"], "", ModelSpec("", "", "segmentation", (), 1.0, 1, 0)
    known = {one.name for one in fields(ModelSpec)}
    if unknown := sorted(values["spec"].keys() - known):
        raise ValueError(f"it states what this version does not know: {', '.join(unknown)}")
    return FORMAT, str(values["digest"]), ModelSpec.from_json(values["spec"])


def _write_whole(file: Path, content: bytes) -> None:
    partial = file.with_suffix(file.suffix + ".partial")
    partial.write_bytes(content)
    os.replace(partial, file)
