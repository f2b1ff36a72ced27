"""A network as a list of steps that work on bands of rows.

Only what acts on a bounded number of rows has a step: convolution, pooling, arithmetic,
concatenation, enlargement by repetition. A network with anything else (global pooling,
attention, interpolation) has none, and is computed tile by tile instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp, TensorMetadata
from torch.nn import functional as F

Run = Callable[[list[Tensor], "Tensor | None"], Tensor]
"""Maps bands of the inputs to a band of the output, into a given place where there is one."""

Shapes = tuple["tuple[int, ...] | None", "tuple[int, ...] | None"]
"""Of a value before and after a step."""

EXAMPLE = (1, 3, 256, 320)
"""An image for which the shape of every value is found out; sides are multiples of 64."""


class NotLocalError(Exception):
    """A network does something that bands of rows do not allow."""


@dataclass(frozen=True)
class Step:
    """One operation of a network, and the rows it needs.

    Parameters
    ----------
    inputs : tuple of int
        The values it takes; value 0 is the image, value ``i + 1`` the output of step ``i``.
    run : callable
        The operation, for rows that have been padded along y.
    kernel, stride, pad : int
        Output row ``j`` takes the ``kernel`` input rows from ``j * stride - pad`` on.
    fill : float
        What lies above and below the image.
    grow : int
        Output rows per input row.
    """

    inputs: tuple[int, ...]
    run: Run
    kernel: int = 1
    stride: int = 1
    pad: int = 0
    fill: float = 0.0
    grow: int = 1


@dataclass(frozen=True)
class Program:
    """A network as steps, in their order.

    Parameters
    ----------
    steps : list of Step
        The last one gives the output.
    channels : int
        Of the output.
    numbers_per_px : float
        Of the largest value inside, for each pixel of the image.
    """

    steps: list[Step]
    channels: int
    numbers_per_px: float


def program_of(network: nn.Module) -> Program:
    """Trace a network that is in evaluation mode.

    Raises
    ------
    NotLocalError
        Where it cannot be computed in bands.
    """
    traced = _traced(network)
    modules = dict(traced.named_modules())
    steps: list[Step] = []
    value: dict[fx.Node, int] = {}
    channels, largest = 0, 0
    for node in traced.graph.nodes:
        if node.op == "placeholder":
            value[node] = 0
        elif node.op == "output":
            if not isinstance(node.args[0], fx.Node) or value[node.args[0]] != len(steps):
                raise NotLocalError("its output is not one map")
            channels = (_shape(node.args[0]) or (0, 0))[1]
        elif node.op != "get_attr" and _shape(node) is not None:
            largest = max(largest, math.prod(_shape(node) or ()))
            inputs = tuple(value[n] for n in node.all_input_nodes if n in value)
            step = _step(node, inputs, modules, traced)
            if step is not None:
                steps.append(step)
            value[node] = inputs[0] if step is None else len(steps)
    return Program(steps, channels, largest / math.prod(EXAMPLE[2:]))


def _traced(network: nn.Module) -> fx.GraphModule:
    """Return the graph of a network, with the shape of every value for an example."""
    try:
        traced = fx.symbolic_trace(network)
        kind = next(network.parameters())
        with torch.inference_mode():
            ShapeProp(traced).propagate(kind.new_zeros(EXAMPLE))
    except Exception as error:  # whatever a network's own code makes of a traced value
        raise NotLocalError(f"it cannot be traced ({error})") from error
    return traced


def _shape(node: fx.Node) -> tuple[int, ...] | None:
    """Return the shape of a value for the example; None where it is no map, but a number."""
    found = node.meta.get("tensor_meta")
    return tuple(found.shape) if isinstance(found, TensorMetadata) else None


def _step(
    node: fx.Node, inputs: tuple[int, ...], modules: dict[str, Any], traced: fx.GraphModule
) -> Step | None:
    """Return the step of a node; None where its output is its input."""
    if node.op == "call_module":
        shapes = (_shape(node.all_input_nodes[0]), _shape(node))
        return _of_module(modules[str(node.target)], inputs, shapes)
    name = str(node.target if node.op == "call_method" else getattr(node.target, "__name__", ""))
    args: list[Any] = [_constant(a, traced) for a in node.args]
    options: dict[str, Any] = dict(node.kwargs)
    if name == "cat" and options.pop("dim", args[-1]) == 1 and len(inputs) == len(args[0]):
        return Step(inputs, _join)
    if name in ARITHMETIC and len(args) == 2:
        return Step(inputs, _arithmetic(ARITHMETIC[name], args, len(inputs)))
    if name in POINTWISE:
        return Step(inputs, _relu if name.startswith("relu") else _pointwise(POINTWISE[name]))
    if name == "max_pool2d":
        return _pooling(inputs, *args[1:], **options)
    if name == "interpolate":
        return _enlargement(inputs, (_shape(node.all_input_nodes[0]), _shape(node)), options)
    if name == "pixel_shuffle":
        factor = int(args[1])
        return Step(inputs, _pointwise(lambda x: F.pixel_shuffle(x, factor)), grow=factor)
    if name == "pixel_unshuffle":
        factor = int(args[1])
        run = _pointwise(lambda x: F.pixel_unshuffle(x, factor))
        return Step(inputs, run, kernel=factor, stride=factor)
    raise NotLocalError(f"{name or node.target} is not known to act on single rows")


def _constant(argument: Any, traced: fx.GraphModule) -> Any:
    """Return the tensor that an argument names; any other argument as it is."""
    if not isinstance(argument, fx.Node) or argument.op != "get_attr":
        return argument
    found: Any = traced
    for part in str(argument.target).split("."):
        found = getattr(found, part)
    return found


def _of_module(module: nn.Module, inputs: tuple[int, ...], shapes: Shapes) -> Step | None:
    if isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):
        return None
    if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
        return _convolution(module, inputs)
    if isinstance(module, nn.ReLU):
        return Step(inputs, _relu)
    if isinstance(module, nn.BatchNorm2d):
        return Step(inputs, _pointwise(_normalisation(module)))
    if type(module) in ACTIVATIONS:
        return Step(inputs, _pointwise(ACTIVATIONS[type(module)]))
    if isinstance(module, nn.MaxPool2d) and module.dilation == 1 and not module.ceil_mode:
        return _pooling(inputs, module.kernel_size, module.stride, module.padding)
    if isinstance(module, nn.Upsample):
        return _enlargement(inputs, shapes, {"mode": module.mode})
    raise NotLocalError(f"{type(module).__name__} is not known to act on single rows")


def _normalisation(module: nn.BatchNorm2d) -> Callable[[Tensor], Tensor]:
    mean, variance, eps = module.running_mean, module.running_var, module.eps
    return lambda x: F.batch_norm(x, mean, variance, module.weight, module.bias, eps=eps)


def _convolution(module: nn.Conv2d, inputs: tuple[int, ...]) -> Step:
    weight, bias, stride = module.weight, module.bias, module.stride
    dilation, groups = module.dilation, module.groups
    if isinstance(module.padding, str):
        raise NotLocalError(f"it pads as {module.padding!r}")
    along_y, along_x = module.padding

    def run(x: list[Tensor], place: Tensor | None) -> Tensor:
        return F.conv2d(x[0], weight, bias, stride, (0, along_x), dilation, groups)

    kernel = (module.kernel_size[0] - 1) * dilation[0] + 1
    return Step(inputs, run, kernel=kernel, stride=stride[0], pad=along_y)


def _pooling(
    inputs: tuple[int, ...], kernel: Any, stride: Any = None, padding: Any = 0, **options: Any
) -> Step:
    if any(value for name, value in options.items() if (name, value) != ("dilation", 1)):
        raise NotLocalError(f"it pools with {options}")
    size, step, pad = (_pair(v) for v in (kernel, stride or kernel, padding))

    def run(x: list[Tensor], place: Tensor | None) -> Tensor:
        return F.max_pool2d(x[0], size, step, (0, pad[1]))

    fill = float("-inf")
    return Step(inputs, run, kernel=size[0], stride=step[0], pad=pad[0], fill=fill)


def _enlargement(inputs: tuple[int, ...], shapes: Shapes, options: dict[str, Any]) -> Step:
    """Repeat pixels, as often as the shapes of the example before and after say."""
    before, after = shapes
    if options.get("mode", "nearest") != "nearest" or before is None or after is None:
        raise NotLocalError(f"it resizes by {options.get('mode')!r}")
    if after[2] % before[2] or after[3] % before[3]:
        raise NotLocalError(f"it resizes from {before[2:]} to {after[2:]} px")
    scale = (float(after[2] // before[2]), float(after[3] // before[3]))
    run = _pointwise(lambda x: F.interpolate(x, scale_factor=scale, mode="nearest"))
    return Step(inputs, run, grow=int(scale[0]))


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if isinstance(value, tuple | list) else (value, value)


def _join(x: list[Tensor], place: Tensor | None) -> Tensor:
    if place is None:
        return torch.cat(x, 1)
    start = 0
    for part in x:
        place[:, start : start + part.shape[1]] = part
        start += part.shape[1]
    return place


def _relu(x: list[Tensor], place: Tensor | None) -> Tensor:
    return torch.clamp_min(x[0], 0) if place is None else torch.clamp_min(x[0], 0, out=place)


def _pointwise(function: Callable[[Tensor], Tensor]) -> Run:
    return lambda x, place: function(x[0])


def _arithmetic(function: Callable[..., Tensor], args: list[Any], count: int) -> Run:
    if count == 2:
        return lambda x, place: function(x[0], x[1], out=place)
    first = isinstance(args[0], fx.Node)
    constant = args[1] if first else args[0]
    if isinstance(constant, Tensor) and (constant.ndim != 4 or constant.shape[2] != 1):
        raise NotLocalError("it adds a map of its own")
    if not isinstance(constant, Tensor | int | float):
        raise NotLocalError(f"it computes with {constant!r}")
    if first:
        return lambda x, place: function(x[0], constant, out=place)
    return lambda x, place: function(constant, x[0])


ARITHMETIC: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "iadd": torch.add,
    "add_": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "truediv": torch.div,
    "div": torch.div,
}

ACTIVATIONS: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.SiLU: F.silu,
    nn.Hardswish: F.hardswish,
    nn.Sigmoid: torch.sigmoid,
}

POINTWISE: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "relu_": torch.relu,
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
}
