"""What a model file does not say about itself, and the JSON file beside it that does."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelFileError
from ..core.model import ModelSpec

Activation = Literal["softmax", "sigmoid", "none"]

REQUIRED = {
    "task": 'what it gives, "segmentation" or "classification"',
    "classes": 'names in the order of its outputs, like ["tissue", "fat"]',
    "um_per_px": "resolution at which it was trained, micrometres per pixel, like 0.5",
    "tile_px": "side of the square that one step computes, px, like 512",
    "halo_px": "context on each side of it besides, px, like 64; 0 for none",
    "multiple_px": "the sides of its input are multiples of this, px, like 32",
    "divide_by": "what RGB of 0 to 255 is divided by first, 255 or 1",
    "mean": "then subtracted, per channel, like [0.485, 0.456, 0.406]",
    "std": "then divided by, per channel, like [0.229, 0.224, 0.225]",
    "activation": (
        'what makes its outputs probabilities: "softmax" over the classes, "sigmoid" of the '
        'one output for the second of two classes, "none" where they are probabilities'
    ),
}
"""What is asked for where neither the model nor the file beside it says it."""

SCALING = ("divide_by", "mean", "std")
OF_THE_NETWORK = ("architecture", "parameters")
OPTIONAL = tuple(
    field.name
    for field in fields(ModelSpec)
    if field.name not in (*REQUIRED, *OF_THE_NETWORK) and field.name != "name"
)


@dataclass(frozen=True)
class Scaling:
    """How RGB of 0 to 255 becomes what a network takes: ``(rgb / divide_by - mean) / std``.

    Parameters
    ----------
    divide_by : float
        255 for networks trained on values of 0 to 1, else 1.
    mean, std : tuple of 3 float
        Per channel, in units of the divided values.

    Examples
    --------
    >>> white = np.full((1, 1, 1, 3), 255, np.uint8)
    >>> Scaling(255, (0.5, 0.5, 0.5), (0.25, 0.5, 1.0)).apply(white).ravel().tolist()
    [2.0, 1.0, 0.5]
    """

    divide_by: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def apply(self, tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Map ``(n, y, x, 3) uint8`` to ``(n, 3, y, x) float32``."""
        values = np.ascontiguousarray(tiles.transpose(0, 3, 1, 2), dtype=np.float32)
        values /= np.float32(self.divide_by)
        values -= np.asarray(self.mean, np.float32)[:, None, None]
        values /= np.asarray(self.std, np.float32)[:, None, None]
        return values


@dataclass(frozen=True)
class Description:
    """All that must be known of a model before it can run.

    Parameters
    ----------
    spec : ModelSpec
        What it needs and gives.
    scaling : Scaling
        What it takes.
    activation : {"softmax", "sigmoid", "none"}
        What makes its outputs probabilities.
    """

    spec: ModelSpec
    scaling: Scaling
    activation: Activation

    def to_json(self) -> dict[str, Any]:
        """Return the values of a sidecar."""
        values = self.spec.to_json()
        for name in OF_THE_NETWORK:
            del values[name]
        return values | {
            "divide_by": self.scaling.divide_by,
            "mean": list(self.scaling.mean),
            "std": list(self.scaling.std),
            "activation": self.activation,
        }


def sidecar_of(path: Path) -> Path:
    """Return where the description of a model file or folder is kept: ``<path>.json``."""
    return path.with_name(path.name + ".json")


def describe(path: Path, architecture: str, stated: Mapping[str, Any] | None = None) -> Description:
    """Put together what a model says of itself and what the file beside it says.

    Parameters
    ----------
    path : Path
        The model, a file or folder.
    architecture : str
        Its format, recorded in the specification.
    stated : mapping, optional
        What the model itself says, under the names of the sidecar, which comes before it.

    Raises
    ------
    ModelFileError
        Where something is missing (the message holds an example to fill in) or cannot be used.
    """
    sidecar = sidecar_of(path)
    given = _read(sidecar)
    values = {"name": path.stem, **(stated or {}), **given}
    if values.get("task") == "classification":  # a part of a tile is no tile
        values["multiple_px"] = given.get("multiple_px", values.get("tile_px"))
    missing = [name for name in REQUIRED if values.get(name) is None]
    if missing:
        raise ModelFileError(_request(path, sidecar, values, missing))
    checked = {name: _checked(name, value, path, sidecar) for name, value in values.items()}
    scaling = Scaling(*(checked.pop(name) for name in SCALING))
    activation: Activation = checked.pop("activation")
    checked.pop("sha256", None)
    checked.setdefault("context", "tile")
    spec = ModelSpec(architecture=architecture, **checked)
    if activation == "sigmoid" and len(spec.classes) != 2:
        raise ModelFileError(
            f"{path}: activation 'sigmoid' is for two classes, got {len(spec.classes)} "
            f"({', '.join(spec.classes)}). Outputs that exclude each other take 'softmax'."
        )
    if spec.tile_px % spec.multiple_px or spec.halo_px % spec.multiple_px:
        raise ModelFileError(
            f"{path}: tile_px ({spec.tile_px}) and halo_px ({spec.halo_px}) are not multiples "
            f"of multiple_px ({spec.multiple_px}). Correct them in {sidecar}."
        )
    return Description(spec, scaling, activation)


def stated_content(path: Path) -> str | None:
    """Return the SHA-256 of the model that a sidecar belongs to, where it states one."""
    return _read(sidecar_of(path)).get("sha256")


def _read(sidecar: Path) -> dict[str, Any]:
    if not sidecar.exists():
        return {}
    try:
        values = json.loads(sidecar.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{sidecar} cannot be read as JSON ({error}). Mend it.") from error
    if not isinstance(values, dict):
        raise ModelFileError(f"{sidecar} holds {type(values).__name__}, not an object {{...}}.")
    known = ("name", *REQUIRED, *OPTIONAL, "sha256")
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ModelFileError(
                f"{sidecar}: {name!r} is unknown.{hint} Known: {', '.join(known)}."
            )
    return values


def _request(path: Path, sidecar: Path, values: dict[str, Any], missing: list[str]) -> str:
    example = json.dumps({name: values.get(name) for name in REQUIRED}, indent=2, default=list)
    meaning = "\n".join(f"  {name}: {REQUIRED[name]}" for name in missing)
    return (
        f"{path} does not say {', '.join(missing)}, and nothing is assumed. Write {sidecar} "
        f"with\n{example}\nand a value in place of each null:\n{meaning}"
    )


def _number(low: float, *, whole: bool = False) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        fits = isinstance(value, int) or (isinstance(value, float) and not whole)
        if isinstance(value, bool) or not fits or not low <= value < float("inf"):
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"{kind} of at least {low:g}")
        return value

    return check


def _triple(low: float) -> Callable[[Any], tuple[float, ...]]:
    def check(value: Any) -> tuple[float, ...]:
        given = value if isinstance(value, list | tuple) else [value] * 3
        numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in given)
        if len(given) != 3 or not numeric or not all(low < v < float("inf") for v in given):
            above = "" if low == -float("inf") else f" above {low:g}"
            raise ValueError(f"three numbers{above}")
        return tuple(float(v) for v in given)

    return check


def _one_of(*names: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return value

    return check


def _names(value: Any) -> tuple[str, ...]:
    texts = isinstance(value, list | tuple) and all(isinstance(v, str) and v for v in value)
    if not texts or len(value) < 2 or len(set(value)) < len(value):
        raise ValueError("a list of at least two different names")
    return tuple(value)


def _of_kind(kind: type, says: str) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kind):
            raise ValueError(says)
        return value

    return check


CHECKS: dict[str, Callable[[Any], Any]] = {
    "task": _one_of("segmentation", "classification"),
    "classes": _names,
    "um_per_px": _number(1e-3),
    "tile_px": _number(1, whole=True),
    "halo_px": _number(0, whole=True),
    "multiple_px": _number(1, whole=True),
    "divide_by": _number(1),
    "mean": _triple(-float("inf")),
    "std": _triple(0),
    "activation": _one_of("softmax", "sigmoid", "none"),
    "context": _one_of("halo", "tile"),
    "tolerance": _number(0),
    "threshold": _number(0),
    "scores": _of_kind(dict, "an object"),
}
"""What a value must be; everything else is text."""


def _checked(name: str, value: Any, path: Path, sidecar: Path) -> Any:
    try:
        return CHECKS.get(name, _of_kind(str, "text"))(value)
    except ValueError as error:
        raise ModelFileError(
            f"{path}: {name} is {value!r}, but must be {error}. Correct it in {sidecar}."
        ) from None
