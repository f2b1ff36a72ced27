"""The samples of a dataset as what training sees: checked, at one scale, kept in memory."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import psutil
from numpy.typing import NDArray

from ..core.dataset import IGNORE, Dataset, Sample
from ..core.errors import BadValueError
from ..models._prepare import prepared
from .tiles import LabelledTile

Task = Literal["segmentation", "classification"]

SAME_SCALE = 0.05
"""Pixel sizes that differ by less than this share are one."""

KEPT = 0.25
"""Share of the free memory that decoded samples may take."""


@dataclass(frozen=True)
class Wanted:
    """What training wants of every sample.

    Parameters
    ----------
    task : {"segmentation", "classification"}
    classes : tuple of str
        In the order of the probabilities.
    um_per_px : float, optional
        Scale that samples of known pixel size are brought to; None leaves them.
    side_px : int, optional
        Side of what a classifier sees. Whole samples of unknown pixel size are brought to it.
    preparation : str
        What is done to each image (`napari_steatosis.models._prepare`).
    """

    task: Task
    classes: tuple[str, ...]
    um_per_px: float | None = None
    side_px: int | None = None
    preparation: str = ""


class Samples(Sequence[LabelledTile]):
    """Samples that are decoded when they are asked for, and kept while memory allows.

    Parameters
    ----------
    dataset : Dataset
        Samples with masks, or with labels.
    wanted : Wanted
        What is made of each.
    """

    def __init__(self, dataset: Dataset, wanted: Wanted) -> None:
        self.dataset, self.wanted = dataset, wanted
        self._kept: dict[int, LabelledTile] = {}
        self._room = int(KEPT * psutil.virtual_memory().available)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> LabelledTile:  # type: ignore[override]
        found = self._kept.get(index)
        if found is None:
            found = loaded(self.dataset[index], self.wanted)
            size = found.image.nbytes + (found.mask.nbytes if found.label < 0 else 0)
            if size <= self._room:
                self._kept[index] = found
                self._room -= size
        return found

    def __iter__(self) -> Iterator[LabelledTile]:
        return (self[index] for index in range(len(self)))


def loaded(sample: Sample, wanted: Wanted) -> LabelledTile:
    """Read a sample, and bring it to the scale or side that is wanted.

    Raises
    ------
    BadValueError
        Where it has no mask or label, a mask of another size, or one with an unknown class.
    """
    image = sample.image()
    if wanted.task == "classification":
        label = _label(sample, wanted.classes)
        image = prepared(_for_classifier(image, sample.um_per_px, wanted), wanted.preparation)
        none = np.broadcast_to(np.uint8(0), image.shape[:2])
        return LabelledTile(sample.name, sample.group, image, none, label)
    mask = _checked(sample, sample.mask(), image, wanted.classes)
    size, scale = (image.shape[0], image.shape[1]), sample.um_per_px
    if scale and wanted.um_per_px and abs(scale / wanted.um_per_px - 1) > SAME_SCALE:
        size = _size_at(image, scale / wanted.um_per_px)
    if size != image.shape[:2]:
        image, mask = _resized(image, size), _resized(mask, size)
    return LabelledTile(sample.name, sample.group, prepared(image, wanted.preparation), mask)


def _for_classifier(
    image: NDArray[np.uint8], um_per_px: float | None, wanted: Wanted
) -> NDArray[np.uint8]:
    """Return an image at the scale that is wanted, whatever its size then is.

    Where its pixel size is unknown all of it becomes one square: its scale is that of the others
    only if they show as much.
    """
    if um_per_px and wanted.um_per_px:
        return _resized(image, _size_at(image, um_per_px / wanted.um_per_px))
    if wanted.side_px is not None:
        return _resized(image, (wanted.side_px, wanted.side_px))
    return image


def _size_at(image: NDArray[np.uint8], factor: float) -> tuple[int, int]:
    height, width = (max(1, round(length * factor)) for length in image.shape[:2])
    return height, width


def _label(sample: Sample, classes: tuple[str, ...]) -> int:
    if sample.label not in classes:
        said = f"the label {sample.label!r}" if sample.label else "no label"
        raise BadValueError(
            f"{sample.name} has {said}; the classes are {', '.join(classes)}. Give it one of "
            f"them, or leave it out."
        )
    return classes.index(sample.label)


def _checked(
    sample: Sample,
    mask: NDArray[np.uint8] | None,
    image: NDArray[np.uint8],
    classes: tuple[str, ...],
) -> NDArray[np.uint8]:
    if mask is None:
        raise BadValueError(
            f"{sample.name} has no mask, which training of a segmenter needs. Give it one, or "
            f"leave it out."
        )
    if mask.shape != image.shape[:2]:
        raise BadValueError(
            f"{sample.name} is {image.shape[0]} x {image.shape[1]} px, but its mask "
            f"{mask.shape[0]} x {mask.shape[1]}. Save the mask at the size of the image."
        )
    values = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    unknown = [int(v) for v in values if v >= len(classes) and v != IGNORE]
    if unknown:
        raise BadValueError(
            f"The mask of {sample.name} holds the value {unknown[0]}, but there are the classes "
            f"{', '.join(f'{i} {name}' for i, name in enumerate(classes))} (and {IGNORE}: not "
            f"judged). Correct the mask, or name the class."
        )
    return mask


def _resized(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return pixels at another size: images averaged, masks of the nearest class."""
    from PIL import Image

    if pixels.shape[:2] == size:
        return pixels
    how = Image.Resampling.BOX if pixels.ndim == 3 else Image.Resampling.NEAREST
    if pixels.ndim == 3 and size[0] > pixels.shape[0]:
        how = Image.Resampling.BILINEAR
    return np.array(Image.fromarray(pixels).resize((size[1], size[0]), how))


@dataclass(frozen=True)
class Census:
    """What the samples hold, counted in one pass before the first epoch.

    Parameters
    ----------
    counts : tuple of int
        Judged pixels, or samples, of each class.
    ignoring : bool
        Whether there are pixels that are not judged.
    digest : str
        SHA-256 of all pixels, masks and labels, in order.
    """

    counts: tuple[int, ...]
    ignoring: bool
    digest: str


def census(samples: Samples) -> Census:
    """Read every sample once, and count; a bad sample is an error here, before any training."""
    counts: Counter[int] = Counter()
    found, ignoring = hashlib.sha256(repr(samples.wanted.classes).encode()), False
    for tile in samples:
        found.update(f"{tile.name} {tile.group} {tile.label} {tile.image.shape}".encode())
        found.update(tile.image.tobytes())
        if samples.wanted.task == "classification":
            counts[tile.label] += 1
            continue
        found.update(tile.mask.tobytes())
        seen = np.bincount(tile.mask.ravel(), minlength=256)
        ignoring |= bool(seen[IGNORE])
        counts.update({i: int(seen[i]) for i in range(len(samples.wanted.classes))})
    total = tuple(counts[i] for i in range(len(samples.wanted.classes)))
    return Census(total, ignoring, found.hexdigest())
