"""Labelled tiles: read from a folder with a manifest, or drawn with known truth."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.errors import BadValueError, CannotOpenError
from .augment import Variation, vary


@dataclass(frozen=True, eq=False)
class LabelledTile:
    """One image with its fat marked.

    Parameters
    ----------
    name : str
        For messages and tables.
    group : str
        What must not be split between training and validation: a patient.
    image : (y, x, 3) uint8
        RGB.
    mask : (y, x) uint8
        1 where there is fat, else 0.
    """

    name: str
    group: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]

    @property
    def fat_fraction(self) -> float:
        """Fat over all pixels of the tile."""
        return float(np.count_nonzero(self.mask)) / self.mask.size


def read_tiles(folder: str | Path, split: str) -> list[LabelledTile]:
    """Read the tiles of one split.

    Parameters
    ----------
    folder : str or Path
        Holds ``manifest.csv`` with the columns path, mask_path, split and group; paths are
        relative to the folder. Masks are grey images, fat where they exceed 127.
    split : str
        Value of the column split.

    Raises
    ------
    CannotOpenError
        Where the manifest or an image cannot be read.
    BadValueError
        Where no row has this split, or an image and its mask differ in size.
    """
    manifest = Path(folder) / "manifest.csv"
    try:
        with manifest.open(newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    except (OSError, KeyError) as error:
        raise CannotOpenError(
            f"{manifest} cannot be read as a list of tiles ({error}). It needs the columns "
            f"path, mask_path, split, group."
        ) from error
    if not rows:
        raise BadValueError(f"{manifest} has no row whose split is {split!r}.")
    return [_read(Path(folder), row) for row in rows]


def _read(folder: Path, row: dict[str, str]) -> LabelledTile:
    from PIL import Image

    try:
        image = np.asarray(Image.open(folder / row["path"]).convert("RGB"))
        mask = np.asarray(Image.open(folder / row["mask_path"]).convert("L"))
    except OSError as error:
        raise CannotOpenError(
            f"{folder / row['path']} or its mask {row['mask_path']} cannot be read ({error})."
        ) from error
    if image.shape[:2] != mask.shape:
        raise BadValueError(
            f"{folder / row['path']} is {image.shape[:2]} px and its mask {mask.shape}."
        )
    return LabelledTile(row["path"], row["group"], image, (mask > 127).astype(np.uint8))


def drawn_tiles(count: int, *, seed: int, side_px: int = 416) -> Iterator[LabelledTile]:
    """Draw tiles of liver at 0.5 um per pixel.

    A quarter of them has no fat; an eighth shows the edge of a piece on glass. The fat of
    the others is log-uniform between 0.4 and 37 percent.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        The same seed gives the same tiles.
    side_px : int
        Height and width, px.

    Examples
    --------
    >>> [tile.mask.shape for tile in drawn_tiles(1, seed=1, side_px=48)]
    [(48, 48)]
    """
    from ..core.geometry import Region
    from ..imaging.phantom import DrawnLiver, drawn_liver

    whole = Region(y=0, x=0, height=side_px, width=side_px)
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        source = drawn_liver(
            side_px,
            side_px,
            um_per_px=0.5,
            seed=int(rng.integers(2**31)),
            fat_percent=0.0 if number % 4 == 0 else float(np.exp(rng.uniform(-1.0, 3.6))),
            glass=number % 8 == 3,
        ).source
        assert isinstance(source, DrawnLiver)
        fat = source.truth(whole) == 2
        name = f"drawn-{seed}-{number}"
        yield LabelledTile(name, name, source.read(0, whole), fat.astype(np.uint8))


def batches(
    sources: Sequence[tuple[float, Sequence[LabelledTile]]],
    rng: np.random.Generator,
    *,
    batch: int = 8,
    crop_px: int = 256,
    variation: Variation | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield varied crops without end.

    Parameters
    ----------
    sources : sequence of (share, tiles)
        Each crop comes from one of them, with a probability in proportion to its share.
        Within a source a tile is drawn in proportion to 0.15 + sqrt(fat fraction), so that
        the few fatty tiles are not drowned and those without fat are still seen.
    rng : numpy.random.Generator
        Decides everything.
    batch : int
        Crops per batch.
    crop_px : int
        Side of a crop, px.
    variation : Variation, optional
        How far the crops vary.

    Yields
    ------
    (batch, 3, crop, crop) float32 RGB 0 to 255, (batch, 1, crop, crop) float32 mask
    """
    shares = np.array([share for share, _ in sources], float)
    weights = []
    for _, tiles in sources:
        weight = np.array([0.15 + np.sqrt(tile.fat_fraction) for tile in tiles])
        weights.append(weight / weight.sum())
    while True:
        crops = []
        for _ in range(batch):
            source = rng.choice(len(shares), p=shares / shares.sum())
            tile = sources[source][1][rng.choice(len(weights[source]), p=weights[source])]
            crops.append(vary(tile.image, tile.mask, rng, crop_px=crop_px, variation=variation))
        yield torch.stack([rgb for rgb, _ in crops]), torch.stack([mask for _, mask in crops])
