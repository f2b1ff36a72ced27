"""What a halo of so many pixels leaves of the cuts between tiles.

    python benchmarks/seams.py --images 2

Cuts a tile out of drawn livers and compares its probabilities with those of the whole image,
at every distance from the edge of the tile: for a U-Net of segmentation-models-pytorch with
random weights, the valid U-Net with random weights, and the shipped model in two precisions.
"Largest" is over all pixels that the halo leaves, "mean" over the 16 px next to where it ends.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

import napari_steatosis as st
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.models.reach import edge_distance, measured_reach, seam_difference

MARGINS = (0, 32, 64, 80, 96, 112, 128, 144, 160, 192, 224, 256, 288, 320)
RING_PX = 16


def random_weights(row, classes=("tissue", "fat")):
    torch.manual_seed(0)
    network = build(row)
    step = network.stride_px
    halo = -(-network.reach_px // step) * step
    spec = ModelSpec(row, row, "segmentation", classes, 0.5, 1024, halo, step)
    return TorchModel(network, spec, device="cpu", precision="fp32")


def reach_of(model):
    return measured_reach(build(model.spec.architecture, **model.spec.parameters))


def images(count, side):
    drawn = (st.drawn_liver(side, side, seed=40 + i, glass=False) for i in range(count))
    return [d.read(st.Region(y=0, x=0, height=side, width=side)) for d in drawn]


def curve(model, given):
    found = [seam_difference(model, image) for image in given]
    distance = edge_distance(*found[0].shape)
    rows = {}
    for margin in MARGINS:
        left = distance >= margin
        ring = left & (distance < margin + RING_PX)
        if ring.any():
            largest = max(float(one[left].max()) for one in found)
            rows[margin] = (largest, float(np.mean([one[ring].mean() for one in found])))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2)
    given = parser.parse_args()
    models = {
        "smp unet resnet18, random": (random_weights("smp"), 1536),
        "valid-unet, random": (random_weights("valid-unet"), 768),
        "steatosis-he, fp32": (st.load_model("steatosis-he", device="cpu", precision="fp32"), 768),
        "steatosis-he, bf16": (st.load_model("steatosis-he", device="cpu", precision="bf16"), 768),
    }
    curves = {}
    for name, (model, side) in models.items():
        curves[name] = curve(model, images(given.images, side))
        print(f"{name}: reach {reach_of(model)} px, halo {model.spec.halo_px} px", flush=True)
    print("| margin | " + " | ".join(f"{name}: largest, mean" for name in curves) + " |")
    print("|--:|" + "--:|" * len(curves))
    for margin in MARGINS:
        cells = (rows.get(margin) for rows in curves.values())
        said = ("" if cell is None else f"{cell[0]:.1e}, {cell[1]:.1e}" for cell in cells)
        print(f"| {margin} | " + " | ".join(said) + " |")


if __name__ == "__main__":
    main()
