"""Train the two shipped models: ``steatosis-he-drawn``, then ``steatosis-he`` from it.

    python benchmarks/train_default.py --tiles DATA/steatosis-tiles --out models

Four stages: drawn tiles only; real tiles with a share of drawn ones; to refine, real tiles
only, those without fat as often as the others, at half the learning rate; and, so that neither
the stain of a laboratory nor the pixels of a coarse scan matter, pairs of crops that must be
judged alike (`robust_crops`), real and drawn, in two parts: the second holds the model to what
it said of real tiles before. The result is the mean of the weights before, between and after.
A schedule is fixed before it is run. On one processor and with one thread the same seed gives
the same weights. ``--refine FOLDER`` and ``--robust FOLDER`` begin with the third or the last
stage, from a saved model.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from robust_crops import Settling, alike, pairs, restainable, whole_livers, without_small
from torch import Tensor, nn

from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build, save_model
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.training.card import model_card
from napari_steatosis.training.evaluate import fat_scores
from napari_steatosis.training.fit import fit
from napari_steatosis.training.losses import Objective
from napari_steatosis.training.recipe import Recipe
from napari_steatosis.training.tiles import batches, drawn_tiles, read_tiles

ARCHITECTURE = "droplet-net"
PARAMETERS = {"channels": [16, 32, 96, 128], "down": [2, 2, 1, 1], "up": [2, 2, 1]}
FLOOR = 0.4
"""Weight of a tile without fat, drawn ones and those of the last stage (see `batches`)."""

DRAWN_SHARE = 0.25
"""Share of the crops that are still drawn when the real tiles are trained on."""

HARD_SHARE, SETTLED_SHARE = 0.4, 0.2
"""Share of the drawn ones in the two parts of the last stage."""

HARD_DRAWN, HARD_SEED = (300, 120), 107
"""Tiles and whole pieces that are drawn for it, with seeds of their own."""

REAL_DATA = (
    "317 H&E liver tiles of 262 groups, 20x, expert fat masks (training split of the tiles "
    "published with SteatosisU-UNet, mostly of the HEPASS set, Mendeley Data 4mcc9rg4k5), "
    "after and beside drawn liver"
)
REAL_LICENCE = (
    "research use: the tiles were published without a licence file, so whether weights "
    "trained on them may be used otherwise is an open question; `steatosis-he-drawn` is free "
    "of it"
)
DRAWN_DATA = "drawn liver only (napari_steatosis.imaging.phantom), no image of a patient"
DRAWN_LICENCE = "BSD-3-Clause, as the package"

LIMITS = """
- H&E liver in bright field, scanned at or resampled to 0.5 um per pixel, one kind of scanner
  in the validation tiles. Other stains, species, frozen sections, cytology: not validated.
- The um per pixel of the tiles is an estimate (0.45 to 0.5) from the size of nuclei, and the
  groups are read from file names: a patient may stand under two names.
- One annotator's outlines; shifting them by one pixel costs a Jaccard index of about 0.15.
- Droplets below 6 um in diameter are often missed; microvesicular fat is not measured.
- Short sinusoids, halos of nuclei and small ducts are the usual false finds.
- Few tiles have more than 20 % fat; severe steatosis is hardly covered by the scores.
- Fat area is not the percentage of hepatocytes that a pathologist estimates; do not apply the
  limits of 5, 33 and 66 % to it.
- No comparison with pathologists and no outcome: not for diagnosis.
"""


def main() -> None:
    """Run the whole training."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--tiles", type=Path, required=True, help="folder with manifest.csv")
    ask.add_argument("--out", type=Path, required=True, help="where the model folders go")
    ask.add_argument("--cards", type=Path, help="folder for a second copy of the cards")
    ask.add_argument("--drawn", type=int, default=600, help="tiles to draw")
    ask.add_argument("--drawn-steps", type=int, default=1400)
    ask.add_argument("--steps", type=int, default=2000, help="0: the drawn one only")
    ask.add_argument("--refine-steps", type=int, default=1600)
    ask.add_argument("--robust-steps", type=int, nargs=2, default=(2500, 1200))
    ask.add_argument("--refine", type=Path, help="saved model to begin the third stage from")
    ask.add_argument("--robust", type=Path, help="saved model to begin the last stage from")
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--seed", type=int, default=7)
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)

    began, rng = time.perf_counter(), np.random.default_rng(asked.seed)
    if saved := asked.robust or asked.refine:
        model = TorchModel.load(saved, device="cpu", precision="fp32")
        network = build(ARCHITECTURE, **PARAMETERS)
        network.load_state_dict({name: t.float() for name, t in model.state.items()})
        if asked.refine:
            refine(network, asked, rng)
        harden(network, asked)
        finish(network, model.spec, asked, began)
        return
    drawn = list(drawn_tiles(asked.drawn, seed=asked.seed))
    print(f"{len(drawn)} tiles drawn in {time.perf_counter() - began:.0f} s", flush=True)
    network = build(ARCHITECTURE, **PARAMETERS)
    spec = ModelSpec(
        name="steatosis-he-drawn",
        architecture=ARCHITECTURE,
        task="segmentation",
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=1024,
        halo_px=-(-network.reach_px // network.stride_px) * network.stride_px,
        multiple_px=network.stride_px,
        stain="H&E, any; no normalisation",
        parameters=PARAMETERS,
        licence=DRAWN_LICENCE,
        training_data=DRAWN_DATA,
    )
    train(network, batches([(1.0, drawn)], rng, floor=FLOOR), Recipe(asked.drawn_steps))
    finish(network, spec, asked, began)
    if not asked.steps:
        return

    spec = replace(spec, name="steatosis-he", licence=REAL_LICENCE, training_data=REAL_DATA)
    real = read_tiles(asked.tiles, "train")
    mixed = batches([(1 - DRAWN_SHARE, real), (DRAWN_SHARE, drawn)], rng)
    train(network, mixed, Recipe(asked.steps))
    refine(network, asked, rng)
    harden(network, asked)
    finish(network, spec, asked, began)


def refine(network: nn.Module, asked: argparse.Namespace, rng: np.random.Generator) -> None:
    """Train on real tiles only."""
    real = read_tiles(asked.tiles, "train")
    crops = batches([(1.0, real)], rng, floor=FLOOR)
    train(network, crops, Recipe(asked.refine_steps, learning_rate=1e-3))


def harden(network: nn.Module, asked: argparse.Namespace) -> None:
    """Train on pairs that differ in stain and sharpness; then again, held to what was said.

    At the end the network holds the mean of its weights before, between and after.
    """
    teacher = copy.deepcopy(network).to(memory_format=torch.channels_last)
    real = [restainable(tile) for tile in read_tiles(asked.tiles, "train")]
    tiles, pieces = HARD_DRAWN
    whites = [*drawn_tiles(tiles, seed=HARD_SEED), *whole_livers(pieces, seed=HARD_SEED)]
    drawn = [restainable(tile) for tile in whites]
    steps = asked.robust_steps
    crops = pairs(
        [(1 - HARD_SHARE, real), (HARD_SHARE, drawn)], np.random.default_rng(asked.seed + 4)
    )
    both = ((rgb, mask) for rgb, mask, _ in crops)
    train(network, both, Recipe(steps[0], learning_rate=1e-3), judged=alike)
    between = copy.deepcopy(network)

    drawn = [replace(one, tile=without_small(one.tile)) for one in drawn]
    crops = pairs(
        [(1 - SETTLED_SHARE, real), (SETTLED_SHARE, drawn)],
        np.random.default_rng(asked.seed + 5),
        floor=0.6,
        built_in=0.3,
    )
    loss = Settling(teacher)
    train(network, loss.batches(crops), Recipe(steps[1], learning_rate=5e-4), judged=loss)
    states = [one.state_dict() for one in (teacher, between, network)]
    mean = {
        name: sum(state[name] for state in states) / len(states) if t.is_floating_point() else t
        for name, t in network.state_dict().items()
    }
    network.load_state_dict(mean)


def train(
    network: nn.Module,
    crops: Iterator[tuple[Tensor, Tensor]],
    recipe: Recipe,
    *,
    judged: Objective | None = None,
) -> None:
    """Train, and print the mean loss and speed of every 50 steps."""
    rows = []
    for row in fit(network, crops, recipe, judged=judged):
        rows.append(row)
        if len(rows) == 50:
            loss = np.mean([row.loss for row in rows])
            seconds = sum(row.seconds for row in rows)
            waited = sum(row.waited_s for row in rows) / seconds
            speed = 50 * 8 / seconds
            print(
                f"step {row.step + 1:5d}  loss {loss:.4f}  {speed:.1f} crops/s, "
                f"{waited:.0%} of it waiting for crops",
                flush=True,
            )
            rows = []


def finish(
    network: nn.Module,
    spec: ModelSpec,
    asked: argparse.Namespace,
    began: float,
) -> None:
    """Measure the scores; write folder and card."""
    model = TorchModel(network, spec, device="cpu", precision="fp32")
    model = model.with_scores({"val": fat_scores(model, read_tiles(asked.tiles, "val"))})
    folder = asked.out / spec.name
    save_model(model, folder)
    minutes = (time.perf_counter() - began) / 60
    made_by = (
        f"`python benchmarks/train_default.py --drawn {asked.drawn} --drawn-steps "
        f"{asked.drawn_steps} --steps {asked.steps} --refine-steps {asked.refine_steps} "
        f"--robust-steps {asked.robust_steps[0]} {asked.robust_steps[1]} --seed {asked.seed}`; "
        f"{minutes:.0f} minutes on {asked.threads} CPU thread(s) until here"
    )
    card = model_card(model.spec, model.digest, made_by=made_by, limits=LIMITS)
    (folder / "card.md").write_text(card, encoding="utf-8")
    if asked.cards:
        asked.cards.mkdir(parents=True, exist_ok=True)
        (asked.cards / f"{spec.name}.md").write_text(card, encoding="utf-8")
    print(card, flush=True)


if __name__ == "__main__":
    main()
