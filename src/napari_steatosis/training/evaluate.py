"""Measure a model on labelled images: the one way, in training and after it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import IGNORE, Dataset
from ..core.errors import BadValueError, MissingScaleError
from ..core.model import Model
from .class_scores import Score, class_scores, drawn_score
from .class_windows import class_chances
from .detections import average_precision, detections
from .evaluation import ONE_PATIENT, Scores, remarks_on
from .fat_levels import count_levels
from .metrics import Counts, count_tile, scores
from .samples import Samples, Wanted
from .tiles import LabelledTile

if TYPE_CHECKING:
    from .detections import Detections


def fat_of(model: Model, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return how probable fat is in an image of any size, and where it is found.

    Found is fat from the threshold of a model of two classes on; of more, where fat is the
    likeliest. The image is mirrored up to the model's multiple.

    Parameters
    ----------
    model : Model
        A segmenter with a class ``"fat"``, or with two classes of which the last is fat.
    image : (y, x, 3) uint8
        At the resolution of the model.

    Returns
    -------
    (y, x) float32, (y, x) bool
    """
    index = fat_index(model)
    height, width = image.shape[:2]
    multiple = model.spec.multiple_px
    padding = ((0, -height % multiple), (0, -width % multiple), (0, 0))
    padded = image
    if any(map(any, padding)):
        far = max(max(pair) for pair in padding) >= min(height, width)
        padded = np.pad(image, padding, mode="symmetric" if far else "reflect")
    chances = model.predict(padded[None])[0, :, :height, :width]
    chance = chances[index]
    two = len(chances) == 2
    return chance, chance >= model.spec.threshold if two else chances.argmax(0) == index


def fat_index(model: Model) -> int:
    """Return which class of a segmenter is fat.

    Raises
    ------
    BadValueError
        Where none is.
    """
    classes = model.spec.classes
    if len(classes) == 2:
        return 1
    if "fat" in classes:
        return classes.index("fat")
    raise BadValueError(
        f"Model {model.spec.name!r} has the classes {', '.join(classes)}, and none is called fat."
    )


def predicted_fat(model: Model, image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where a model finds fat, ``(y, x) bool``; see `fat_of`."""
    return fat_of(model, image)[1]


def evaluate(
    model: Model, dataset: Dataset, *, split: str | None = None, draws: int = 1000
) -> Scores:
    """Score a model on labelled images that it was not trained on.

    Images are brought to the pixel size of the model (box average or bilinear; masks by the
    nearest pixel; for a segmenter where it differs by more than 5 %). Any size goes: what the
    network's multiple lacks is mirrored, and a classifier sees an image larger than its tile
    through windows, whose probabilities are averaged as on a slide. For a classifier an image of
    unknown pixel size becomes one square of its tile, as in training. Mask pixels of 255 are in no
    score.

    Parameters
    ----------
    model : Model
        A segmenter that knows fat, or a classifier.
    dataset : Dataset
        With masks, or with labels that are the classes of the model.
    split : str, optional
        Only the samples of this official set: ``"val"``.
    draws : int
        Bootstrap draws of patients for the 95 % intervals (percentiles).

    Returns
    -------
    Scores
        With what must be known of them in ``notes``: an image-level split, patients that the model
        was trained on, unknown patients, images that were resampled.

    Raises
    ------
    BadValueError
        Where a sample has no mask or label, or one that does not fit.
    MissingScaleError
        Where a segmenter is given images of unknown pixel size.

    Examples
    --------
    >>> from napari_steatosis.models import load_model
    >>> from napari_steatosis.training.tiles import as_dataset, drawn_tiles
    >>> tiles = as_dataset(drawn_tiles(2, seed=1, side_px=64))
    >>> found = evaluate(load_model("steatosis-he-drawn", device="cpu"), tiles, draws=20)
    >>> found.n, found.groups, 0 <= found.values["jaccard_mean"].value <= 1
    (2, 2, True)
    """
    data = dataset if split is None else dataset.where(split=split)
    if not len(data):
        raise BadValueError(f"{dataset.root or 'The dataset'} has no sample to evaluate on.")
    samples = Samples(data, wanted_by(model, data))
    notes = remarks_on(model, dataset, data)
    given: dict[str, Any] = {
        "model": model.spec.name,
        "digest": model.digest,
        "task": model.spec.task,
        "dataset": data.root,
        "dataset_digest": data.digest,
        "split": split or "",
        "arithmetic": dict(model.arithmetic),
        "names": tuple(one.name for one in data),
        "patients": tuple(one.group for one in data),
        "sets": tuple(one.split for one in data),
        "notes": notes,
    }
    made = _classes if model.spec.task == "classification" else _fat
    return with_intervals(made(model, samples, draws, given))


def with_intervals(found: Scores) -> Scores:
    """Return scores without intervals where they are of one patient, who cannot be drawn anew."""
    if found.groups > 1:
        return found

    def alone(scores: Mapping[str, Score]) -> dict[str, Score]:
        return {name: Score(one.value, np.nan, np.nan) for name, one in scores.items()}

    by_class = {kind: alone(scores) for kind, scores in found.by_class.items()}
    notes = (*found.notes, f"{ONE_PATIENT}.")
    return replace(found, values=alone(found.values), by_class=by_class, notes=notes)


def wanted_by(model: Model, data: Dataset) -> Wanted:
    """Return what is made of a sample before a model sees it; as in training.

    Raises
    ------
    MissingScaleError
        Where a segmenter is given images of unknown pixel size.
    """
    spec = model.spec
    if spec.task == "classification":
        return Wanted("classification", spec.classes, spec.um_per_px, spec.tile_px)
    if unknown := [one.name for one in data if not one.um_per_px]:
        raise MissingScaleError(
            f"{unknown[0]} has no pixel size ({len(unknown)} of {len(data)} samples), and model "
            f"{spec.name!r} works at {spec.um_per_px:g} um per pixel. State it: in the column "
            f"um_per_px of the manifest, open_dataset(..., um_per_px=0.5), or --mpp 0.5."
        )
    return Wanted("segmentation", data.classes or ("tissue", "fat"), um_per_px=spec.um_per_px)


def true_fat(tile: LabelledTile, classes: tuple[str, ...]) -> NDArray[np.bool_]:
    """Return where the mask of a tile says fat: the class of this name, or all but the first."""
    if len(classes) > 2 and "fat" in classes:
        fat: NDArray[np.bool_] = tile.mask == classes.index("fat")
    else:
        fat = (tile.mask > 0) & (tile.mask != IGNORE)
    return fat


def count_fat(
    model: Model, tiles: Iterable[LabelledTile], classes: tuple[str, ...] = ("tissue", "fat")
) -> tuple[list[Counts], list[Detections], list[str]]:
    """Return counts, found droplets and patient of each tile, at the resolution of the model."""
    counts, found, groups = [], [], []
    for tile in tiles:
        count, own, _ = judge_tile(model, tile, classes)
        counts.append(count)
        found.append(own)
        groups.append(tile.group)
    return counts, found, groups


def judge_tile(
    model: Model, tile: LabelledTile, classes: tuple[str, ...]
) -> tuple[Counts, Detections, NDArray[np.int32]]:
    """Return counts and found droplets of a tile, and its pixels by their probability of fat."""
    judged = tile.mask != IGNORE
    chance, fat = fat_of(model, tile.image)
    fat, truth = fat & judged, true_fat(tile, classes) & judged
    counts = count_tile(fat, truth, model.spec.um_per_px, judged=judged)
    return counts, detections(chance, fat, truth), count_levels(chance, truth, judged)


def fat_scores(model: Model, tiles: Iterable[LabelledTile], *, draws: int = 2000) -> dict[str, Any]:
    """Return the scores that a model folder states; see `napari_steatosis.training.metrics.scores`.

    Parameters
    ----------
    model : Model
        Segments into tissue and fat.
    tiles : iterable of LabelledTile
        At its resolution, which it was not trained on.
    draws : int
        Bootstrap draws.
    """
    counts, _, groups = count_fat(model, tiles)
    return scores(counts, groups, draws=draws)


def _fat(model: Model, samples: Samples, draws: int, given: dict[str, Any]) -> Scores:
    each = [judge_tile(model, tile, samples.wanted.classes) for tile in samples]
    counts, found = [one for one, _, _ in each], [one for _, one, _ in each]
    groups = [one.group for one in samples.dataset]
    made = scores(counts, groups, draws=draws)
    spans = {name: one for name, one in made.items() if one is None or isinstance(one, list)}
    values = {
        "jaccard_pooled" if name == "jaccard" else name: Score(*(one or [np.nan] * 3))
        for name, one in spans.items()
    }
    values["droplet_ap"] = _precision_score(found, groups, draws)
    return Scores(
        **given,
        classes=model.spec.classes,
        values=values,
        counts={
            "tiles": made["tiles"],
            "fat_free_tiles": made["fat_free_tiles"],
            "droplets": made["droplets"],
        },
        tiles=tuple(counts),
        detections=tuple(found),
        levels=np.stack([one for _, _, one in each]),
    )


def _precision_score(found: list[Detections], groups: list[str], draws: int) -> Score:
    unique, index = np.unique(np.asarray(groups), return_inverse=True)
    chance = np.full(len(unique), 1 / len(unique))
    times = np.random.default_rng(0).multinomial(len(unique), chance, size=draws)
    value = average_precision(found)
    spread = np.array([average_precision(found, of[index]) for of in times])
    return drawn_score(np.concatenate([[value], spread]))


def _classes(model: Model, samples: Samples, draws: int, given: dict[str, Any]) -> Scores:
    truth: list[int] = []

    def images() -> Iterator[NDArray[np.uint8]]:
        for tile in samples:
            truth.append(tile.label)
            yield tile.image

    chance = np.stack(list(class_chances(model.predict, images(), model.spec.tile_px)))
    labels = np.array(truth)
    made = class_scores(
        labels, chance, classes=model.spec.classes, groups=given["patients"], draws=draws
    )
    return Scores(
        **given,
        classes=made.classes,
        values=dict(made.overall),
        by_class=made.by_class,
        counts=dict(zip(made.classes, made.confusion.sum(1).tolist(), strict=True)),
        truth=labels,
        probabilities=chance,
    )
