"""Tiles that somebody annotated, added to a folder that `open_dataset` reads."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ...core.dataset import IGNORE
from ...core.errors import BadValueError
from ...core.manifest_rows import COLUMNS
from ...core.marks import Marks
from ...core.replacing import replacing
from .manifest import NAME, SPELLINGS
from .stated import note_of, stated_classes
from .tables import Rows, meant_by, read_table


@dataclass(frozen=True, eq=False)
class Annotated:
    """A part of a slide that somebody annotated.

    Parameters
    ----------
    name : str
        Of its files; the same name replaces what was saved before.
    image : (y, x, 3) uint8
        RGB.
    mask : (y, x) uint8
        Index into `classes`; 255 where nobody said.
    classes : tuple of str
        At least two.
    um_per_px : float
        Size of a pixel, um.
    slide, patient, stain : str
        As in `napari_steatosis.core.dataset.Sample`.
    marks : Marks, optional
        Points, px of the image.
    """

    name: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    classes: tuple[str, ...]
    um_per_px: float
    slide: str = ""
    patient: str = ""
    stain: str = ""
    marks: Marks | None = None

    def __post_init__(self) -> None:
        if self.mask.shape != self.image.shape[:2]:
            raise BadValueError(f"{self.name}: image and mask differ in size.")
        named = self.mask[self.mask != IGNORE]
        if not named.size and (self.marks is None or not self.marks.labels):
            raise BadValueError(
                f"Nothing is annotated in {self.name!r}. Paint in it, or set points, and save then."
            )
        if named.size and named.max() >= len(self.classes):
            raise BadValueError(
                f"{self.name} holds the label {int(named.max()) + 1}, but there are the classes "
                f"{', '.join(f'{i} {one}' for i, one in enumerate(self.classes, start=1))}. Paint "
                f"it over, or name the class."
            )


def add_annotated(folder: str | os.PathLike[str], tile: Annotated) -> Path:
    """Write image, mask and points of a tile and its row of the manifest.

    The row comes last: what is half-written is in no dataset.

    Parameters
    ----------
    folder : path
        Of the dataset; it is made where there is none. Other rows and columns of its manifest stay.
    tile : Annotated
        What to add.

    Returns
    -------
    Path
        The image.

    Raises
    ------
    BadValueError
        Where the dataset holds masks of other classes.

    Examples
    --------
    >>> from napari_steatosis.io import open_dataset
    >>> rgb, mask = np.full((8, 8, 3), 200, np.uint8), np.zeros((8, 8), np.uint8)
    >>> made = add_annotated("mine", Annotated("a", rgb, mask, ("tissue", "fat"), 0.5))
    >>> open_dataset("mine").classes
    ('tissue', 'fat')
    """
    from PIL import Image

    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(str(root / ".annotating.lock")):
        names, rows = _table(root / NAME)
        _check_classes(root, rows, names, tile)
        row = {"path": f"images/{tile.name}.png", "mask_path": f"masks/{tile.name}.png"}
        with replacing(root / row["mask_path"], overwrite=True) as part:
            Image.fromarray(tile.mask).save(part, format="PNG", pnginfo=note_of(tile.classes))
        with replacing(root / row["path"], overwrite=True) as part:
            Image.fromarray(tile.image).save(part, format="PNG")
        if tile.marks is not None and tile.marks.labels:
            row["points_path"] = f"points/{tile.name}.csv"
            _write_points(root / row["points_path"], tile.marks)
        row |= {"patient": tile.patient, "slide": tile.slide, "stain": tile.stain}
        row["mpp"] = repr(float(tile.um_per_px))
        _write_table(root / NAME, names, rows, row)
    return root / row["path"]


def annotated_in(folder: str | os.PathLike[str]) -> list[dict[str, str]]:
    """Return the rows of the manifest of a folder: path, mask_path, patient, slide; none if new.

    Raises
    ------
    BadValueError
        Where the table cannot be used.
    """
    path = Path(folder) / NAME
    names, rows = _table(path)
    given = _given(names, path)
    keys = ("path", "mask_path", "patient", "slide", "mpp")
    return [{key: row.get(given.get(_field(key), key), "") for key in keys} for row in rows]


def _table(path: Path) -> tuple[list[str], Rows]:
    return read_table(str(path)) if path.exists() else (list(COLUMNS), [])


def _field(column: str) -> str:
    return SPELLINGS[column]


def _given(names: Sequence[str], path: Path) -> dict[str, str]:
    return {field: name for name, field in meant_by(names, SPELLINGS, str(path)).items()}


def _check_classes(root: Path, rows: Rows, names: list[str], tile: Annotated) -> None:
    column = _given(names, root / NAME).get("mask_path")
    masks = [row[column] for row in rows if column and row.get(column)]
    own = f"masks/{tile.name}.png"
    others = [mask for mask in masks if mask != own]
    if not others:
        return
    there = stated_classes(str(root / others[0]))
    if there != tile.classes:
        said = "masks of another program" if there is None else f"the classes {', '.join(there)}"
        raise BadValueError(
            f"{root} holds {said}, not {', '.join(tile.classes)}. Give another folder, or name the "
            f"classes alike."
        )


def _write_points(path: Path, marks: Marks) -> None:
    with (
        replacing(path, overwrite=True) as part,
        part.open("w", newline="", encoding="utf-8") as stream,
    ):
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(("x", "y", "label"))
        for (y, x), label in zip(marks.places.tolist(), marks.labels, strict=True):
            table.writerow((x, y, label))


def _write_table(path: Path, names: list[str], rows: Rows, row: dict[str, str]) -> None:
    given = _given(names, path)
    new: dict[str, Any] = {given.get(_field(key), key): cell for key, cell in row.items()}
    key = given.get("path", "path")
    kept = [one for one in rows if one.get(key) != new[key]]
    columns = [*names, *(name for name in new if name not in names)]
    with (
        replacing(path, overwrite=True) as part,
        part.open("w", newline="", encoding="utf-8") as stream,
    ):
        table = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
        table.writeheader()
        table.writerows([*kept, new])
