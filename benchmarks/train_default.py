"""Train the two shipped models: ``steatosis-he-drawn``, then ``steatosis-he`` from it.

    python benchmarks/train_default.py --tiles DATA/steatosis-tiles --out models

One fixed schedule; no tile of the split ``val`` decides anything. On one processor and with
one thread the same seed gives the same weights.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build, save_model
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.training.card import model_card
from napari_steatosis.training.evaluate import evaluate
from napari_steatosis.training.fit import Recipe, fit
from napari_steatosis.training.halo import needed_halo_px
from napari_steatosis.training.tiles import LabelledTile, batches, drawn_tiles, read_tiles

ARCHITECTURE = "droplet-net"
PARAMETERS = {"channels": [16, 32, 96, 128], "down": [2, 2, 1, 1], "up": [2, 2, 1]}
DRAWN_SHARE = 0.25
"""Share of the crops that are still drawn when the real tiles are trained on."""

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
    ask.add_argument("--drawn-steps", type=int, default=900)
    ask.add_argument("--steps", type=int, default=2000, help="0: the drawn one only")
    ask.add_argument("--threads", type=int, default=1)
    ask.add_argument("--seed", type=int, default=7)
    asked = ask.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(asked.seed)

    began = time.perf_counter()
    drawn = list(drawn_tiles(asked.drawn, seed=asked.seed))
    print(f"{len(drawn)} tiles drawn in {time.perf_counter() - began:.0f} s", flush=True)
    real = read_tiles(asked.tiles, "train")
    network = build(ARCHITECTURE, **PARAMETERS)
    spec = ModelSpec(
        name="steatosis-he-drawn",
        architecture=ARCHITECTURE,
        task="segmentation",
        classes=("tissue", "fat"),
        um_per_px=0.5,
        tile_px=1024,
        halo_px=network.stride_px,
        multiple_px=network.stride_px,
        stain="H&E, any; no normalisation",
        parameters=PARAMETERS,
        licence=DRAWN_LICENCE,
        training_data=DRAWN_DATA,
    )
    rng = np.random.default_rng(asked.seed)
    train(network, batches([(1.0, drawn)], rng), Recipe(asked.drawn_steps))
    finish(network, spec, drawn[:24], asked, began)
    if not asked.steps:
        return

    spec = replace(spec, name="steatosis-he", licence=REAL_LICENCE, training_data=REAL_DATA)
    mixed = batches([(1 - DRAWN_SHARE, real), (DRAWN_SHARE, drawn)], rng)
    train(network, mixed, Recipe(asked.steps))
    finish(network, spec, real[::12], asked, began)


def train(network: nn.Module, crops: Iterator[tuple[Tensor, Tensor]], recipe: Recipe) -> None:
    """Train, and print the mean loss and speed of every 50 steps."""
    rows = []
    for row in fit(network, crops, recipe):
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
    seen: Sequence[LabelledTile],
    asked: argparse.Namespace,
    began: float,
) -> None:
    """Measure halo and scores; write folder and card."""
    exact = TorchModel(network, spec, device="cpu", precision="fp32")
    spec = replace(spec, halo_px=needed_halo_px(exact, [tile.image for tile in seen]))
    model = TorchModel(network, spec, device="cpu", precision="fp32")
    model = model.with_scores({"val": evaluate(model, read_tiles(asked.tiles, "val"))})
    folder = asked.out / spec.name
    save_model(model, folder)
    minutes = (time.perf_counter() - began) / 60
    made_by = (
        f"`python benchmarks/train_default.py --drawn {asked.drawn} --drawn-steps "
        f"{asked.drawn_steps} --steps {asked.steps} --seed {asked.seed}`; "
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
