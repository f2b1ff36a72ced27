"""``napari-steatosis train``: labelled images in, a model folder out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import BadValueError
from ._say import Device, Precision, bars, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from ..core.dataset import Dataset
    from ..training.rows import Epoch, Row, Trained

SPLITS = ("auto", "patient", "official", "image")


def train(
    architecture: Annotated[
        str, typer.Argument(help="Architecture (as smp:unet/resnet34), or model to go on from.")
    ],
    data: Annotated[Path, typer.Argument(help="Folder, zip file or manifest (CSV) of samples.")],
    out: Annotated[Path, typer.Option(help="Folder for the model.")],
    validation: Annotated[
        Path | None, typer.Option(help="Samples to validate on, if they are not among DATA.")
    ] = None,
    split: Annotated[
        str, typer.Option(help="patient, official, image; auto takes an official one if there is.")
    ] = "auto",
    held_out: Annotated[float, typer.Option(help="Share that is held out to validate on.")] = 0.2,
    preset: Annotated[
        str | None, typer.Option(help="Recipe as a published system states it, by name.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs at most.")] = None,
    batch: Annotated[int | None, typer.Option(help="Crops per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Its highest value.")] = None,
    patience: Annotated[
        int | None, typer.Option(help="Epochs without a better score; 0: all epochs.")
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="FIELD=VALUE of the recipe, repeatable: blurred=0.5."),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="File of weights for the backbone, or PART=FILE; repeatable."),
    ] = None,
    mpp: Annotated[float | None, typer.Option(help="Size of a pixel, um, if unstated.")] = None,
    stain: Annotated[str | None, typer.Option(help="Stain and normalisation, in words.")] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the model, in words.")] = None,
    seed: Annotated[int, typer.Option(help="Decides the split and all that is random.")] = 0,
    resume: Annotated[bool, typer.Option(help="Go on from a checkpoint in the folder.")] = True,
    device: Device = "auto",
    precision: Precision = "auto",
) -> None:
    """Train a model on labelled images. Ctrl-C stops; the same call goes on exactly.

    DATA is whatever validate opens: images with masks, class folders, a manifest, annotated
    slides. All that can be wrong with it is said before the first epoch.
    """
    from ..training.train import train as run

    given: dict[str, Any] = {"epochs": epochs, "batch": batch, "learning_rate": learning_rate}
    given |= {"patience": patience, "stain": stain, "licence": licence}
    changes = {key: value for key, value in given.items() if value is not None}
    changes |= {"seed": seed, "device": device, "precision": precision, **_settings(change or [])}
    if weights:
        changes["weights"] = _weights(weights)
    training, held = _data(data, validation, split, (held_out, seed), mpp)
    say.print(f"{len(training)} samples to train on, {len(held)} to validate on", markup=False)
    rows = run(architecture, training, held, preset=preset, out=out, resume=resume, **changes)
    try:
        with bars() as shown:
            trained = _show(rows, shown)
    except KeyboardInterrupt:
        say.print(f"Stopped. The same call goes on from the checkpoint in {out}.", markup=False)
        raise typer.Exit(130) from None
    finally:
        rows.close()
    _tell(trained)


def _data(
    path: Path,
    validation: Path | None,
    split: str,
    held_out: tuple[float, int],
    mpp: float | None,
) -> tuple[Dataset, Dataset]:
    from ..io import open_dataset

    if split not in SPLITS:
        raise BadValueError(f"--split is {split!r}; give {', '.join(SPLITS)}.")
    data = open_dataset(path, um_per_px=mpp)
    if validation is not None:
        return data, open_dataset(validation, um_per_px=mpp)
    if split == "auto":
        sets = {one.split for one in data}
        split = "official" if "train" in sets and sets & {"val", "test"} else "patient"
    share, seed = held_out
    training, held = data.split(split, held_out=share, seed=seed)
    return training, held


def _settings(given: list[str]) -> dict[str, Any]:
    """Return ``FIELD=VALUE`` as values: numbers, true, false, lists; else text."""
    import json

    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise BadValueError(f"--set takes FIELD=VALUE, such as blurred=0.5; got {text!r}.")
        try:
            found[name.replace("-", "_")] = json.loads(value)
        except ValueError:
            found[name.replace("-", "_")] = value
    return found


def _weights(given: list[str]) -> dict[str, str]:
    parts = [text.rpartition("=") for text in given]
    return {part: file for part, _, file in parts}


def _show(rows: Iterator[Row], shown: Bars) -> Trained:
    """Show rows as they come; return the last."""
    from ..training.rows import Epoch, Notice, Step, Trained

    task = shown.add_task("getting ready")
    epochs, done, since, steps = 1, 0, 0, 0
    for row in rows:
        if isinstance(row, Notice):
            shown.print(row.text, style="yellow", markup=False)
        elif isinstance(row, Step):
            since += 1
            total = None if not steps else steps * epochs
            text = f"epoch {done + 1}, loss {row.loss:.3f}"
            shown.update(task, completed=done * steps + since, total=total, description=text)
        elif isinstance(row, Epoch):
            steps, since = max(steps, since), 0
            done, epochs = row.epoch, row.epochs
            shown.print(_line(row), markup=False)
        elif isinstance(row, Trained):
            return row
    raise BadValueError("The training ended without a model.")


def _tell(trained: Trained) -> None:
    """Say where the model is, and its scores: of the best epoch where there are epochs."""
    best = f"  best epoch {trained.best_epoch}" if trained.epochs else ""
    typer.echo(f"{trained.folder}  {trained.digest[:12]}{best}")
    scores = trained.scores.get("validation", {})
    own = {name: one[0] for name, one in scores.items() if isinstance(one, list)}
    for name, found in scores.get("best_epoch", own).items():
        typer.echo(f"  {name:<16} {found:.4g}")


def _line(row: Epoch) -> str:
    scores = "  ".join(
        f"{name} {value:.3f}" for name, value in row.scores.items() if name not in ("score", "loss")
    )
    mark = " *" if row.best and row.scores else ""
    return f"{row.epoch:3d}/{row.epochs}  loss {row.loss:.3f}  {scores}  {row.seconds:.0f} s{mark}"
