"""From which hue and saturation on a pixel is collagen: fitted to outlined images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import IGNORE
from ..core.errors import BadValueError

if TYPE_CHECKING:
    from ..models._torch import TorchModel

By = Literal["youden", "jaccard"]
BINS = 180
"""Steps of hue from its middle to the far side of the circle, and of saturation from 0 to 1."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class HueRoc:
    """How well each pair of thresholds finds collagen, pixel by pixel.

    Parameters
    ----------
    middle : float
        Mean hue of the outlined collagen on the circle, weighted by saturation.
    collagen, other : (180, 180) int64
        Pixels by distance of their hue from `middle` and by saturation.
    """

    middle: float
    collagen: Counts
    other: Counts

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the collagen found, by half width of the hue range and least saturation."""
        found: NDArray[np.float64] = _within(self.collagen) / self.collagen.sum()
        return found

    @property
    def false_alarm(self) -> NDArray[np.float64]:
        """Share of all else that is found, by the same."""
        found: NDArray[np.float64] = _within(self.other) / self.other.sum()
        return found

    @property
    def jaccard(self) -> NDArray[np.float64]:
        """Pooled Jaccard index, by the same."""
        found: NDArray[np.float64] = _within(self.collagen) / (
            self.collagen.sum() + _within(self.other)
        )
        return found

    def curve(self, saturation: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return false alarm and recall as the range of hue grows, at a least saturation."""
        column = min(BINS - 1, round(saturation * BINS))
        return self.false_alarm[:, column], self.recall[:, column]

    def best(self, by: By = "youden") -> tuple[tuple[float, float], float]:
        """Return the range of hue and the least saturation that do best.

        Parameters
        ----------
        by : {"youden", "jaccard"}
            Recall less false alarm, or the pooled Jaccard index.
        """
        if by not in ("youden", "jaccard"):
            raise BadValueError(f"Thresholds are fitted by 'youden' or 'jaccard', got {by!r}.")
        score = self.jaccard if by == "jaccard" else self.recall - self.false_alarm
        width, saturation = np.unravel_index(int(score.argmax()), score.shape)
        half = (int(width) + 1) / BINS / 2
        if half >= 0.5:
            return (0.0, 1.0), float(saturation) / BINS
        return ((self.middle - half) % 1, (self.middle + half) % 1), float(saturation) / BINS


def fit_hue(images: Iterable[NDArray[np.uint8]], masks: Iterable[NDArray[np.uint8]]) -> HueRoc:
    """Count pixels of collagen and others by hue and saturation.

    Parameters
    ----------
    images : iterable of (y, x, 3) uint8
        Stretched as they will be at prediction.
    masks : iterable of (y, x) uint8
        1 is collagen, 0 is not, 255 is ignored.

    Returns
    -------
    HueRoc

    Raises
    ------
    BadValueError
        Where image and mask differ in size, or collagen or anything else lacks.

    Examples
    --------
    >>> blue, pink = np.uint8([60, 90, 180]), np.uint8([220, 120, 170])
    >>> image = np.stack([np.tile(blue, (8, 1)), np.tile(pink, (8, 1))])
    >>> (low, high), saturation = fit_hue([image], [np.uint8([[1] * 8, [0] * 8])]).best()
    >>> low < 0.625 < high
    True
    """
    hues: list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]] = []
    for rgb, mask in zip(images, masks, strict=True):
        if rgb.shape[:2] != mask.shape:
            raise BadValueError(f"An image of {rgb.shape[:2]} px has a mask of {mask.shape} px.")
        used = mask != IGNORE
        hues.append((*_hue_and_saturation(rgb[used]), mask[used] > 0))
    hue, saturation, truth = (np.concatenate(parts) for parts in zip(*hues, strict=True))
    if truth.all() or not truth.any():
        raise BadValueError(
            f"{int(truth.sum())} of {len(truth)} outlined pixels are collagen: both kinds are "
            f"needed. Outline some collagen and leave some tissue out."
        )
    turn = np.exp(2j * np.pi * hue[truth]) * saturation[truth]
    middle = float(np.angle(turn.sum()) / (2 * np.pi)) % 1
    away = np.abs((hue - middle + 0.5) % 1 - 0.5) * 2
    place = np.minimum((np.stack([away, saturation]) * BINS).astype(int), BINS - 1)
    counts = np.zeros((2, BINS, BINS), np.int64)
    np.add.at(counts, (truth.astype(int), *place), 1)
    return HueRoc(middle, counts[1], counts[0])


def collagen_model(
    hue: tuple[float, float] = (0.50, 0.75),
    saturation: float = 0.10,
    *,
    stain: str = "Masson trichrome",
    um_per_px: float = 1.0,
) -> TorchModel:
    """Return a model of these thresholds, to be used or saved like any other.

    Parameters
    ----------
    hue, saturation
        As `HueRoc.best` gives them; the default is where aniline blue usually lies.
    stain : str
        What the thresholds were fitted on, in words.
    um_per_px : float
        Resolution at which the slide is looked at, um.

    Examples
    --------
    >>> collagen_model((0.55, 0.72), 0.15).spec.classes
    ('tissue', 'collagen')
    """
    from ..core.model import ModelSpec
    from ..models import build
    from ..models._torch import TorchModel

    parameters = {"hue": list(hue), "saturation": saturation}
    spec = ModelSpec(
        name="collagen-by-hue",
        architecture="fibrosis-hue",
        task="segmentation",
        classes=("tissue", "collagen"),
        um_per_px=um_per_px,
        tile_px=1024,
        halo_px=0,
        stain=stain,
        modality="brightfield",
        parameters=parameters,
    )
    return TorchModel(build("fibrosis-hue", **parameters), spec, device="cpu", precision="fp32")


def _within(counts: Counts) -> NDArray[np.float64]:
    """Count what is at most so far from the middle and at least so saturated."""
    return counts[:, ::-1].cumsum(0).cumsum(1)[:, ::-1].astype(np.float64)


def _hue_and_saturation(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import torch

    from ..models.fibrosis_hue import hue_and_saturation

    planes = torch.from_numpy(rgb.T.astype(np.float32))[None, :, None]
    hue, saturation = hue_and_saturation(planes)
    return hue.numpy().ravel().astype(float), saturation.numpy().ravel().astype(float)
