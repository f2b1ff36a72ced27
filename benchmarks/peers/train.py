"""Train the network of the comparison: an smp U-Net with a resnet18, on drawn liver.

    python benchmarks/peers/train.py build/peers

Writes four model folders with the same weights: `exact`, whose halo is the reach of the network;
`own`, whose halo is the smallest at which cuts through drawn liver change no probability by more
than 1e-3; `equal`, whose tiles are those of the other tools, 512 px seen and 384 px kept; and
`blended`, which says that a pixel depends on the whole tile, so that its tiles are merged. Nothing
is downloaded. Minutes; with one thread the same seed on the same machine gives the same weights.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import napari_steatosis as st
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build, save_model
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.training.fit import Recipe, fit
from napari_steatosis.training.tiles import batches, drawn_tiles

PARAMETERS = {"architecture": "unet", "encoder": "resnet18"}
SEEN_PX, KEPT_PX = 512, 384
TOLERANCE, CUT_SEEDS = 1e-3, (3, 4, 5)


def main() -> None:
    """Train, and write the folders."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("out", type=Path)
    ask.add_argument("--tiles", type=int, default=60)
    ask.add_argument("--steps", type=int, default=160)
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--seed", type=int, default=7)
    given = ask.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    began = time.perf_counter()
    network = build("smp", **PARAMETERS)
    drawn = list(drawn_tiles(given.tiles, seed=given.seed))
    crops = batches([(1.0, drawn)], np.random.default_rng(given.seed), batch=4, crop_px=192)
    for row in fit(network, crops, Recipe(given.steps, averaging=0.95)):
        if row.step % 10 == 9:
            spent = time.perf_counter() - began
            print(f"step {row.step + 1}  loss {row.loss:.3f}  {spent:.0f} s", flush=True)
    stride = network.stride_px
    spec = ModelSpec(
        name="peers-unet-resnet18",
        architecture="smp",
        task="segmentation",
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=1024,
        halo_px=-(-network.reach_px // stride) * stride,
        multiple_px=stride,
        parameters=PARAMETERS,
        licence="BSD-3-Clause, as the package",
        training_data=f"{given.tiles} drawn tiles, {given.steps} steps: for timing only",
    )
    margin = (SEEN_PX - KEPT_PX) // 2
    equal = replace(spec, tile_px=KEPT_PX, halo_px=margin, tolerance=1.0)
    blended = replace(equal, context="tile")
    own = replace(spec, halo_px=enough(network, spec), tolerance=TOLERANCE)
    print(f"halo {spec.halo_px} px is exact, {own.halo_px} px enough", flush=True)
    for name, how in (("exact", spec), ("own", own), ("equal", equal), ("blended", blended)):
        save_model(TorchModel(network, how, device="cpu", precision="fp32"), given.out / name)
    print(f"{time.perf_counter() - began:.0f} s")


@torch.inference_mode()
def enough(network: torch.nn.Module, spec: ModelSpec) -> int:
    """Return the smallest halo with which cut tiles are the whole image up to `TOLERANCE`, px."""
    cut = 640
    halos = range(spec.multiple_px, spec.halo_px, spec.multiple_px)
    worst = dict.fromkeys(halos, 0.0)
    for seed in CUT_SEEDS:
        drawn = st.drawn_liver(2 * cut, 2 * cut, seed=seed, um_per_px=spec.um_per_px, glass=False)
        rgb = drawn.read(st.Region(y=0, x=0, height=512, width=2 * cut))
        image = torch.from_numpy(rgb).permute(2, 0, 1)[None].float()
        whole = network(image).sigmoid()[..., cut:]
        for halo in halos:
            tile = network(image[..., cut - halo :]).sigmoid()[..., halo:]
            worst[halo] = max(worst[halo], float((tile - whole).abs().max()))
    return next((halo for halo in halos if worst[halo] <= TOLERANCE), spec.halo_px)


if __name__ == "__main__":
    main()
