"""What in an image a network's answer came from: Grad-CAM, Grad-CAM++, and its own attention.

A map is qualitative. `napari_steatosis.models.map_check` says whether it has to do with what the
network learnt at all.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import BadValueError
from . import build
from ._prepare import prepared
from ._torch import TorchModel

Method = Literal["grad-cam", "grad-cam++"]
METHODS: tuple[Method, ...] = ("grad-cam", "grad-cam++")

Maps = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Cam:
    """Where an answer came from.

    Parameters
    ----------
    values : (n, y, x) float32
        0 to 1 at the resolution of the tiles, each tile by its own largest value; all 0 where
        nothing spoke for the class.
    layers : mapping of str to (n, y, x) float32
        The same from each layer by itself; `values` is their mean.
    target : (n,) int64
        The class that was asked about, per tile.
    probabilities : (n, class) float32
        What the network says of each tile; of a segmenter the mean over its pixels.
    """

    values: Maps
    layers: dict[str, Maps]
    target: NDArray[np.int64]
    probabilities: Maps


class Explainer:
    """A network in float32 that keeps what its gradients need; made from a loaded model.

    Parameters
    ----------
    model : TorchModel
        A classifier or a segmenter of this package.

    Raises
    ------
    BadValueError
        Where the network names no layer to look at, or is of another program.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> explainer = Explainer(load_model("steatosis-he-drawn", device="cpu"))
    >>> explainer.cam(np.full((1, 64, 64, 3), 200, np.uint8), target=1).values.shape
    (1, 64, 64)
    """

    def __init__(self, model: TorchModel) -> None:
        spec = model.spec
        if not isinstance(model, TorchModel):
            raise BadValueError(
                f"Model {spec.name!r} ({spec.architecture}) is no network of this package, so it "
                f"has no layers to look at. Explain a network that was trained here."
            )
        network = build(spec.architecture, **spec.parameters)
        network.load_state_dict({k: v.to(torch.float32) for k, v in model.state.items()})
        self._own(network, model)
        if not self.layers:
            raise BadValueError(
                f"Model {spec.name!r} ({spec.architecture}) has no layer to explain."
            )

    def _own(self, network: nn.Module, model: TorchModel) -> None:
        self.model = model
        self.network = network.float().eval().requires_grad_(False).to(model.compute.device)
        self.layers: tuple[str, ...] = tuple(getattr(network, "cam_layers", ()))

    def cam(
        self, tiles: NDArray[np.uint8], *, target: int | None = None, method: Method = "grad-cam"
    ) -> Cam:
        """Weight the maps of the last convolutions by what they do for a class.

        Parameters
        ----------
        tiles : (n, y, x, 3) uint8
            As `TorchModel.predict` takes them.
        target : int, optional
            Index of a class; for each tile the likeliest where it is left out.
        method : {"grad-cam", "grad-cam++"}
            Selvaraju et al., ICCV 2017; Chattopadhyay et al., WACV 2018.

        Raises
        ------
        BadValueError
            Where there is no such class or method.
        """
        classes = self.model.spec.classes
        if method not in METHODS:
            raise BadValueError(f"A map is made by {' or '.join(METHODS)}, not {method!r}.")
        if target is not None and not 0 <= target < len(classes):
            raise BadValueError(
                f"Model {self.model.spec.name!r} has classes 0 to {len(classes) - 1} "
                f"({', '.join(classes)}), not {target}."
            )
        rgb = self._rgb(tiles).requires_grad_()
        seen: dict[str, Tensor] = {}
        with ExitStack() as stack, torch.enable_grad():
            # cuDNN computes no gradient of a recurrent network that is not in training.
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            for name in self.layers:
                part = self.network.get_submodule(name)
                handle = part.register_forward_hook(_keep(seen, name))
                stack.callback(handle.remove)
            logits = self.network(rgb)
            scores = torch.cat([-logits, logits], 1) if logits.shape[1] == 1 else logits
            means = _probabilities(logits)
            asked = means.argmax(1) if target is None else torch.full((len(rgb),), target)
            asked = asked.to(scores.device)
            score = _score(scores, asked)
            slopes = torch.autograd.grad(score.sum(), list(seen.values()))
        maps = {
            name: self._drawn(_weighted(value.detach(), slope, method), rgb)
            for (name, value), slope in zip(seen.items(), slopes, strict=True)
        }
        together: Maps = np.stack(list(maps.values())).mean(0, dtype=np.float32)
        return Cam(together, maps, asked.cpu().numpy(), means.detach().cpu().numpy())

    def attention(self, tiles: NDArray[np.uint8]) -> Maps:
        """Return the network's own attention, drawn over the tile.

        Parameters
        ----------
        tiles : (n, y, x, 3) uint8

        Returns
        -------
        (n, y, x) float32
            0 to 1, each tile by its own largest value.

        Raises
        ------
        BadValueError
            Where the network has no attention.
        """
        find: Callable[[Tensor], Tensor] | None = getattr(self.network, "attention", None)
        if find is None:
            raise BadValueError(
                f"{self.model.spec.architecture!r} has no attention; cnn-lstm-attention, cnn-rnn "
                f"and hybrid-convformer have."
            )
        with torch.inference_mode():
            rgb = self._rgb(tiles)
            found = F.interpolate(find(rgb)[:, None], rgb.shape[2:], mode="bilinear")[:, 0]
        return _by_largest(found).cpu().numpy()

    def randomised(self, *, seed: int = 0) -> Explainer:
        """Return the same network with random weights.

        A map that is the same with it does not show what was learnt (Adebayo et al., NeurIPS
        2018).
        """
        other = copy.copy(self)
        network = copy.deepcopy(self.network)
        generator = torch.Generator().manual_seed(seed)
        for value in network.parameters():
            drawn = torch.randn(value.shape, generator=generator)
            spread = float(value.std()) if value.numel() > 1 else 1.0
            value.data = (drawn * spread).to(value.device)
        other._own(network, self.model)
        return other

    def _rgb(self, tiles: NDArray[np.uint8]) -> Tensor:
        ready = prepared(tiles, self.model.spec.preparation)
        rgb = torch.from_numpy(np.array(ready, order="C")).to(self.model.compute.device)
        return rgb.permute(0, 3, 1, 2).float()

    def _drawn(self, cam: Tensor, rgb: Tensor) -> Maps:
        """Bring a map to the size of the tiles; put those of regions together first."""
        if len(cam) != len(rgb):
            network: Any = self.network
            regions = cam.unflatten(0, (len(rgb), -1))[:, network.order.argsort()]
            rows = regions.unflatten(1, (network.grid, network.grid)).transpose(2, 3)
            cam = rows.flatten(3, 4).flatten(1, 2)
        found = F.interpolate(cam[:, None], rgb.shape[2:], mode="bilinear")[:, 0]
        drawn: Maps = _by_largest(found).cpu().numpy()
        return drawn


def ways_of(model: TorchModel) -> tuple[str, ...]:
    """Return the kinds of map that a model offers: `METHODS`, and attention where it has it.

    Raises
    ------
    BadValueError
        Where it offers none: its network names no layer, or is of another program.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> ways_of(load_model("steatosis-he-drawn", device="cpu"))
    ('grad-cam', 'grad-cam++')
    """
    own = ("attention",) if hasattr(Explainer(model).network, "attention") else ()
    return (*METHODS, *own)


def _keep(seen: dict[str, Tensor], name: str) -> Callable[..., None]:
    def keep(part: nn.Module, given: Any, value: Tensor) -> None:
        seen.setdefault(name, value)

    return keep


def _probabilities(logits: Tensor) -> Tensor:
    if logits.shape[1] == 1:
        own = logits.sigmoid()
        found = torch.cat([1 - own, own], 1)
    else:
        found = logits.softmax(1)
    return found.flatten(2).mean(2) if found.ndim == 4 else found


def _score(scores: Tensor, target: Tensor) -> Tensor:
    """Return what is explained of each tile: its logit, or those of the pixels of the class."""
    own = scores[torch.arange(len(scores), device=scores.device), target]
    if own.ndim == 1:
        return own
    here = scores.argmax(1) == target[:, None, None]
    where = torch.where(here.flatten(1).any(1)[:, None, None], here, True)
    return (own * where).flatten(1).sum(1)


def _weighted(value: Tensor, slope: Tensor, method: Method) -> Tensor:
    if method == "grad-cam":
        weight = slope.mean((2, 3), keepdim=True)
    else:
        square, cube = slope**2, slope**3
        below = 2 * square + (value * cube).sum((2, 3), keepdim=True)
        share = torch.where(
            below != 0, square / below.where(below != 0, 1), torch.zeros(1).to(below)
        )
        weight = (share * slope.relu()).sum((2, 3), keepdim=True)
    return (weight * value).sum(1).relu()


def _by_largest(found: Tensor) -> Tensor:
    largest = found.flatten(1).amax(1).clamp_min(1e-12)
    return (found / largest[:, None, None]).clamp(0, 1)
