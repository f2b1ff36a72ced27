"""Weights in files of others: safetensors, or what ``torch.save`` wrote, tensors only."""

from __future__ import annotations

import pickle
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..core.errors import ModelFileError

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
DAMAGE = (
    *(pickle.UnpicklingError, EOFError, OSError, RuntimeError, ValueError, struct.error),
    *(LookupError, AttributeError, TypeError, AssertionError, MemoryError),
)
"""What reading a damaged file of ``torch.save`` may raise."""

INSIDE = ("state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema")
"""Under these names checkpoints keep the weights beside other things."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by name.

    Parameters
    ----------
    path : Path
        With a suffix of `SUFFIXES`.

    Raises
    ------
    ModelFileError
        Where it is missing, damaged, or holds something else.
    """
    if not path.is_file() or path.suffix.lower() not in SUFFIXES:
        raise ModelFileError(
            f"{path} is no file of weights. Give one that ends in {', '.join(SUFFIXES)}; "
            f"nothing is downloaded."
        )
    if path.suffix.lower() == ".safetensors":
        try:
            return load_file(path)
        except (SafetensorError, ValueError, OSError) as error:
            raise ModelFileError(
                f"{path} is damaged or not a safetensors file ({error}). Copy it again."
            ) from error
    return _tensors_of(_unpickled(path), path)


def _unpickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ModelFileError(
            f"{path} is not opened ({said}). It is damaged, or it holds Python objects besides "
            f"tensors, which could run any code. Whoever made it can save its state_dict() with "
            f"safetensors.torch.save_file."
        ) from error


def _tensors_of(content: Any, path: Path) -> dict[str, Tensor]:
    while isinstance(content, dict):
        tensors = {str(key): v for key, v in content.items() if isinstance(v, Tensor)}
        inside = next((key for key in INSIDE if isinstance(content.get(key), dict)), None)
        if inside is None:
            if tensors:
                return tensors
            break
        content = content[inside]
    held = ", ".join(map(str, list(content)[:6])) if isinstance(content, dict) else type(content)
    raise ModelFileError(
        f"{path} holds no weights by name ({held}). Save the network's state_dict()."
    )
