"""What the description of a bioimage.io package says, in the words of a sidecar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...core.errors import ModelFileError
from .._foreign import Sides

OWN = "napari_steatosis"
"""Key in ``config`` under which our exports keep the rest of their specification."""

MICROMETRES = {"nanometer": 1e-3, "micrometer": 1.0, "millimeter": 1e3}

PROCESSING = {
    "clip",
    "ensure_dtype",
    "fixed_zero_mean_unit_variance",
    "scale_linear",
    "scale_mean_variance",
    "scale_range",
    "sigmoid",
    "softmax",
    "zero_mean_unit_variance",
}
"""Steps before and after the network that are supported."""

RELATIVE = {"scale_range", "zero_mean_unit_variance"}
"""Steps after which the scale of the input no longer matters."""

USUAL_PX = 512
"""Side of a tile where a package leaves it open."""


def sides_of(described: Any, path: Path) -> Sides:
    """Return which sides the input may have.

    Raises
    ------
    ModelFileError
        Where height and width follow different rules.
    """
    axes = {axis.id: axis for axis in described.inputs[0].axes}
    rules = []
    for name in ("y", "x"):
        size = axes[name].size
        if hasattr(size, "axis_id") and size.axis_id in axes and not size.offset:
            size = axes[size.axis_id].size
        if isinstance(size, int):
            rules.append(Sides(size, size, most=size))
        elif hasattr(size, "step"):
            rules.append(Sides(int(size.min), int(size.step)))
        else:
            raise unsupported(path, f"an input whose side {name} is {size}")
    if rules[0] != rules[1]:
        raise unsupported(path, f"an input whose height and width differ ({rules[0]}, {rules[1]})")
    multiple = own_values(described).get("multiple_px")
    if isinstance(multiple, int) and rules[0].most is None:
        return Sides(multiple, multiple)  # the least side in our packages is for the halo
    return rules[0]


def own_values(described: Any) -> dict[str, Any]:
    """Return what an export of ours keeps in the description besides."""
    values = (described.config.model_extra or {}).get(OWN, {})
    return values if isinstance(values, dict) else {}


def check_supported(described: Any, path: Path) -> None:
    """Raise `ModelFileError` where a package does what is not supported, and name it."""
    if not str(described.format_version).startswith("0.5."):
        raise unsupported(
            path,
            f"version {described.format_version} (0.5 is; see 'bioimageio update-format')",
        )
    for kind, tensors in (("inputs", described.inputs), ("outputs", described.outputs)):
        if len(tensors) != 1:
            raise unsupported(path, f"{len(tensors)} {kind} ({', '.join(t.id for t in tensors)})")
    given, found = described.inputs[0], described.outputs[0]
    for tensor in (given, found):
        for axis in tensor.axes:
            known = axis.type in ("batch", "channel") or axis.id in ("y", "x")
            if not known and getattr(axis, "size", None) != 1:
                raise unsupported(path, f"the axis {axis.id!r} ({axis.type}) of {tensor.id!r}")
    axes = {axis.type if axis.type in ("batch", "channel") else axis.id for axis in given.axes}
    if not {"channel", "y", "x"} <= axes:
        raise unsupported(path, f"an input with the axes {', '.join(sorted(axes))}")
    channels = next(axis for axis in given.axes if axis.type == "channel").channel_names
    if len(channels) != 3:
        raise unsupported(path, f"{len(channels)} channels ({', '.join(channels)}), RGB has 3")
    if [name[:1].lower() for name in channels] == ["b", "g", "r"]:
        raise unsupported(path, f"the channel order {', '.join(channels)}")
    _check_processing(given.preprocessing, path)
    _check_processing(found.postprocessing, path)


def stated_by(described: Any, path: Path, sides: Sides) -> dict[str, Any]:
    """Return what a supported package says of itself, under the names of a sidecar."""
    given, found = described.inputs[0], described.outputs[0]
    channel = next((axis for axis in found.axes if axis.type == "channel"), None)
    names = list(channel.channel_names) if channel is not None else []
    area = [axis for axis in found.axes if axis.id in ("y", "x")]
    halo = max((getattr(axis, "halo", 0) for axis in area), default=0)
    if area:
        _check_same_size(given, area, path)
    multiple = sides.step if sides.most is None and sides.least % sides.step == 0 else 1
    halo = -(-halo // multiple) * multiple
    side = sides.above(USUAL_PX) if sides.most is None else sides.most
    tile = max(multiple, (side - 2 * halo) // multiple * multiple)
    stated = {
        "name": described.name,
        "task": "segmentation" if area else "classification",
        "classes": names if len(names) > 1 else [f"not {name}" for name in names] + names,
        "um_per_px": _um_per_px(given, path),
        "tile_px": tile,
        "halo_px": halo,
        "multiple_px": multiple if area else tile,
        "divide_by": _divide_by(given),
        "mean": [0.0] * 3,
        "std": [1.0] * 3,
        "activation": _activation(found),
        "licence": described.license if isinstance(described.license, str) else "",
    }
    known = {name: value for name, value in stated.items() if value not in (None, [])}
    return known | own_values(described)


def unsupported(path: Path, what: str) -> ModelFileError:
    """Return the error that names what a package asks for in vain."""
    return ModelFileError(
        f"{path} has {what}, which is not supported. Supported are networks that map one RGB "
        f"image to one map of classes of the same size, or to one value per class."
    )


def _check_processing(steps: Any, path: Path) -> None:
    for step in steps:
        if step.id not in PROCESSING:
            raise unsupported(path, f"the processing step {step.id!r}")
        if "batch" in (getattr(step.kwargs, "axes", None) or ()):
            raise unsupported(path, f"the step {step.id!r} with statistics of a whole data set")


def _check_same_size(given: Any, area: list[Any], path: Path) -> None:
    inputs = {axis.id: axis for axis in given.axes}
    for axis in area:
        own, size = inputs[axis.id], axis.size
        same = size == own.size or (
            getattr(size, "tensor_id", None) == given.id
            and size.axis_id == axis.id
            and not size.offset
            and axis.scale == own.scale
        )
        if not same:
            raise unsupported(path, f"an output whose side {axis.id} is not that of the input")


def _um_per_px(given: Any, path: Path) -> float | None:
    found = [
        axis.scale * MICROMETRES[axis.unit]
        for axis in given.axes
        if axis.id in ("y", "x") and getattr(axis, "unit", None) in MICROMETRES
    ]
    if len(found) < 2:
        return None
    if found[0] != found[1]:
        raise unsupported(path, f"pixels that are not square ({found[0]} x {found[1]} um)")
    return float(found[0])


def _divide_by(given: Any) -> float | None:
    """Return what brings RGB of 0 to 255 into the stated range; None where none is stated."""
    data = given.data[0] if isinstance(given.data, list | tuple) else given.data
    limits = tuple(getattr(data, "range", (None, None)))
    if data.type == "uint8" or limits == (0, 255):
        return 1.0
    if limits == (0, 1):
        return 255.0
    return 1.0 if any(step.id in RELATIVE for step in given.preprocessing) else None


def _activation(found: Any) -> str | None:
    data = found.data[0] if isinstance(found.data, list | tuple) else found.data
    done = any(step.id in ("sigmoid", "softmax") for step in found.postprocessing)
    return "none" if done or tuple(getattr(data, "range", ())) == (0, 1) else None
