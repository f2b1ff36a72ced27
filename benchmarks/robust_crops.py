"""Crops in pairs that must be judged alike: as they are, and restained or made coarse.

A tile is fitted to itself by every method of stain normalisation, and then mapped to a random
reference; or it is brought to 1 um/px and back, as slides of that pixel size are read. Both crops
of a pair are then varied in the same way. What is fat stays fat, so both have one mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from stain_fat import slide_of
from torch import Tensor, nn

from napari_steatosis.core.dataset import IGNORE
from napari_steatosis.core.errors import BadValueError
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.resample import box_mean, resample
from napari_steatosis.imaging.phantom import drawn_liver
from napari_steatosis.imaging.references import REFERENCES, Reference, pair_of
from napari_steatosis.imaging.stain import STAINS, stain_of_sample
from napari_steatosis.imaging.stain_sample import sample_stain
from napari_steatosis.training.augment import Variation, vary
from napari_steatosis.training.losses import bce_dice, objective
from napari_steatosis.training.tiles import LabelledTile

RESTAINED, COARSE = 0.85, 0.3
"""Share of the second crops whose stain is changed, and that are made coarse."""

MILD = Variation(
    log_scale=0.2,
    stain_gain=(0.9, 1.1),
    stain_shift=0.01,
    gamma=(0.9, 1.1),
    contrast=0.05,
    brightness=0.02,
    channel=0.02,
    blurred=0.1,
    noise=0.01,
)
"""Half of the pairs vary no more than this: slides as they are."""

CONSISTENCY = 30.0
"""Weight of the mean square difference between the probabilities of a pair."""


@dataclass(frozen=True, eq=False)
class Restainable:
    """A tile and the transforms that were fitted to it."""

    tile: LabelledTile
    transforms: tuple[Any, ...]


def restainable(tile: LabelledTile) -> Restainable:
    """Fit every method to a tile; those that cannot be fitted are left out."""
    found = []
    try:
        sample = sample_stain(slide_of(tile.image, 0.5))
    except BadValueError:
        return Restainable(tile, ())
    for method in STAINS:
        by_hand: dict[str, Any] = {"stains": "H&E"} if method == "matrix" else {}
        try:
            found.append(stain_of_sample(sample, method=method, **by_hand))
        except BadValueError:
            continue
    return Restainable(tile, tuple(found))


def random_reference(rng: np.random.Generator) -> Reference:
    """Return a reference between and around the built-in ones."""
    share = rng.dirichlet(np.ones(len(REFERENCES)))

    def mean(name: str) -> NDArray[np.float64]:
        return np.tensordot(share, [getattr(one, name) for one in REFERENCES.values()], 1)

    turn, gain = rng.normal(0, 0.04, (2, 3)), np.exp(rng.normal(0, 0.15, 2))
    unit = [np.abs(mean(name) + turn) for name in ("stains", "sparse_stains")]
    stains, sparse = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in unit)
    return Reference(
        name="random",
        stains=pair_of(stains),
        concentrations=tuple(mean("concentrations") * gain),
        mean=tuple(mean("mean") + rng.normal(0, 3, 3)),
        spread=tuple(mean("spread") * np.exp(rng.normal(0, 0.1, 3))),
        sparse_stains=pair_of(sparse),
        sparse_concentrations=tuple(mean("sparse_concentrations") * gain),
    )


def restained(
    one: Restainable, rng: np.random.Generator, *, built_in: float = 0.0
) -> NDArray[np.uint8]:
    """Return the image of a tile in the colours of a random reference, by a random method.

    `built_in` is the share of those that are mapped to the reference "he" as it is.
    """
    if not one.transforms:
        return one.tile.image
    transform = one.transforms[int(rng.integers(len(one.transforms)))]
    if hasattr(transform, "reference"):
        as_it_is = bool(built_in) and rng.random() < built_in
        goal = REFERENCES["he"] if as_it_is else random_reference(rng)
        goal = goal.as_sparse() if transform.name == "vahadane" else goal
        transform = replace(transform, reference=goal)
    return transform.exact(one.tile.image)


def made_coarse(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image of 0.5 um/px as it is read where the slide has 1 um/px."""
    coarse = box_mean(rgb, 2)
    padded = np.pad(coarse, ((1, 1), (1, 1), (0, 0)), mode="symmetric")
    shape = (2 * coarse.shape[0], 2 * coarse.shape[1])
    return resample(padded, first=(-1, -1), start=(0, 0), shape=shape, factor=(0.5, 0.5))


def pairs(
    sources: Sequence[tuple[float, Sequence[Restainable]]],
    rng: np.random.Generator,
    *,
    batch: int = 8,
    floor: float = 0.4,
    built_in: float = 0.0,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield batches as `napari_steatosis.training.tiles.batches`; the second half is the first
    half once more, restained or coarse. The third part says which pairs are of the first source."""
    shares = np.array([share for share, _ in sources])
    weights = []
    for _, tiles in sources:
        weight = np.array([floor + np.sqrt(one.tile.fat_fraction) for one in tiles])
        weights.append(weight / weight.sum())
    while True:
        halves: tuple[list[Tensor], list[Tensor]] = ([], [])
        masks, first = [], []
        for _ in range(batch // 2):
            source = rng.choice(len(shares), p=shares / shares.sum())
            one = sources[source][1][rng.choice(len(weights[source]), p=weights[source])]
            other = (
                restained(one, rng, built_in=built_in)
                if rng.random() < RESTAINED
                else one.tile.image
            )
            other = made_coarse(other) if rng.random() < COARSE else other
            variation = MILD if rng.random() < 0.5 else None
            seed = int(rng.integers(2**62))
            for half, image in zip(halves, (one.tile.image, other), strict=True):
                same = np.random.default_rng(seed)
                rgb, mask = vary(image, one.tile.mask, same, variation=variation)
                half.append(rgb)
            masks.append(mask)
            first.append(float(source == 0))
        yield (
            torch.stack(halves[0] + halves[1]),
            torch.stack(masks + masks),
            torch.tensor(first),
        )


def alike(logits: Tensor, truth: Tensor) -> Tensor:
    """Return the loss of pairs: cross-entropy and Dice, and how differently they are judged."""
    first, second = logits.sigmoid().chunk(2)
    return bce_dice(logits, truth) + CONSISTENCY * (first - second).square().mean()


def whole_livers(count: int, *, seed: int, side_px: int = 512) -> Iterator[LabelledTile]:
    """Draw small whole pieces of liver with glass around them, in the styles of their seeds."""
    rng = np.random.default_rng(seed)
    window = Region(y=0, x=0, height=side_px, width=side_px)
    for number in range(count):
        drawn = drawn_liver(side_px, side_px, seed=int(rng.integers(10_000, 2**31))).source
        fat = drawn.truth(window) == 2
        name = f"liver-{seed}-{number}"
        yield LabelledTile(name, name, drawn.read(0, window), fat.astype(np.uint8))


def without_small(tile: LabelledTile, *, smallest_um: float = 6.0) -> LabelledTile:
    """Return a drawn tile whose small droplets, which experts hardly outline, are not judged."""
    labels, count = ndimage.label(tile.mask == 1)
    area_um2 = 0.25 * np.bincount(labels.ravel(), minlength=count + 1)
    small = (area_um2 < np.pi / 4 * smallest_um**2) & (np.arange(count + 1) > 0)
    return replace(tile, mask=np.where(small[labels], np.uint8(IGNORE), tile.mask))


class Settling:
    """Loss of pairs that keeps what a model says of real tiles as they are."""

    def __init__(self, teacher: nn.Module) -> None:
        self.teacher = teacher.eval()
        self.judged = objective("ce-dice", ignoring=True)
        self.real, self.said = torch.zeros(0), torch.zeros(0)

    def batches(
        self, made: Iterator[tuple[Tensor, Tensor, Tensor]]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Ask the teacher about the first of each pair, and pass the batches on."""
        for rgb, mask, real in made:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                said = self.teacher(rgb[: len(rgb) // 2])
            self.said, self.real = said.float().sigmoid().clone(), real
            yield rgb, mask

    def __call__(self, logits: Tensor, truth: Tensor) -> Tensor:
        """Return cross-entropy and Dice, and the mean squares of both differences."""
        first, second = logits.sigmoid().chunk(2)
        unlike = (first - second).square().mean()
        forgot = sum((one - self.said).square() for one in (first, second))
        forgot = (forgot.mean((1, 2, 3)) * self.real).mean()
        return self.judged(logits, truth) + CONSISTENCY * (unlike + forgot / 2)
