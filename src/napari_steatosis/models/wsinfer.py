"""WSInfer model folders: a classifier of patches as TorchScript, with its ``config.json``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..core.errors import BadValueError, ModelFileError
from ..core.model import Model
from ._foreign import ForeignModel, Origin, content_digest
from ._sidecar import Scaling, describe
from ._whole import written_whole
from .torchscript import as_written, check_archive, network_of, script_bytes

CONFIG, WEIGHTS = "config.json", "torchscript_model.pt"

LARGEST_PX = 2**14
"""Sides above this are no patch."""


@dataclass(frozen=True)
class Transform:
    """What WSInfer does to a patch before its network sees it.

    Parameters
    ----------
    size : int, optional
        Side that patches are brought to, px, by Pillow's bilinear filter.
    scaling : Scaling
        ``ToTensor`` and ``Normalize``.
    """

    size: int | None
    scaling: Scaling

    def resize(self, tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Bring ``(n, y, x, 3) uint8`` to the side of the network."""
        if self.size is None or tiles.shape[1:3] == (self.size, self.size):
            return tiles
        new = (self.size, self.size)
        pictures = (Image.fromarray(tile) for tile in tiles)
        return np.stack([np.asarray(p.resize(new, Image.Resampling.BILINEAR)) for p in pictures])


def open_model(path: Path, *, device: str = "auto", precision: str = "auto") -> Model | None:
    """Open a WSInfer model folder; None where this is no such folder.

    Parameters
    ----------
    path : Path
        Folder with ``config.json`` and ``torchscript_model.pt``.
    device, precision : str
        As for `napari_steatosis.models.load_model`; the precision is that of the file.

    Raises
    ------
    ModelFileError
        Where a file is damaged, or asks for what is not supported.
    """
    config, weights = path / CONFIG, path / WEIGHTS
    if not (config.is_file() and weights.is_file()):
        return None
    values = _read(config)
    transform = _transform(values["transform"], config)
    patch = values["patch_size_pixels"]
    names = values["class_names"]
    stated = {
        "name": path.name,
        "task": "classification",
        "classes": [f"not {names[0]}", *names] if len(names) == 1 else names,
        "um_per_px": values["spacing_um_px"],
        "tile_px": patch,
        "halo_px": 0,
        "multiple_px": patch,
        "divide_by": transform.scaling.divide_by,
        "mean": transform.scaling.mean,
        "std": transform.scaling.std,
        "activation": "sigmoid" if len(names) == 1 else "softmax",
    }
    content = weights.read_bytes()
    check_archive(content, weights)
    described = describe(path, "wsinfer", stated)
    compute = as_written(device, precision)
    run = network_of(content, weights, described.scaling.apply, compute)
    origin = Origin(path, device, precision, content_digest(config.read_bytes(), content))

    def network(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        found = run(transform.resize(tiles))
        return found[:, None] if found.ndim == 1 else found

    return ForeignModel(described, network, origin=origin, compute=compute)


def write_model(model: Model, path: Path, *, overwrite: bool = False) -> None:
    """Write a classifier as a WSInfer model folder.

    Parameters
    ----------
    model : Model
        A classifier of this package.
    path : Path
        Folder to write.
    overwrite : bool
        Replace what is there.

    Raises
    ------
    BadValueError
        Where the model segments, the path is taken, or the model is not ours.
    ModelFileError
        Where the network cannot be written so that its outputs stay equal.
    """
    from ._graph import Logits, network_of, traced

    spec = model.spec
    if spec.task != "classification":
        raise BadValueError(
            f"Model {spec.name!r} is for {spec.task}; WSInfer runs classifiers of patches only. "
            f"Export it as torchscript, onnx or bioimageio."
        )
    if spec.halo_px:
        raise BadValueError(
            f"Model {spec.name!r} sees {spec.halo_px} px around each tile; WSInfer has no halo."
        )
    module = Logits(network_of(model))
    config = {
        "spec_version": "1.0",
        "architecture": spec.parameters.get("name", spec.architecture),
        "num_classes": len(spec.classes),
        "patch_size_pixels": spec.tile_px,
        "spacing_um_px": spec.um_per_px,
        "class_names": list(spec.classes),
        "transform": [
            {"name": "Resize", "arguments": {"size": spec.tile_px}},
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [0.0] * 3, "std": [1.0] * 3}},
        ],
    }
    with written_whole(path, overwrite=overwrite) as folder:
        folder.mkdir()
        (folder / WEIGHTS).write_bytes(script_bytes(traced(module, model, white=1.0)))
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _read(config: Path) -> dict[str, Any]:
    """Read ``config.json`` and check what WSInfer's schema asks of it."""
    try:
        values = json.loads(config.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"it holds {type(values).__name__}, not an object")
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{config} cannot be read ({error}). Copy it again.") from error
    kinds = {
        "num_classes": int,
        "class_names": list,
        "patch_size_pixels": int,
        "spacing_um_px": int | float,
        "transform": list,
    }
    for name, kind in kinds.items():
        value = values.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ModelFileError(
                f"{config}: {name!r} is {value!r}. Correct it; the model cannot be run without."
            )
    if len(values["class_names"]) != values["num_classes"] or not values["num_classes"]:
        raise ModelFileError(
            f"{config}: num_classes is {values['num_classes']}, but class_names has "
            f"{len(values['class_names'])}: {', '.join(map(str, values['class_names']))}."
        )
    if not 1 <= values["patch_size_pixels"] <= LARGEST_PX:
        raise ModelFileError(f"{config}: patch_size_pixels is {values['patch_size_pixels']}.")
    return values


def _transform(steps: list[Any], config: Path) -> Transform:
    """Understand the list ``Resize``, ``ToTensor``, ``Normalize``, in this order."""
    names = [step.get("name") if isinstance(step, dict) else step for step in steps]
    if names not in (
        ["ToTensor"],
        ["Resize", "ToTensor"],
        ["ToTensor", "Normalize"],
        ["Resize", "ToTensor", "Normalize"],
    ):
        raise ModelFileError(
            f"{config}: the transform {names} is not supported; Resize, ToTensor and Normalize "
            f"are, in this order, of which ToTensor must be there."
        )
    given = {step["name"]: step.get("arguments") or {} for step in steps}
    size, other = _size(given["Resize"], config) if "Resize" in given else (None, set())
    normalize = given.get("Normalize", {"mean": [0.0] * 3, "std": [1.0] * 3})
    other |= given["ToTensor"].keys() | normalize.keys() - {"mean", "std", "inplace"}
    per_channel = []
    for name in ("mean", "std"):
        value = normalize.get(name)
        if not isinstance(value, list) or len(value) != 3:
            raise ModelFileError(f"{config}: {name} of Normalize is {value!r}, not three numbers.")
        per_channel.append((value[0], value[1], value[2]))
    if other:
        raise ModelFileError(
            f"{config}: arguments of the transform that are not supported: "
            f"{', '.join(sorted(other))}."
        )
    return Transform(size, Scaling(255.0, *per_channel))


def _size(arguments: dict[str, Any], config: Path) -> tuple[int, set[str]]:
    size = arguments.get("size")
    if isinstance(size, list) and len(set(size)) == 1:
        size = size[0]
    usual = {"size": size, "interpolation": "bilinear", "antialias": True, "max_size": None}
    other = {n for n, v in arguments.items() if n != "size" and v != usual.get(n, v is None)}
    if not (isinstance(size, int) and 1 <= size <= LARGEST_PX):
        raise ModelFileError(f"{config}: size of Resize is {arguments.get('size')!r}, not a side.")
    return size, other
