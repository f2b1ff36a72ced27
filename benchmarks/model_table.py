"""Every model that segments, trained with one recipe and equal processor time, scored on ``val``.

    OMP_NUM_THREADS=1 python benchmarks/model_table.py --tiles DATA/steatosis-tiles --out table

A network learns for ``--seconds`` of one thread's processor time, making its crops included: some
steps that are then forgotten say how many fit, and the learning rate falls to 0 as the time ends.
First weights are random, crops the same for all, nothing is chosen on the tiles that are scored.
What is done is kept in ``--out`` and not done again; the tables are printed at the end.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.optim.swa_utils import update_bn

from napari_steatosis.core.dataset import Dataset
from napari_steatosis.models import load_model, save_model
from napari_steatosis.models._torch import TorchModel
from napari_steatosis.models.classical.model import ClassicalModel, ClassicalRule
from napari_steatosis.training.checks import refuse_shared_patients
from napari_steatosis.training.classical import Search, train_classical
from napari_steatosis.training.classical_rows import GIVEN
from napari_steatosis.training.comparison import paired_bootstrap
from napari_steatosis.training.evaluate import count_fat
from napari_steatosis.training.finish import finished
from napari_steatosis.training.metrics import Counts, score_of, scores, table_of
from napari_steatosis.training.recipe import Recipe
from napari_steatosis.training.session import Session
from napari_steatosis.training.tiles import LabelledTile, as_dataset, read_tiles
from napari_steatosis.training.train import begin_session
from napari_steatosis.training.white_thresholds import fit_white

RECIPE = Recipe(learning_rate=1e-3, clip=1.0, device="cpu", workers=0)
"""That of droplet-net at half its learning rate and with short gradients, for attention's sake."""

CALIBRATION, STATISTICS = 5, 8
"""Steps that are forgotten; batches that the statistics of the averaged weights are taken from."""


def of_smp(architecture: str, encoder: str = "resnet18", **options: Any) -> tuple[str, Any]:
    """Return a row of `NETWORKS`."""
    return "smp", {"architecture": architecture, "encoder": encoder, **options}


NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "droplet-net": ("droplet-net", {}),
    "smp unet, resnet18": of_smp("unet"),
    "hybrid-convformer, resnet18": ("hybrid-convformer", {}),
    "valid-unet": ("valid-unet", {}),
    "smp segformer, mit_b0": of_smp("segformer", "mit_b0"),
    "smp unetplusplus, resnet18": of_smp("unetplusplus"),
    "smp manet, resnet18": of_smp("manet"),
    "smp linknet, resnet18": of_smp("linknet"),
    "smp fpn, resnet18": of_smp("fpn"),
    "smp deeplabv3, resnet18": of_smp("deeplabv3"),
    "smp deeplabv3plus, resnet18": of_smp("deeplabv3plus"),
    "smp pan, resnet18": of_smp("pan"),
    "smp pspnet, resnet18": of_smp("pspnet"),
    "smp upernet, resnet18": of_smp("upernet"),
    "smp unet, convformer_s18": of_smp("unet", "tu-convformer_s18"),
    "smp unet, caformer_s18": of_smp("unet", "tu-caformer_s18"),
    "smp dpt, vit_tiny": of_smp("dpt", "tu-vit_tiny_patch16_224", dynamic_img_size=True),
}
"""Name to a row of MODELS and its arguments. ``classical`` is the only one without a network."""


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--tiles", type=Path, required=True, help="folder with manifest.csv")
    ask.add_argument("--out", type=Path, required=True, help="folder for models and rows")
    ask.add_argument("--only", nargs="*", help="train and score these, and print nothing")
    ask.add_argument("--seconds", type=float, default=300.0, help="of a network's training")
    ask.add_argument("--precision", default="auto")
    ask.add_argument("--rounds", type=int, default=3, help="of the measurement of speed")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    train, val = (read_tiles(asked.tiles, split) for split in ("train", "val"))
    training = as_dataset(train)
    refuse_shared_patients(training, as_dataset(val))
    for name in asked.only or [*NETWORKS, "classical"]:
        if name in rows_of(asked.out):
            continue
        made, about = classical(train) if name == "classical" else network(name, training, asked)
        folder = folder_of(asked.out, name)
        save_model(made, folder)
        row = {"name": name, **about, **size_of(made, folder), **judged(made, val)}
        with (asked.out / "rows.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")
        print(f"{name}: {about}  jaccard {row['all']['jaccard']}", flush=True)
    if not asked.only:
        rows = list(rows_of(asked.out).values())
        speeds = speeds_of([row["name"] for row in rows], val, asked)
        print_tables(rows, speeds)


def folder_of(out: Path, name: str) -> Path:
    """Return where a model is kept."""
    return out / name.replace(",", "").replace(" ", "-")


def rows_of(out: Path) -> dict[str, dict[str, Any]]:
    """Return what is done, by name."""
    file = out / "rows.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {row["name"]: row for row in map(json.loads, lines)}


def network(
    name: str, training: Dataset, asked: argparse.Namespace
) -> tuple[TorchModel, dict[str, Any]]:
    """Train a network for as long as it may; return it, and how that went."""
    architecture, parameters = NETWORKS[name]
    changes = {"name": name, "parameters": parameters, "precision": asked.precision}
    session = begin_session(architecture, training, None, RECIPE, changes)
    began = time.perf_counter()
    steps, seconds, loss = learn(session, asked.seconds)
    wall = time.perf_counter() - began
    made = finished(session, wall).model
    assert made is not None
    return made, {
        "steps": steps,
        "crops": steps * RECIPE.crops.batch,
        "seconds": round(seconds, 1),
        "by_the_clock": round(wall, 1),
        "loss": round(loss, 4),
        "precision": session.compute.precision,
        "load": round(os.getloadavg()[0], 1),
    }


def learn(session: Session, budget: float) -> tuple[int, float, float]:
    """Train until the processor time is used up; return steps, seconds and the last losses' mean.

    How many steps fit is estimated anew before each.
    """
    per_step = calibrated(session)
    session.enter(0)  # the same first weights again
    learner, losses, began = session.learner, list[float](), time.process_time()
    while True:
        done, used = len(losses), time.process_time() - began
        if done >= CALIBRATION:
            per_step = used / done
        left = (budget - used) / per_step - STATISTICS / 3  # a pass costs a third of a step
        if done and left < 0.5:
            break
        learner.recipe = replace(learner.recipe, steps=done + max(1, round(left)))
        losses.append(one_step(session, done))
        if done % 50 == 0:
            print(f"  step {done} of {learner.recipe.steps}  loss {losses[-1]:.3f}", flush=True)
    take_statistics(session)
    last = losses[-max(1, len(losses) // 10) :]
    return len(losses), time.process_time() - began, float(np.mean(last))


def calibrated(session: Session) -> float:
    """Return the processor seconds of a step."""
    seconds = []
    for number in range(CALIBRATION):
        began = time.process_time()
        one_step(session, number)
        seconds.append(time.process_time() - began)
    return float(np.median(seconds))


def one_step(session: Session, number: int) -> float:
    """Learn from batch number so and so; return the loss."""
    torch.manual_seed(number)  # of dropout
    return session.learner.step(*session.batches.batch(number))


def take_statistics(session: Session) -> None:
    """Compute the statistics of batch normalisation for the averaged weights.

    Those gathered on the way lag behind by as many steps as the momentum says, and networks
    differ in that.
    """
    learner = session.learner
    ahead = (session.batches.batch(10**6 + i)[0] for i in range(STATISTICS))
    crops = (rgb.to(memory_format=torch.channels_last) for rgb in ahead)
    with torch.autocast("cpu", learner.dtype, learner.dtype != torch.float32):
        update_bn(crops, learner.averaged.train())


def classical(train: Sequence[LabelledTile]) -> tuple[ClassicalModel, dict[str, Any]]:
    """Train the model without a network, white fitted to the tiles; its time is what it takes."""
    samples, began = as_dataset(train), time.process_time()
    made = train_classical(
        samples,
        rule=ClassicalRule(fit_white(samples)),
        search=Search(0, given=GIVEN["gradient-boosting"]),
        training_data="training split of the tiles",
    )
    return made.model, {
        "seconds": round(time.process_time() - began, 1),
        "precision": "fp64",
        "examples": len(made.examples.y),
    }


def size_of(model: TorchModel | ClassicalModel, folder: Path) -> dict[str, Any]:
    """Return how many numbers were trained, and the MB of the file."""
    gathered = ("running_mean", "running_var", "num_batches_tracked")
    trained = {key: t for key, t in model.state.items() if not key.endswith(gathered)}
    numbers = sum(values.numel() for values in trained.values())
    return {"parameters": numbers, "mb": (folder / "model.safetensors").stat().st_size / 1e6}


def judged(model: TorchModel | ClassicalModel, tiles: Sequence[LabelledTile]) -> dict[str, Any]:
    """Return scores on all tiles and on those with fat, and the counts that they are made of."""
    counts, _, groups = count_fat(model, tiles)
    fatty = [(c, g) for c, g in zip(counts, groups, strict=True) if not c.fat_free]
    return {
        "all": scores(counts, groups, draws=1000),
        "fatty": scores([c for c, _ in fatty], [g for _, g in fatty], draws=1000),
        "counts": [asdict(one) for one in counts],
        "groups": groups,
    }


def speeds_of(
    names: Sequence[str], tiles: Sequence[LabelledTile], asked: argparse.Namespace
) -> dict[str, list[float]]:
    """Return Mpx/s of processor time, all models in turn, after a round that is not counted."""
    file = asked.out / "speeds.json"
    if file.exists() and set(names) <= set(found := json.loads(file.read_text(encoding="utf-8"))):
        return found
    image = mosaic([tile.image for tile in tiles])
    models = {name: load_model(folder_of(asked.out, name), device="cpu") for name in names}
    found = {name: [] for name in names}
    for number, (name, model) in itertools.product(range(asked.rounds + 1), models.items()):
        began = time.process_time()
        model.predict(image[None])
        seconds = time.process_time() - began
        if number:
            found[name].append(image.shape[0] * image.shape[1] / seconds / 1e6)
    file.write_text(json.dumps(found), encoding="utf-8")
    return found


def mosaic(images: Sequence[NDArray[np.uint8]], side_px: int = 1024) -> NDArray[np.uint8]:
    """Return one image of some, ``(side, side, 3) uint8``."""
    many = -(-side_px // images[0].shape[0])
    lines = [np.concatenate(images[i * many : (i + 1) * many], 1) for i in range(many)]
    return np.ascontiguousarray(np.concatenate(lines)[:side_px, :side_px])


REFERENCE = "droplet-net"
"""What the others are compared with."""

ACCURACY: dict[str, tuple[str, str, int]] = {
    "Jaccard, pooled": ("all", "jaccard", 3),
    "droplet F1": ("all", "droplet_f1", 3),
    "panoptic quality": ("all", "panoptic_quality", 3),
    "error of fat area, points": ("all", "fat_area_error_points", 2),
}
BY_KIND: dict[str, tuple[str, str, int]] = {
    "fat: Jaccard, mean": ("fatty", "jaccard_mean", 3),
    "fat: Dice": ("fatty", "dice", 3),
    "fat: precision": ("fatty", "precision", 3),
    "fat: recall": ("fatty", "recall", 3),
    "no fat: false fat, %": ("all", "false_fat_percent", 3),
    "no fat: none found, share": ("all", "clean_share", 2),
}


def print_tables(rows: Sequence[dict[str, Any]], speeds: dict[str, list[float]]) -> None:
    """Print what was measured, best first, as Markdown."""
    rows = sorted(rows, key=lambda row: -row["all"]["jaccard"][0])
    first = next(row for row in rows if row["name"] == REFERENCE)
    whole = first["all"]
    print(
        f"{whole['tiles']} tiles of {whole['groups']} patients, {whole['fat_free_tiles']} without "
        f"fat, {whole['droplets']} droplets\n"
    )
    extra = {f"Jaccard less that of {REFERENCE}, paired": lambda row: behind(row, first)}
    print_scores(rows, ACCURACY, extra)
    print_scores(rows, BY_KIND, {})
    print("| model | parameters | file, MB | seconds | steps | arithmetic | Mpx/s |")
    print("|---|--:|--:|--:|--:|---|--:|")
    for row in rows:
        told, numbers = sorted(speeds[row["name"]]), f"{row['parameters']:,}".replace(",", " ")
        print(
            f"| {row['name']} | {numbers} | {row['mb']:.2f} | {row['seconds']:.0f} "
            f"| {row.get('steps', '-')} | {row['precision']} "
            f"| {np.median(told):.2f} ({told[0]:.2f} to {told[-1]:.2f}) |"
        )


def print_scores(
    rows: Sequence[dict[str, Any]],
    columns: dict[str, tuple[str, str, int]],
    extra: dict[str, Callable[[dict[str, Any]], str]],
) -> None:
    """Print one line per model, each score with its interval."""
    heads = [*columns, *extra]
    print("| model | " + " | ".join(heads) + " |\n|---|" + "--:|" * len(heads))
    for row in rows:
        cells = [spanned(row[on][name], digits) for on, name, digits in columns.values()]
        print(f"| {row['name']} | " + " | ".join([*cells, *(f(row) for f in extra.values())]), "|")
    print()


def spanned(found: list[float] | None, digits: int) -> str:
    """Return a score with its interval; a dash where it cannot be had."""
    if found is None:
        return "-"
    value, low, high = (f"{x:.{digits}f}" for x in found)
    return f"{value} ({low} to {high})"


def behind(row: dict[str, Any], first: dict[str, Any]) -> str:
    """Return the difference of the pooled Jaccard index, paired over patients."""
    if row is first:
        return ""
    own, best = (table_of([Counts(**one) for one in each["counts"]]) for each in (row, first))

    def both(drawn: NDArray[np.int64]) -> tuple[float, float]:
        return score_of(own[drawn].sum(0), "jaccard"), score_of(best[drawn].sum(0), "jaccard")

    found = paired_bootstrap(both, row["groups"])
    return spanned([found.value, found.low, found.high], 3)


if __name__ == "__main__":
    main()
