"""A model of ours as one graph for other programs, and the check that it stays equal."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..core.errors import BadValueError, ModelFileError
from ..core.model import Model
from . import MODELS, build
from ._sidecar import Description, Scaling
from ._torch import TorchModel

EQUAL = 1e-3
"""Largest difference of a probability that an exported graph may make."""

Graph = Callable[[Tensor], Tensor]


class Probabilities(nn.Module):
    """RGB of 0 to 255, ``(n, 3, y, x)``, to probabilities that sum to 1 over the classes.

    Parameters
    ----------
    network : torch.nn.Module
        Gives logits: one channel for two classes, else one per class.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> Tensor:
        """Give ``(n, class, y, x)``, or ``(n, class)`` for a classifier."""
        logits = self.network(rgb)
        if logits.shape[1] > 1:
            return logits.softmax(1)
        last = logits.sigmoid()
        return torch.cat([1 - last, last], 1)


class Logits(nn.Module):
    """RGB of 0 to 1, ``(n, 3, y, x)``, to one logit per class, for programs that take softmax.

    Parameters
    ----------
    network : torch.nn.Module
        As for `Probabilities`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, rgb: Tensor) -> Tensor:
        """Give ``(n, class)``."""
        logits = self.network(rgb * 255)
        if logits.shape[1] > 1:
            return logits
        return torch.cat([torch.zeros_like(logits), logits], 1)


def network_of(model: Model) -> nn.Module:
    """Return the network of a model of ours in float32, with the weights that are saved.

    Raises
    ------
    BadValueError
        Where the model is not one of this package.
    """
    spec = model.spec
    if not isinstance(model, TorchModel) or spec.architecture not in MODELS:
        raise BadValueError(
            f"Model {spec.name!r} ({spec.architecture}) cannot be exported: only models of this "
            f"package can, those that load_model opens by name or from a folder with model.json."
        )
    network = build(spec.architecture, **spec.parameters)
    network.load_state_dict(model.state)
    return network.float().eval().requires_grad_(False)


def described_output(model: Model) -> Description:
    """Describe what `Probabilities` takes and gives."""
    return Description(model.spec, Scaling(), "none")


def example(model: Model, images: int = 2, *, least: int = 64) -> Tensor:
    """Return noise, ``(n, 3, y, x)`` of 0 to 255, of `least` px and more a side where it may."""
    spec, drawn = model.spec, torch.Generator().manual_seed(0)
    if spec.task == "classification":
        height = width = spec.tile_px
    else:
        steps = max(2, -(-least // spec.multiple_px))
        height, width = steps * spec.multiple_px, (steps + 1) * spec.multiple_px
    shape = (images, 3, height, width)
    return torch.randint(0, 256, shape, generator=drawn).float()


def traced(module: nn.Module, model: Model, *, white: float = 255.0) -> torch.jit.ScriptModule:
    """Turn a module into TorchScript that is equal to it at every size.

    Parameters
    ----------
    module : torch.nn.Module
        `Probabilities` or `Logits` around the network of the model.
    model : Model
        Says which sizes to try.
    white : float
        What the module takes as white, 255 or 1.

    Raises
    ------
    ModelFileError
        Where neither tracing nor scripting gives the same outputs.
    """
    last: Exception | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on values fixed while tracing: measured below
        for convert in (_trace, torch.jit.script):
            try:
                graph = convert(module, example(model) * (white / 255))
                check_equal(graph, module, model, white=white)
                return graph
            except (RuntimeError, ModelFileError) as error:
                last = error
    raise ModelFileError(
        f"Model {model.spec.name!r} cannot be written as TorchScript: its network depends on "
        f"the size of the image in a way that is lost ({last})."
    ) from last


def check_equal(graph: Graph, module: nn.Module, model: Model, *, white: float = 255.0) -> None:
    """Raise `ModelFileError` where a graph differs from what it was made of, at any size."""
    first = example(model)
    tried = [first, first[:1]]
    if model.spec.task == "segmentation":
        tried += [first.transpose(2, 3), torch.cat([first, first], 3)[:, :, :, first.shape[2] :]]
    for rgb in tried:
        values = rgb.contiguous() * (white / 255)
        with torch.inference_mode():
            given, wanted = graph(values), module(values)
        if given.shape != wanted.shape or not (given - wanted).abs().max() <= EQUAL:
            raise ModelFileError(
                f"The exported graph of model {model.spec.name!r} differs from the model at "
                f"{tuple(values.shape)}: {tuple(given.shape)} against {tuple(wanted.shape)}, or "
                f"by more than {EQUAL:g}. It is not written."
            )


def _trace(module: nn.Module, rgb: Tensor) -> torch.jit.ScriptModule:
    graph: torch.jit.ScriptModule = torch.jit.trace(module, rgb, check_trace=False)
    return graph
