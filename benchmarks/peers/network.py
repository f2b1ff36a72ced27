"""The network that every tool runs, read from a model folder without our package."""

from __future__ import annotations

import argparse
from contextlib import nullcontext

import segmentation_models_pytorch as smp
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
WARM_UP_PX = 512


class Network(nn.Module):
    """RGB of 0 to 255, (n, 3, y, x), to the probabilities of tissue and fat, (n, 2, y, x).

    Parameters
    ----------
    unet : torch.nn.Module
        Gives one logit per pixel.
    autocast : bool
        Whether to compute in bfloat16.
    constant : bool
        Whether to say that all is fat, without asking the network.
    """

    def __init__(self, unet: nn.Module, *, autocast: bool, constant: bool) -> None:
        super().__init__()
        self.unet, self.autocast, self.constant, self.pixels = unet, autocast, constant, 0
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1))

    def forward(self, rgb: Tensor) -> Tensor:
        self.pixels += rgb.shape[0] * rgb.shape[2] * rgb.shape[3]
        if self.constant:
            fat = torch.ones_like(rgb[:, :1])
        else:
            low = torch.autocast("cpu", torch.bfloat16) if self.autocast else nullcontext()
            with low:
                fat = self.unet((rgb / 255 - self.mean) / self.std).float().sigmoid()
        return torch.cat([1 - fat, fat], 1)


def load(given: argparse.Namespace, *, threads: int | None = None) -> Network:
    """Return the network of a model folder, ready, its first pass behind it.

    Parameters
    ----------
    given : Namespace
        As from `measure.asked`.
    threads : int, optional
        Of one forward pass; as given if None.
    """
    torch.set_num_threads(threads or given.threads)
    unet = smp.Unet("resnet18", encoder_weights=None, classes=1)
    state = load_file(given.model / "model.safetensors")
    unet.load_state_dict({name.removeprefix("network."): t.float() for name, t in state.items()})
    network = Network(unet, autocast=given.precision == "bf16", constant=given.constant).eval()
    with torch.inference_mode():
        network(torch.zeros(1, 3, WARM_UP_PX, WARM_UP_PX))
    network.pixels = 0
    return network
