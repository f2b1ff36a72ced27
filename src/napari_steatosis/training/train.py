"""Training from a dataset to a model folder: a plain loop that yields rows."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import fields
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..core.dataset import Dataset
from ..core.errors import BadValueError
from ..models import WITHOUT_NETWORK
from .ahead import ahead, workers_for
from .beginnings import About, begin
from .checkpoints import checkpoint_of
from .checks import refuse_shared_patients, refuse_taken, remarks
from .classical_rows import classical_rows
from .finish import finished
from .presets import Phases, recipe_for
from .recipe import Recipe, changed
from .rows import Notice, Row, Rows, Step
from .session import Session

Feed = Generator[tuple[torch.Tensor, torch.Tensor], None, None]

SAVE_S = 600.0
"""A checkpoint is written after every epoch, and in a long one when this time has passed, s."""


def train(
    architecture: str,
    training: Dataset,
    validation: Dataset | None = None,
    *,
    preset: str | Recipe | Phases | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    **changes: Any,
) -> Rows:
    """Train a network; the last row is the model, which is also written into a folder.

    All that can be wrong with the data is found before the first row. Closing the iterator
    stops the training; with a folder it is gone on with by ``resume=True``, exactly: the result
    is that of a training that was not stopped, to the last bit.

    Parameters
    ----------
    architecture : str
        Row of MODELS, or ``"smp:unet/resnet34"``, ``"timm:caformer_s18"`` and the like; or a
        shipped model, or the folder of one, to go on from its weights; or ``"classical"``, whose
        preset and fields `napari_steatosis.training.classical_rows` has.
    training : Dataset
        Samples with masks (255: not judged) or, for a classifier, with labels.
    validation : Dataset, optional
        Samples of other patients, which decide when to stop and which weights are best.
    preset : str or Recipe or sequence of Recipe, optional
        A recipe as a published system states it, by name (`napari_steatosis.training.presets`),
        or your own; several are followed one after the other. By default one that suits the
        architecture.
    out : str or Path, optional
        Folder for the model, which must not hold one; it holds a checkpoint until then.
    resume : bool
        Go on from the checkpoint in `out`, if there is one.
    **changes
        Other values of fields of the recipes, their crops and variation (``epochs=20``,
        ``batch=4``, ``blurred=0.5``, ``device="cpu"``), and what is said of the model
        (``name``, ``um_per_px``, ``stain``, ``licence`` ...; see
        `napari_steatosis.training.beginnings.About`).

    Yields
    ------
    Step, Epoch, Predicted, Notice, and last Trained (`napari_steatosis.training.rows`)

    Raises
    ------
    BadValueError
        Where training and validation share patients, a mask has another size than its image or
        an unknown class, there is one class only, or the loss is no longer finite.
    MissingScaleError
        Where the size of a pixel is unknown.
    UnknownNameError
        Where there is no such architecture, preset or field.
    NoMemoryError
        Where a single crop does not fit into memory.

    Examples
    --------
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> tiles = as_dataset(drawn_tiles(4, seed=1, side_px=64))
    >>> small = {"channels": (16,), "down": (1,), "up": ()}
    >>> for row in train("droplet-net", tiles, epochs=1, crop_px=32, parameters=small):
    ...     last = row
    >>> last.model.spec.classes
    ('tissue', 'fat')
    """
    folder = Path(out) if out is not None else None
    if architecture in WITHOUT_NETWORK:
        return classical_rows(training, validation, preset=preset, out=folder, **changes)
    session = begin_session(architecture, training, validation, preset, changes, out=folder)
    return _rows(session, resume)


def begin_session(
    architecture: str,
    training: Dataset,
    validation: Dataset | None,
    preset: str | Recipe | Phases | None,
    changes: Mapping[str, Any],
    *,
    out: Path | None = None,
) -> Session:
    """Check everything, and return a training that has not begun; see `train`."""
    about = {key: value for key, value in changes.items() if key in _ABOUT}
    rest = {key: value for key, value in changes.items() if key not in _ABOUT}
    if not len(training):
        raise BadValueError(f"{training.root or 'The dataset'} has no training sample.")
    refuse_taken(out)
    if validation is not None:
        refuse_shared_patients(training, validation)
    begun = begin(architecture, training, dict(rest.get("parameters", {})))
    recipes = recipe_for(begun.architecture, begun.task, preset)
    if begun.model is not None and preset is None:
        gentle = {"learning_rate": recipes[-1].learning_rate / 4, "epochs": 15}
        recipes = (changed(recipes[-1], gentle),)
    phases = tuple(changed(one, rest) for one in recipes)
    if out is not None and "name" not in about:
        about["name"] = out.name
    return Session(begun, phases, training, validation, About(**about), out)


_ABOUT = {one.name for one in fields(About)}


def _rows(session: Session, resume: bool) -> Rows:
    began = time.perf_counter()
    validation = None if session.validation is None else session.validation.dataset
    for text in (*session.compute_remarks(), *remarks(session.training.dataset, validation)):
        yield Notice(text)
    if resume and session.resume():
        done, step = session.progress.done, session.progress.step
        yield Notice(f"Going on after {done} epochs, at step {step} of this phase.")
    try:
        while True:
            while not session.finished_phase:
                with closing(feed_of(session)) as feed:
                    yield from _epochs(session, feed)
            following = session.progress.phase + 1
            if following == len(session.phases):
                break
            session.enter(following)
    except GeneratorExit:  # between two rows, so between two steps
        session.save()
        raise
    yield finished(session, time.perf_counter() - began)
    if session.out is not None:
        checkpoint_of(session.out).unlink(missing_ok=True)


def feed_of(session: Session) -> Feed:
    """Return the batches that are left of a phase, made ahead.

    Where hard samples are preferred only those of the epoch: which they are is not yet known.
    """
    step, batches = session.progress.step, session.batches
    end = session.recipe.steps
    if session.recipe.crops.hard:
        end = (step // batches.per_epoch + 1) * batches.per_epoch
    workers = workers_for(session.recipe.workers, session.compute.kind)
    return ahead(batches.batch, range(step, end), workers=workers)


def _epochs(session: Session, feed: Feed) -> Iterator[Row]:
    """Do the epochs that a feed has batches for."""
    while True:
        yield from _epoch(session, feed)
        if session.recipe.crops.hard or session.finished_phase:
            return


def _epoch(session: Session, feed: Feed) -> Iterator[Row]:
    began = time.perf_counter()
    yield from steps_of(session, feed)
    rows: Sequence[Row] = ()
    scores: dict[str, float] = {}
    monitor = session.monitor
    if monitor is not None or session.recipe.crops.hard:
        network = session.predicting()
        with _arithmetic(session):
            if monitor is not None:
                scores = monitor.judge(network)
                rows = list(monitor.shown(network, session.progress.done + 1))
            if session.recipe.crops.hard:
                session.prefer_hard(network)
    row = session.end_epoch(scores, began)
    session.save()
    yield row
    yield from rows


def steps_of(session: Session, feed: Feed) -> Iterator[Row]:
    """Do the steps that are left of an epoch; yield a row after each."""
    learner, progress, batches = session.learner, session.progress, session.batches
    recipe = session.recipe
    left = batches.per_epoch - progress.step % batches.per_epoch
    saved = asked = time.perf_counter()
    for rgb, truth in islice(feed, left):
        waited = time.perf_counter() - asked
        torch.manual_seed(_seed(recipe.seed, progress.phase, progress.step))
        rate, part = learner.learning_rate, learner.part
        loss = learner.step(rgb, truth)
        number = progress.step
        progress.step += 1
        progress.loss += loss
        if learner.part != part:
            yield Notice(
                f"The memory of {session.compute.device} is short: from now on a batch of "
                f"{len(rgb)} is computed {learner.part} at a time, which takes longer and gives "
                f"the same steps, but for batch normalisation."
            )
        yield Step(number, loss, rate, waited, time.perf_counter() - asked)
        if session.out is not None and time.perf_counter() - saved > SAVE_S:
            session.save()
            saved = time.perf_counter()
        asked = time.perf_counter()


def _seed(*numbers: int) -> int:
    """Return a seed for dropout, so that a step does not depend on what came before."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _arithmetic(session: Session) -> Any:
    learner = session.learner
    if learner.dtype == torch.float32:
        return nullcontext()
    return torch.autocast(session.compute.kind, learner.dtype)
