"""From file to stored labels against the bare network, in one process, in turn.

    python benchmarks/end_to_end.py --size 16384 --rounds 3

The slide is an OME-Zarr that is tissue all over (see repeated_slide.py). Each round times, one
after the other, (A) `segment`: read, predict, keep what each tile owns, store every level; and (B)
the network of the same model in the same arithmetic and memory layout, alone: its forward pass on
tensors that were prepared before, of the tile with its halo that the model's specification states,
and of the side that is fastest of three. It prints the ratio of throughputs in pixels through the
network (halo counted) and in pixels of the slide (what a user gets), by the clock and by processor
time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from repeated_slide import repeated_slide

import napari_steatosis as st
from napari_steatosis.core.geometry import Region
from napari_steatosis.models._device import DTYPES
from napari_steatosis.models._threads import threads
from napari_steatosis.pipelines._blocks import blocks_of
from napari_steatosis.pipelines._crew import MOST_TAKERS
from napari_steatosis.pipelines._plan import plan_segmentation
from napari_steatosis.pipelines.segment import open_store, run

SIDES = (608, 1312, 2336)


def timed(function):
    clock, processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - clock, time.process_time() - processor


def stored(plan, folder):
    with open_store(plan, folder) as results:
        for _ in run(plan, results):
            pass


def prepared(plan, side):
    """Return an image of the slide as the network takes it."""
    y, x = max(0, (plan.plane.height - side) // 2), max(0, (plan.plane.width - side) // 2)
    rgb = plan.plane.read(Region(y=y, x=x, height=side, width=side))
    dtype = DTYPES[plan.model.compute.precision]
    return torch.from_numpy(rgb.copy()[None]).permute(0, 3, 1, 2).to(dtype)


@torch.inference_mode()
def bare(network, image, times):
    for _ in range(times):
        network(image)


def fastest(network, images):
    """Return the image whose pixels go through the network fastest."""
    speed = {}
    for side, image in images.items():
        bare(network, image, 2)
        rounds = max(2, 2**23 // side**2)
        clocks = [timed(lambda image=image: bare(network, image, 1))[0] for _ in range(rounds)]
        speed[side] = side**2 / min(clocks) / 1e6
    print("bare Mpx/s by side of the image:", {s: round(v, 2) for s, v in speed.items()})
    return max(speed, key=speed.get)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=16384)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="steatosis-he")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--tile", type=int, default=None)
    parser.add_argument("--slides", default=None, help="folder in which slides are kept")
    given = parser.parse_args()
    model = st.load_model(given.model, precision=given.precision)
    network = model._network
    with tempfile.TemporaryDirectory() as folder:
        made = repeated_slide(Path(given.slides or folder), given.size, 2 * given.size)
        slide = st.open_slide(made)
        plan = plan_segmentation(
            slide, model, **({} if given.tile is None else {"tile_px": given.tile})
        )
        takers = min(MOST_TAKERS, threads())
        outers = [block.outer for block in blocks_of(plan.grid, plan.tiles, takers=takers)]
        network_mpx = sum(o.height * o.width for o in outers) / 1e6
        slide_mpx = plan.pixels / 1e6
        tile = model.spec.tile_px + 2 * model.spec.halo_px
        images = {side: prepared(plan, side) for side in {*SIDES, tile}}
        sides = {"the model's tile": tile, "the fastest side": fastest(network, images)}
        rows = []
        for i in range(given.rounds):
            a = timed(lambda i=i: stored(plan, Path(folder) / f"{i}.zarr"))
            row = {"segment": [network_mpx / t for t in a]}
            for name, side in sides.items():
                times = max(1, round(network_mpx * 1e6 / side**2 / 2))
                b = timed(partial(bare, network, images[side], times))
                row[name] = [times * side**2 / 1e6 / t for t in b]
            rows.append(row)
            print(json.dumps({k: [round(v, 3) for v in both] for k, both in row.items()}))
    print(
        f"{model}; {threads()} threads; {len(plan.tiles)} tiles in {len(outers)} blocks, "
        f"{slide_mpx:.1f} Mpx of slide, {network_mpx:.1f} Mpx through the network"
    )
    share = slide_mpx / network_mpx
    for name, side in sides.items():
        for k, kind in enumerate(("the clock", "processor time")):
            ratios = sorted(row["segment"][k] / row[name][k] for row in rows)
            middle = statistics.median(ratios)
            print(
                f"against {name} ({side} px) by {kind}: network pixels {middle:.3f} "
                f"({ratios[0]:.3f} to {ratios[-1]:.3f}), slide pixels {middle * share:.3f}"
            )
    print(f"{statistics.median(row['segment'][0] for row in rows) * share:.2f} Mpx/s of slide")


if __name__ == "__main__":
    main()
