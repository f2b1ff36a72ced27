"""Train the network of the comparison: an smp U-Net with a resnet18, on drawn liver.

    python benchmarks/peers/train.py build/peers

Writes two model folders with the same weights: `exact`, whose halo is the reach of the network,
and `equal`, whose tiles are those of the other tools, 512 px seen and 384 px kept. Nothing is
downloaded. Minutes on two cores; the same seed on the same machine gives the same weights.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build, save_model
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.training.fit import Recipe, fit
from napari_steatosis.training.tiles import batches, drawn_tiles

PARAMETERS = {"architecture": "unet", "encoder": "resnet18"}
SEEN_PX, KEPT_PX = 512, 384


def main() -> None:
    """Train, and write both folders."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("out", type=Path)
    ask.add_argument("--tiles", type=int, default=80)
    ask.add_argument("--steps", type=int, default=150)
    ask.add_argument("--threads", type=int, default=2)
    ask.add_argument("--seed", type=int, default=7)
    given = ask.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    began = time.perf_counter()
    network = build("smp", **PARAMETERS)
    drawn = list(drawn_tiles(given.tiles, seed=given.seed))
    crops = batches([(1.0, drawn)], np.random.default_rng(given.seed), batch=6, crop_px=224)
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
    for name, how in (("exact", spec), ("equal", equal)):
        save_model(TorchModel(network, how, device="cpu", precision="fp32"), given.out / name)
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
