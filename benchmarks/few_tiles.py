"""From zero to a model on twenty annotated tiles: CPU minutes, and scores on tiles it never saw.

    python benchmarks/few_tiles.py --tiles DATA/steatosis-tiles --out few

Fifteen tiles with fat and five without are drawn from the training split; those of four patients
decide which epoch is kept. The scores are of the validation split of the tiles.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch

from napari_steatosis.training.evaluate import fat_scores
from napari_steatosis.training.rows import Epoch
from napari_steatosis.training.tiles import LabelledTile, as_dataset, read_tiles
from napari_steatosis.training.train import train

FATTY, FREE, PATIENTS = 15, 5, 4


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--tiles", type=Path, required=True, help="folder with manifest.csv")
    ask.add_argument("--out", type=Path, required=True)
    ask.add_argument("--epochs", type=int, default=36)
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--seed", type=int, default=0)
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    training, validation = chosen(asked.tiles, asked.seed)
    print(f"{len(training)} tiles to train on, {len(validation)} to choose the epoch")
    cpu, wall = time.process_time(), time.perf_counter()
    for row in train(
        "droplet-net",
        as_dataset(training),
        as_dataset(validation),
        out=asked.out,
        epochs=asked.epochs,
        patience=0,
        per_sample=8,
        device="cpu",
        workers=0,
    ):
        if isinstance(row, Epoch):
            score = row.scores["jaccard"]
            print(f"{row.epoch:3d}  loss {row.loss:.3f}  jaccard {score:.3f}", flush=True)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(
        f"{cpu / 60:.1f} CPU minutes, {wall / 60:.1f} by the clock, load {os.getloadavg()[0]:.1f}"
    )
    for name, found in fat_scores(row.model, read_tiles(asked.tiles, "val")).items():
        print(f"{name:<24} {found}")


def chosen(folder: Path, seed: int) -> tuple[list[LabelledTile], list[LabelledTile]]:
    """Return the tiles to train on, and those of other patients that choose the epoch."""
    rng = np.random.default_rng(seed)
    tiles = read_tiles(folder, "train")
    fatty = [tile for tile in tiles if tile.fat_fraction > 0]
    free = [tile for tile in tiles if tile.fat_fraction == 0]
    some = [fatty[i] for i in rng.permutation(len(fatty))[:FATTY]]
    some += [free[i] for i in rng.permutation(len(free))[:FREE]]
    some = [some[i] for i in rng.permutation(len(some))]
    held = set(rng.permutation(sorted({tile.group for tile in some}))[:PATIENTS])
    return [t for t in some if t.group not in held], [t for t in some if t.group in held]


if __name__ == "__main__":
    main()
