"""A training that stopped goes on exactly: all that decides what follows, in one file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..core.errors import BadValueError, CannotOpenError

FORMAT = 1

FOLDER, FILE = "training", "checkpoint.safetensors"
"""Where a checkpoint lies in the folder of the model that will be."""


def checkpoint_of(out: Path) -> Path:
    """Return the path of the checkpoint of a model folder."""
    return out / FOLDER / FILE


def write_checkpoint(
    file: Path, tensors: Mapping[str, Tensor], values: Mapping[str, Any], identity: dict[str, Any]
) -> None:
    """Write a checkpoint; it appears whole or not at all.

    Parameters
    ----------
    file : Path
        To write.
    tensors : mapping of str to Tensor
        Weights and the state of the optimiser.
    values : mapping
        Plain values.
    identity : dict
        What the training is of; `read_checkpoint` asks for the same.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, "identity": identity, "values": values})
    partial = file.with_suffix(".partial")
    whole = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    save_file(whole, partial, {"training": text})
    os.replace(partial, file)


def read_checkpoint(
    file: Path, identity: dict[str, Any]
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a checkpoint.

    Raises
    ------
    CannotOpenError
        Where it is damaged, or of a newer version.
    BadValueError
        Where it is of another training; the message says what differs.
    """
    try:
        with safe_open(file, "pt") as opened:
            stored = json.loads(opened.metadata()["training"])
            tensors = {name: opened.get_tensor(name) for name in sorted(opened.keys())}
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise CannotOpenError(
            f"{file} is damaged or no checkpoint ({error}). Begin anew: train without resume."
        ) from error
    if stored["format"] != FORMAT:
        raise CannotOpenError(
            f"{file} has format {stored['format']!r}; this version reads format {FORMAT}. Update "
            f"napari-steatosis, or begin anew: train without resume."
        )
    if differing := _differing(stored["identity"], json.loads(json.dumps(identity)), ""):
        raise BadValueError(
            f"{file} is of another training: {'; '.join(differing[:4])}. Train as before, or "
            f"into another folder, or begin anew: train without resume."
        )
    return tensors, stored["values"]


def _differing(then: Any, now: Any, place: str) -> list[str]:
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        then, now = dict(enumerate(then)), dict(enumerate(now))
    if isinstance(then, dict) and isinstance(now, dict):
        found = []
        for key in sorted(then.keys() | now.keys()):
            found += _differing(then.get(key), now.get(key), f"{place}.{key}" if place else key)
        return found
    return [] if then == now else [f"{place} was {then!r}, now {now!r}"]
