"""Training data: samples that are read when they are asked for, and the one table of them."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from .digest import digest
from .errors import BadValueError
from .geometry import Region
from .manifest_rows import COLUMNS, EXTRA_COLUMNS, row_of
from .marks import Marks
from .replacing import replacing

IGNORE = 255
"""Value of a mask where nobody said what there is: in no loss and in no score."""

Severity = Literal["error", "warning", "note"]
SplitBy = Literal["patient", "official", "image"]


class SampleSource(Protocol):
    """What a loader gives: picklable, without an open handle, shared by its samples."""

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """Return ``(y, x, 3) uint8`` RGB."""
        ...

    def mask(self, sample: Sample) -> NDArray[np.uint8] | None:
        """Return ``(y, x) uint8`` class indices with 255 = ignore, or None."""
        ...

    def points(self, sample: Sample) -> Marks | None:
        """Return the marks, or None."""
        ...


@dataclass(frozen=True, eq=False)
class ArraySource:
    """Pixels that are in memory already: drawn tiles, layers of a viewer.

    Parameters
    ----------
    pixels : (y, x, 3) uint8
        RGB.
    classes : (y, x) uint8, optional
        Class indices, 255 = ignore.
    marks : Marks, optional
        Points.

    Examples
    --------
    >>> tile = ArraySource(np.zeros((4, 4, 3), np.uint8))
    >>> Sample("drawn", tile).image().shape
    (4, 4, 3)
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.uint8] | None = None
    marks: Marks | None = None

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """Return the pixels."""
        return self.pixels

    def mask(self, sample: Sample) -> NDArray[np.uint8] | None:
        """Return the class indices."""
        return self.classes

    def points(self, sample: Sample) -> Marks | None:
        """Return the marks."""
        return self.marks


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One image, or one region of a slide, with what is known of it. Nothing is decoded yet.

    Parameters
    ----------
    name : str
        Of this sample in its dataset, for messages and tables.
    source : SampleSource
        Reads the pixels.
    path : str
        Image or slide; a path may lead into a zip file. Empty for pixels in memory.
    region : Region, optional
        Part of a slide, px of the plane at `um_per_px`.
    mask_path, points_path, annotations_path : str
        Where mask, points and QuPath annotations come from; empty where there are none. Two
        mask files joined by ``;`` are the classes 1 and 2.
    label : str
        Class of the whole image, ``"F2"``.
    score : float, optional
        What an expert said of the patient, %.
    patient : str
        Whose tissue it is; empty where unknown.
    slide : str
        Which slide it was cut from; empty where unknown.
    split : str
        Official set: ``"train"``, ``"val"``, ``"test"`` or empty.
    um_per_px : float, optional
        Size of a pixel, um; None where unknown.
    stain, modality, site : str
        ``"H&E"``, ``"histology"`` or ``"ultrasound"``, hospital; empty where unknown.

    Examples
    --------
    >>> tile = ArraySource(np.zeros((4, 6, 3), np.uint8), np.ones((4, 6), np.uint8))
    >>> one = Sample("drawn", tile, patient="P1", um_per_px=0.5)
    >>> one.image().shape, int(one.mask().sum()), one.points(), one.group
    ((4, 6, 3), 24, None, 'P1')
    """

    name: str
    source: SampleSource
    path: str = ""
    region: Region | None = None
    mask_path: str = ""
    points_path: str = ""
    annotations_path: str = ""
    label: str = ""
    score: float | None = None
    patient: str = ""
    slide: str = ""
    split: str = ""
    um_per_px: float | None = None
    stain: str = ""
    modality: str = ""
    site: str = ""

    @property
    def group(self) -> str:
        """The patient, or the sample itself where nobody is named."""
        return self.patient or self.name

    def image(self) -> NDArray[np.uint8]:
        """Read ``(y, x, 3) uint8`` RGB.

        Raises
        ------
        CannotOpenError
            Where it is missing, damaged, or no 8-bit picture.
        """
        return self.source.image(self)

    def mask(self) -> NDArray[np.uint8] | None:
        """Read ``(y, x) uint8`` class indices, 255 = ignore; None where there is no mask.

        Raises
        ------
        CannotOpenError
            Where it is missing or damaged.
        BadValueError
            Where it holds a value that stands for nothing.
        """
        return self.source.mask(self)

    def points(self) -> Marks | None:
        """Read the marks; None where there are none."""
        return self.source.points(self)


@dataclass(frozen=True)
class Finding:
    """Something in a dataset that one must know before training on it.

    Parameters
    ----------
    kind : str
        ``"mask_size"``; one word for one kind of trouble.
    severity : {"error", "warning", "note"}
        Whether training would fail or deceive, suffer, or need to know.
    sample : str
        Name of the sample; empty where it is the dataset.
    message : str
        What was seen.
    remedy : str
        What to do.

    Examples
    --------
    >>> print(Finding("too_small", "warning", "a.png", "It is 20 x 30 px.", "Leave it out."))
    warning, too_small: a.png: It is 20 x 30 px. Leave it out.
    """

    kind: str
    severity: Severity
    sample: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        where = f"{self.sample}: " if self.sample else ""
        return f"{self.severity}, {self.kind}: {where}{self.message} {self.remedy}".rstrip()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples of one task, from whatever source.

    Parameters
    ----------
    samples : tuple of Sample
        In the order of their names or of their manifest.
    classes : tuple of str
        What the labels are, or the indices of the masks; empty where there is neither.
    root : str
        Where it was opened; empty for pixels in memory.
    notes : tuple of str
        What a loader or a split took for granted; a report shows them.
    image_level : bool
        Whether images of one patient may be in both parts of a split. Reports must say so.

    Examples
    --------
    >>> blank = ArraySource(np.zeros((4, 4, 3), np.uint8))
    >>> data = Dataset(tuple(Sample(n, blank, label=n[0]) for n in ("a1", "a2", "b1")), ("a", "b"))
    >>> data.class_weights()
    {'a': 0.75, 'b': 1.5}
    """

    samples: tuple[Sample, ...]
    classes: tuple[str, ...] = ()
    root: str = ""
    notes: tuple[str, ...] = field(default=())
    image_level: bool = False

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def only(self, wanted: Callable[[Sample], bool]) -> Dataset:
        """Return the samples of which a function says yes."""
        return replace(self, samples=tuple(one for one in self.samples if wanted(one)))

    def where(self, **wanted: str) -> Dataset:
        """Return the samples whose fields have these values: ``where(split="train")``.

        Raises
        ------
        BadValueError
            Where no sample has them; the message lists what there is.
        """
        found = self.only(lambda one: all(getattr(one, k) == v for k, v in wanted.items()))
        if not found.samples:
            asked = ", ".join(f"{key} {value!r}" for key, value in wanted.items())
            there = "; ".join(
                f"{key}: {', '.join(sorted({str(getattr(one, key)) for one in self})[:12])}"
                for key in wanted
            )
            raise BadValueError(f"{self.root}: no sample has {asked}. There is {there}.")
        return found

    def class_weights(self) -> dict[str, float]:
        """Return class to weight ``N / (K n_c)`` from the labels: N samples, K classes.

        Raises
        ------
        BadValueError
            Where a sample has no label, or a class no sample.
        """
        counts = Counter(one.label for one in self.samples)
        if counts[""] or not counts:
            raise BadValueError(
                f"{self.root}: {counts['']} of {len(self)} samples have no label, so classes "
                f"cannot be weighted. Give labels in class folders or in a column label."
            )
        if missing := [name for name in self.classes if not counts[name]]:
            raise BadValueError(
                f"{self.root}: the class {missing[0]!r} has no sample here. Split with fewer "
                f"folds, or leave the class out."
            )
        total, names = counts.total(), self.classes or tuple(sorted(counts))
        return {name: total / (len(names) * counts[name]) for name in names}

    @overload
    def split(
        self, by: SplitBy = ..., *, held_out: float = ..., folds: None = ..., seed: int = ...
    ) -> tuple[Dataset, Dataset]: ...

    @overload
    def split(
        self, by: SplitBy = ..., *, held_out: float = ..., folds: int, seed: int = ...
    ) -> tuple[tuple[Dataset, Dataset], ...]: ...

    def split(
        self,
        by: SplitBy = "patient",
        *,
        held_out: float = 0.2,
        folds: int | None = None,
        seed: int = 7,
    ) -> Any:
        """Split into what to train on and what to test on.

        Parameters
        ----------
        by : {"patient", "official", "image"}
            Whole patients, stratified by label or score; the column split; or single images,
            which is optimistic and stamps both parts ``image_level``.
        held_out : float
            About this share of the samples is held out.
        folds : int, optional
            As many pairs, in which every sample is held out once.
        seed : int
            The same seed gives the same split.

        Returns
        -------
        (Dataset, Dataset), or a tuple of such pairs for `folds`

        Raises
        ------
        BadValueError
            One patient only, samples without a patient, more folds than patients, no official
            split.

        Warns
        -----
        SteatosisWarning
            For single images, and where an official split has a patient on both sides.

        Examples
        --------
        >>> blank = ArraySource(np.zeros((4, 4, 3), np.uint8))
        >>> data = Dataset(tuple(Sample(str(n), blank, patient=str(n // 2)) for n in range(10)))
        >>> train, held_out = data.split(by="patient", held_out=0.2, seed=7)
        >>> len(train), len(held_out)
        (8, 2)
        """
        from .splits import split_dataset

        return split_dataset(self, by, held_out=held_out, folds=folds, seed=seed)

    def rows(self, folder: str | os.PathLike[str] | None = None) -> list[dict[str, str]]:
        """Return a row of the manifest per sample; paths are relative to a folder (the root)."""
        start = str(folder if folder is not None else self.root or ".")
        return [row_of(one, start) for one in self.samples]

    def manifest(self, path: str | os.PathLike[str]) -> Path:
        """Write the table of the samples as CSV; `open_dataset` reads it back.

        Raises
        ------
        BadValueError
            Where pixels are in memory only.
        """
        target = Path(path)
        if held := [one.name for one in self.samples if not one.path]:
            raise BadValueError(
                f"{target}: the pixels of {held[0]!r} are in memory, so no table can name their "
                f"file. Save the images first."
            )
        rows = self.rows(target.absolute().parent)
        names = [*COLUMNS, *(name for name in EXTRA_COLUMNS if any(row[name] for row in rows))]
        with (
            replacing(target, overwrite=True) as part,
            part.open("w", newline="", encoding="utf-8") as stream,
        ):
            table = csv.DictWriter(stream, names, extrasaction="ignore", lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        return target

    @property
    def digest(self) -> str:
        """Identity of the table (not of the pixels): equal wherever the folder lies."""
        return digest({"rows": self.rows(), "classes": self.classes})
