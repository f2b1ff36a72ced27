"""Labelled tiles: read from a folder with a manifest, or drawn with known truth."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.dataset import IGNORE, ArraySource, Dataset, Sample
from ..core.errors import BadValueError, CannotOpenError
from ..core.geometry import Region
from .augment import Variation, vary

if TYPE_CHECKING:
    from ..imaging.phantom import DrawnLiver, Style


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
        1 where there is fat, else 0; of other tasks the class; 255 where nobody said.
    label : int
        Class of the whole image; -1 where it has none.
    """

    name: str
    group: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    label: int = -1

    @property
    def fat_fraction(self) -> float:
        """Fat (of other tasks all classes but the first) over the judged pixels of the tile."""
        ignored = int(np.count_nonzero(self.mask == IGNORE))
        return float(np.count_nonzero(self.mask) - ignored) / max(1, self.mask.size - ignored)


def as_dataset(tiles: Iterable[LabelledTile], *, um_per_px: float = 0.5) -> Dataset:
    """Return tiles of tissue and fat as a dataset, for `napari_steatosis.training.train`.

    Examples
    --------
    >>> as_dataset(drawn_tiles(2, seed=1, side_px=48)).classes
    ('tissue', 'fat')
    """
    samples = tuple(
        Sample(
            tile.name,
            ArraySource(tile.image, tile.mask),
            patient=tile.group,
            um_per_px=um_per_px,
        )
        for tile in tiles
    )
    return Dataset(samples, ("tissue", "fat"))


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
    """Draw tiles of liver at 0.5 um per pixel, with much of what a network takes for fat.

    Of twenty tiles six lie at the edge of a piece or at ragged holes, six have no fat but
    many white things, one is packed with large droplets (25 to 45 percent of fat), the
    others are plain. Where nothing else is said the fat is log-uniform between 0.4 and 37
    percent. In a half most sinusoids are open and more or less wide; stains vary beyond those
    of `Style.of_seed`.

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
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        kind = KINDS[number % len(KINDS)]
        liver = _liver_of(kind, rng, side_px)
        window = _window_of(kind, liver, rng, side_px)
        fat = liver.truth(window) == 2
        name = f"drawn-{seed}-{number}"
        yield LabelledTile(name, name, liver.read(0, window), fat.astype(np.uint8))


KINDS = (
    *("free", "plain", "edge", "packed", "torn", "plain", "edge", "free", "plain", "torn"),
    *("free", "plain", "free", "edge", "plain", "free", "plain", "torn", "free", "plain"),
)
"""What the drawn tiles show, in turn."""


def _liver_of(kind: str, rng: np.random.Generator, side_px: int) -> DrawnLiver:
    """Return the liver from which a tile of a kind is cut."""
    from ..imaging.phantom import DrawnLiver, drawn_liver

    percent = float(np.exp(rng.uniform(-1.0, 3.6)))
    if kind == "packed":
        percent = float(rng.uniform(25, 45))
    elif kind == "free" or (kind in ("edge", "torn") and rng.random() < 0.4):
        percent = 0.0
    side = round(2.5 * side_px) if kind in ("edge", "torn") else side_px
    drawn = drawn_liver(
        side,
        side,
        um_per_px=0.5,
        seed=int(rng.integers(2**31)),
        fat_percent=percent,
        glass=kind == "edge",
    ).source
    assert isinstance(drawn, DrawnLiver)
    return replace(drawn, style=_stained(_worn(drawn.style, kind, rng), rng))


def _worn(style: Style, kind: str, rng: np.random.Generator) -> Style:
    """Return a style with more of the white things that are no fat."""
    more: dict[str, Any] = {}
    if rng.random() < 0.5:
        more["sinusoids"] = float(rng.uniform(0.5, 1.0))
        more["dilation"] = float(rng.random())
    if kind in ("edge", "torn"):
        more |= {"fray": float(rng.random()), "debris": float(rng.random())}
    if kind == "packed":
        more |= {"size": 0.95, "swelling": float(rng.uniform(0.3, 1.0))}
    if kind == "torn":
        torn = "loose" if rng.random() < 0.4 else "holes"
        more[torn] = float(rng.uniform(0.6, 1.0))
    if kind in ("free", "torn"):
        seeming = ["holes", "loose", "pallor", "foam", "congestion", "tears"]
        for name in rng.choice(seeming, 2, replace=False):
            more[str(name)] = float(rng.uniform(0.6, 1.0))
    return replace(style, **more)


def _stained(style: Style, rng: np.random.Generator) -> Style:
    """Return a style whose stain is, one time in three, red, pale or purple."""
    stain = rng.choice(["red", "pale", "purple", ""], p=[0.13, 0.1, 0.1, 0.67])
    if stain == "red":
        eosin = (0.16, float(rng.uniform(0.9, 1.15)), float(rng.uniform(0.65, 0.95)))
        return replace(style, eosin=eosin, strength=float(rng.uniform(0.8, 1.4)))
    if stain == "pale":
        return replace(style, strength=float(rng.uniform(0.28, 0.45)))
    if stain == "purple":
        eosin = (float(rng.uniform(0.3, 0.45)), 0.8, float(rng.uniform(0.3, 0.45)))
        return replace(style, eosin=eosin, basophilia=float(rng.uniform(0.3, 0.6)))
    return style


def _window_of(kind: str, liver: DrawnLiver, rng: np.random.Generator, side_px: int) -> Region:
    """Return the window of a tile; at edges and holes one with 10 to 80 percent of glass."""
    corners = np.zeros((1, 2), np.int64)
    if kind in ("edge", "torn"):
        corners = rng.integers(0, liver.height - side_px + 1, (40, 2))
    points = np.arange(0.5, 24) * side_px / 24
    glass = []
    for y, x in corners:
        rows, columns = liver.um_per_px * (y + points), liver.um_per_px * (x + points)
        deep = liver.scene.outline.depth(rows[:, None], columns[None, :])
        glass.append(float((deep <= 0).mean()))
        if 0.1 <= glass[-1] <= 0.8:
            break
    y, x = corners[int(np.argmin(np.abs(np.array(glass) - 0.45)))]
    return Region(y=int(y), x=int(x), height=side_px, width=side_px)


def batches(
    sources: Sequence[tuple[float, Sequence[LabelledTile]]],
    rng: np.random.Generator,
    *,
    batch: int = 8,
    crop_px: int = 256,
    floor: float = 0.15,
    variation: Variation | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield varied crops without end.

    Parameters
    ----------
    sources : sequence of (share, tiles)
        Each crop comes from one of them, with a probability in proportion to its share.
        Within a source a tile is drawn in proportion to `floor` + sqrt(fat fraction), so
        that the few fatty tiles are not drowned and those without fat are still seen.
    rng : numpy.random.Generator
        Decides everything.
    batch : int
        Crops per batch.
    crop_px : int
        Side of a crop, px.
    floor : float
        Weight of a tile without fat; the larger, the more often such tiles are seen.
    variation : Variation, optional
        How far the crops vary.

    Yields
    ------
    (batch, 3, crop, crop) float32 RGB 0 to 255, (batch, 1, crop, crop) float32 mask
    """
    shares = np.array([share for share, _ in sources], float)
    weights = []
    for _, tiles in sources:
        weight = np.array([floor + np.sqrt(tile.fat_fraction) for tile in tiles])
        weights.append(weight / weight.sum())
    while True:
        crops = []
        for _ in range(batch):
            source = rng.choice(len(shares), p=shares / shares.sum())
            tile = sources[source][1][rng.choice(len(weights[source]), p=weights[source])]
            crops.append(vary(tile.image, tile.mask, rng, crop_px=crop_px, variation=variation))
        yield torch.stack([rgb for rgb, _ in crops]), torch.stack([mask for _, mask in crops])
