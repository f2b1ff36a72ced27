"""Speed and agreement of the arithmetics of a model on this processor, and of torch.compile.

    python benchmarks/precision.py --tiles DATA --compile

Compares every variant with float32 on labelled tiles (DATA, a folder with manifest.csv; or drawn
ones) and times one pass of 1024 px squared, in turns, as processor time of one thread. The mixed
variants compute the named layers in float32 and the rest in bfloat16. ``--roundings`` instead
computes in float32 and rounds only some values to bfloat16: which of them make the error.
"""

from __future__ import annotations

import argparse
import copy
import time

import numpy as np
import torch
from torch import Tensor, fx, nn

import napari_steatosis as st
from napari_steatosis.models import build
from napari_steatosis.models._fuse import fused
from napari_steatosis.training.tiles import drawn_tiles, read_tiles

SIDE = 1024
MIXES = {"head": ("head",), "head, finest up": ("head", "up.0"), "head, all up": ("head", "up")}


def float32_in(network, names):
    """Return the network in bfloat16, with some of its convolutions in float32."""
    mixed = copy.deepcopy(network).bfloat16()
    kept = dict(network.named_modules())
    for name, part in mixed.named_modules():
        if isinstance(part, nn.Conv2d) and any(f"{name}.".startswith(f"{n}.") for n in names):
            part.float().load_state_dict(kept[name].state_dict())
            part.register_forward_pre_hook(lambda _, given: (given[0].float(),))
            part.register_forward_hook(lambda _, given, found: found.bfloat16())
    return mixed.to(memory_format=torch.channels_last)


def rounded(network):
    """Return the network in float32 with weights as bfloat16 has them."""
    return copy.deepcopy(network).bfloat16().float().to(memory_format=torch.channels_last)


ROUNDED = {
    "weights": ("weights",),
    "biases": ("biases",),
    "outputs of every step": ("outputs",),
    "outputs, sums and ReLU inside the convolution": ("outputs", "inside"),
    "these and weights": ("outputs", "inside", "weights"),
}


def to_bf16(values):
    return values.bfloat16().float()


class Rounds(fx.Interpreter):
    """Computes in float32 and rounds what steps give, but for those a convolution would hold."""

    def __init__(self, network, *, inside):
        super().__init__(fx.symbolic_trace(network))
        self._inside = inside

    def run_node(self, node):
        found = super().run_node(node)
        here = isinstance(found, Tensor) and node.op in ("call_module", "call_function")
        return to_bf16(found) if here and not (self._inside and self._is_held(node)) else found

    def _is_held(self, node):
        if self._kind(node) in ("add", "iadd", "Identity"):
            return True
        users = list(node.users)
        while len(users) == 1 and self._kind(users[0]) == "Identity":
            users = list(users[0].users)
        following = self._kind(users[0]) if len(users) == 1 else ""
        second = str(node.target).endswith("conv2")  # the shortcut beside it is read as it is
        return self._kind(node) == "Conv2d" and (
            following == "relu" or (second and following in ("add", "iadd"))
        )

    def _kind(self, node):
        if node.op == "call_module":
            return type(self.module.get_submodule(node.target)).__name__
        return getattr(node.target, "__name__", str(node.target))


def rounding(network, what):
    """Return a network in float32 with some of its values rounded to bfloat16."""
    network = copy.deepcopy(network)
    for part in network.modules():
        if isinstance(part, nn.Conv2d):
            for name in ("weight", "bias"):
                held = getattr(part, name)
                if {"weight": "weights", "bias": "biases"}[name] in what and held is not None:
                    held.copy_(to_bf16(held))
    return Rounds(network, inside="inside" in what).run if "outputs" in what else network


def variants(model):
    """Return name -> (network, type of its input), float32 first."""
    network = build(model.spec.architecture, **model.spec.parameters)
    network.load_state_dict(model.state)
    network = fused(network.eval().requires_grad_(False)).to(memory_format=torch.channels_last)
    half = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    found = {name: (copy.deepcopy(network).to(t), t) for name, t in half.items()}
    found["fp32, weights of bf16"] = rounded(network), torch.float32
    for name, names in MIXES.items():
        found[f"bf16, fp32 in {name}"] = float32_in(network, names), torch.bfloat16
    return found


@torch.inference_mode()
def fat(network, dtype, image, multiple):
    """Return the probability of fat, (y, x) float32."""
    height, width = image.shape[:2]
    sides = ((0, -height % multiple), (0, -width % multiple), (0, 0))
    rgb = torch.from_numpy(np.pad(image, sides, mode="reflect")[None]).permute(0, 3, 1, 2)
    return network(rgb.to(dtype)).float().sigmoid()[0, 0, :height, :width].numpy()


@torch.inference_mode()
def seconds(networks, rounds):
    """Return name -> least processor time of one pass, measured in turns."""
    rgb = torch.randint(0, 256, (1, SIDE, SIDE, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    taken = {name: [] for name in networks}
    for _ in range(rounds + 1):
        for name, (network, dtype) in networks.items():
            began = time.process_time()
            network(rgb.to(dtype))
            taken[name].append(time.process_time() - began)
    return {name: min(times[1:]) for name, times in taken.items()}


def overlap(maps, tiles):
    both = sum(
        np.count_nonzero((p >= 0.5) & (t.mask > 0)) for p, t in zip(maps, tiles, strict=True)
    )
    any_ = sum(
        np.count_nonzero((p >= 0.5) | (t.mask > 0)) for p, t in zip(maps, tiles, strict=True)
    )
    return both / any_


def compare(name, maps, exact, tiles, speed):
    """Print one row."""
    off = np.concatenate([np.abs(p - e).ravel() for p, e in zip(maps, exact, strict=True)])
    flips = [(p >= 0.5) != (e >= 0.5) for p, e in zip(maps, exact, strict=True)]
    areas = [
        100 * abs((p >= 0.5).mean() - (e >= 0.5).mean()) for p, e in zip(maps, exact, strict=True)
    ]
    share = np.concatenate([flip.ravel() for flip in flips]).mean()
    print(
        f"| {name} | {speed:.2f} | {off.max():.4f} | {np.quantile(off, 0.999):.4f} "
        f"| {off.mean():.6f} | {100 * (off > 0.01).mean():.3f} | {100 * share:.4f} "
        f"| {max(areas):.4f} | {overlap(maps, tiles):.4f} |",
        flush=True,
    )


def compiled(networks, rounds):
    """Print what torch.compile costs and gains."""
    for name in ("fp32", "bf16"):
        network, dtype = networks[name]
        quick = torch.compile(network)
        began = time.perf_counter()
        with torch.inference_mode():
            quick(torch.zeros(1, 3, SIDE, SIDE, dtype=dtype))
        spent = time.perf_counter() - began
        times = seconds({"as is": (network, dtype), "compiled": (quick, dtype)}, rounds)
        print(f"torch.compile, {name}: {spent:.0f} s to compile, {times}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="steatosis-he")
    parser.add_argument("--tiles", help="folder with manifest.csv; drawn tiles if left out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--roundings", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = st.load_model(given.model, device="cpu", precision="fp32")
    networks = variants(model)
    tiles = read_tiles(given.tiles, "val") if given.tiles else list(drawn_tiles(20, seed=99))
    if given.roundings:
        exact = networks["fp32"][0]
        made = {name: (rounding(exact, what), torch.float32) for name, what in ROUNDED.items()}
        networks = {name: networks[name] for name in ("fp32", "bf16")} | made
    times = seconds(networks, given.rounds)
    print(
        "| arithmetic | Mpx/s | max | 99.9 % | mean | > 0.01, % | class differs, % | fat, points "
        "| J |"
    )
    print("|---|" + "--:|" * 8)
    exact = [fat(*networks["fp32"], tile.image, model.spec.multiple_px) for tile in tiles]
    for name, (network, dtype) in networks.items():
        maps = [fat(network, dtype, tile.image, model.spec.multiple_px) for tile in tiles]
        compare(name, maps, exact, tiles, SIDE**2 / 1e6 / times[name])
    if given.compile:
        compiled(networks, given.rounds)


if __name__ == "__main__":
    main()
