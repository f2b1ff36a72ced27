"""What must be right before the first epoch; each fault is an error that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..core.dataset import Dataset
from ..core.errors import BadValueError
from .samples import Census


def refuse_shared_patients(training: Dataset, validation: Dataset) -> None:
    """Raise `BadValueError` where patients are in both, unless a split by images says so."""
    if training.image_level or validation.image_level:
        return
    both = {one.patient for one in training if one.patient}
    both &= {one.patient for one in validation if one.patient}
    if both:
        some = ", ".join(sorted(both)[:3])
        raise BadValueError(
            f"{len(both)} patients are both in training and in validation ({some}), so the scores "
            f"would be too good. Split by patient (dataset.split()), or by images "
            f"(split(by='image')), which stamps the model."
        )


def refuse_taken(out: Path | None) -> None:
    """Raise `BadValueError` where a folder holds a model."""
    if out is not None and (out / "model.json").exists():
        raise BadValueError(f"{out} holds a model already. Give another folder, or move it away.")


def refuse_unlearnable(counts: Census, classes: tuple[str, ...], task: str) -> None:
    """Raise `BadValueError` where the samples show fewer than two classes."""
    seen = [name for name, count in zip(classes, counts.counts, strict=True) if count]
    if len(seen) > 1:
        return
    if task == "classification":
        raise BadValueError(
            f"All training samples are of the class {seen[0]!r}; there is nothing to tell apart. "
            f"Add samples of {', '.join(name for name in classes if name not in seen)}."
            if seen
            else "There is no training sample."
        )
    found = f"only {seen[0]!r}" if seen else "nothing that is judged"
    raise BadValueError(
        f"The training masks show {found}; there is nothing to tell apart. Mark at least one "
        f"{' or '.join(classes[1:])}, and check how the masks are encoded."
    )


def refuse_odd_windows(architecture: str, crop_px: int, stride_px: int) -> None:
    """Raise `BadValueError` where a classifier cannot see, later, as much as in training."""
    if crop_px % stride_px:
        below = crop_px // stride_px * stride_px
        sides = " or ".join(str(side) for side in (below, below + stride_px) if side)
        raise BadValueError(
            f"crop_px is {crop_px}, but {architecture} sees squares of a multiple of {stride_px} "
            f"px. Take {sides}, so that it sees images at one scale in training and after."
        )


def remarks(training: Dataset, validation: Dataset | None) -> Iterator[str]:
    """Yield what one should know of the data, in sentences."""
    if validation is None or not len(validation):
        yield (
            "There are no validation samples: nothing says when to stop or how good the model "
            "is. The weights of the last epoch are kept."
        )
    elif training.image_level or validation.image_level:
        yield (
            "Training and validation were split by images, so a patient may be in both: the "
            "scores are optimistic, and the model says so."
        )
    elif any(not one.patient for one in (*training, *validation)):
        yield (
            "The patients of some samples are unknown: images of one patient may be both in "
            "training and in validation."
        )
