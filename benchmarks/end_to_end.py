"""From file to stored labels against the bare model on the same pixels, in one process.

    python benchmarks/end_to_end.py --size 8192 --rounds 3

Draws the slide first (not timed). Each round times, one after the other, (A) `segment`:
read, predict, keep what a tile owns, store every level; and (B) `Model.predict` alone on as
many preloaded tiles of the same shape. It prints the ratio of throughputs twice: in network
pixels (halo counted on both sides) and in slide pixels (what a user gets).
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import napari_steatosis as st
from napari_steatosis.pipelines._plan import plan_segmentation
from napari_steatosis.pipelines.segment import open_store, run


def stored(plan, folder):
    began = time.perf_counter()
    with open_store(plan, folder) as results:
        for _ in run(plan, results):
            pass
    return time.perf_counter() - began


def bare(plan, tiles):
    began = time.perf_counter()
    for index in plan.tiles:
        outer = plan.grid[index].outer
        plan.model.predict(tiles[outer.height, outer.width])
    return time.perf_counter() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="steatosis-he")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--tile", type=int, default=None)
    given = parser.parse_args()
    model = st.load_model(given.model, precision=given.precision)
    with tempfile.TemporaryDirectory() as folder:
        drawn = st.drawn_liver(given.size, given.size, seed=20)
        slide = st.open_slide(*st.write(drawn, Path(folder) / "liver.ome.zarr"))
        plan = plan_segmentation(slide, model, within=st.find_tissue(slide), tile_px=given.tile)
        outers = [plan.grid[index].outer for index in plan.tiles]
        tiles = {(o.height, o.width): plan.plane.read(o)[None] for o in outers}
        for tile in tiles.values():
            model.predict(tile)  # warm-up of every shape
        network_mpx = sum(o.height * o.width for o in outers) / 1e6
        slide_mpx = plan.pixels / 1e6
        rows = []
        for i in range(given.rounds):
            a, b = stored(plan, Path(folder) / f"{i}.zarr"), bare(plan, tiles)
            rows.append((network_mpx / a, network_mpx / b, slide_mpx / a))
            print(json.dumps({"round": i, "segment_s": round(a, 2), "bare_s": round(b, 2)}))
    end, alone, user = (statistics.median(column) for column in zip(*rows, strict=True))
    print(
        f"{model}; {len(plan.tiles)} tiles, {slide_mpx:.1f} Mpx of slide, "
        f"{network_mpx:.1f} Mpx through the network"
    )
    print(f"segment {end:.2f} Mpx/s, bare model {alone:.2f} Mpx/s (network pixels, medians)")
    ratios = [a / b for a, b, _ in rows]
    print(
        f"ratio in network pixels {statistics.median(ratios):.3f} "
        f"({min(ratios):.3f} to {max(ratios):.3f})"
    )
    per_slide = [u / b for _, b, u in rows]
    print(f"ratio in slide pixels {statistics.median(per_slide):.3f}; {user:.2f} Mpx/s of slide")


if __name__ == "__main__":
    main()
