"""From which saturation and brightness on a pixel is white: fitted instead of assumed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..core.dataset import IGNORE, Sample
from ..core.errors import BadValueError
from ..models.classical.candidates import CandidateRule

By = Literal["youden", "jaccard"]


@dataclass(frozen=True, eq=False)
class WhiteRoc:
    """How well each pair of thresholds finds fat, pixel by pixel.

    Parameters
    ----------
    fat, other : (256, 256) int64
        Pixels of fat, and all others, by saturation (in parts of 255, rounded up) and value.
    """

    fat: NDArray[np.int64]
    other: NDArray[np.int64]

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the fat that is found, by highest saturation and lowest value."""
        return _within(self.fat) / max(1, int(self.fat.sum()))

    @property
    def false_alarm(self) -> NDArray[np.float64]:
        """Share of all else that is found, by highest saturation and lowest value."""
        return _within(self.other) / max(1, int(self.other.sum()))

    @property
    def jaccard(self) -> NDArray[np.float64]:
        """Jaccard index of what is found, pooled, by highest saturation and lowest value."""
        return _within(self.fat) / np.maximum(1, self.fat.sum() + _within(self.other))

    def best(self, by: By = "youden") -> tuple[float, float]:
        """Return saturation and value where recall less false alarm, or Jaccard, is highest.

        Raises
        ------
        BadValueError
            Where there is no pixel of fat, or nothing else, or no such criterion.
        """
        if not self.fat.any() or not self.other.any():
            raise BadValueError(
                f"Thresholds need fat and other pixels, got {int(self.fat.sum())} and "
                f"{int(self.other.sum())}. Add images with outlined fat."
            )
        if by not in ("youden", "jaccard"):
            raise BadValueError(f"Thresholds are fitted by 'youden' or 'jaccard', got {by!r}.")
        score = self.jaccard if by == "jaccard" else self.recall - self.false_alarm
        saturation, value = np.unravel_index(int(score.argmax()), score.shape)
        return float(saturation) / 255, float(value) / 255


def white_roc(samples: Iterable[Sample]) -> WhiteRoc:
    """Count pixels of fat and others by saturation and value.

    Parameters
    ----------
    samples : iterable of Sample
        With masks: 1 is fat, 255 is ignored.

    Raises
    ------
    BadValueError
        Where a sample has no mask, or one of another size.
    """
    counts = np.zeros((2, 256, 256), np.int64)
    for sample in samples:
        image, mask = sample.image(), sample.mask()
        if mask is None or mask.shape != image.shape[:2]:
            raise BadValueError(
                f"{sample.name}: the image is {image.shape[:2]} px and its mask "
                f"{None if mask is None else mask.shape}. Give a mask of the same size."
            )
        saturation, value = _saturation_and_value(image)
        joint = saturation.astype(np.int64) * 256 + value
        for kind, chosen in enumerate((mask == 1, (mask != 1) & (mask != IGNORE))):
            counts[kind] += np.bincount(joint[chosen], minlength=256**2).reshape(256, 256)
    return WhiteRoc(counts[0], counts[1])


def fit_white(
    samples: Iterable[Sample], rule: CandidateRule | None = None, *, by: By = "youden"
) -> CandidateRule:
    """Return a rule whose thresholds are fitted to masks by the ROC of single pixels.

    Parameters
    ----------
    samples : iterable of Sample
        With masks: 1 is fat, 255 is ignored.
    rule : CandidateRule, optional
        Whose other values stay.
    by : {"youden", "jaccard"}
        What is highest: recall less false alarms (Youden's J), or the pooled Jaccard index.

    Examples
    --------
    >>> from napari_steatosis.core.dataset import ArraySource
    >>> rgb = np.full((4, 4, 3), (200, 90, 140), np.uint8)
    >>> rgb[:2] = (240, 225, 235)
    >>> mask = np.zeros((4, 4), np.uint8); mask[:2] = 1
    >>> rule = fit_white([Sample("drawn", ArraySource(rgb, mask))])
    >>> 0.06 < rule.saturation < 0.55, rule.value <= 240 / 255
    (True, True)
    """
    saturation, value = white_roc(samples).best(by)
    return replace(rule or CandidateRule(), saturation=saturation, value=value)


def otsu_white(image: NDArray[np.uint8], rule: CandidateRule | None = None) -> CandidateRule:
    """Return a rule whose thresholds part the pixels of one image (Otsu 1979); no mask needed.

    Parameters
    ----------
    image : (y, x, 3) uint8
    rule : CandidateRule, optional
        Whose other values stay.

    Raises
    ------
    BadValueError
        Where the image is of one colour.
    """
    from skimage.filters import threshold_otsu

    saturation, value = _saturation_and_value(image)
    if saturation.min() == saturation.max() or value.min() == value.max():
        raise BadValueError("An image of one colour cannot be parted into white and stained.")
    most, least = (int(threshold_otsu(plane)) for plane in (saturation, value))
    return replace(rule or CandidateRule(), saturation=most / 255, value=(least + 1) / 255)


def _saturation_and_value(
    image: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return HSV saturation, rounded up, and value of each pixel, in parts of 255."""
    red, green, blue = np.moveaxis(image, -1, 0)
    value = np.maximum(np.maximum(red, green), blue)
    chroma = (value - np.minimum(np.minimum(red, green), blue)).astype(np.int64)
    saturation = -(-255 * chroma // np.maximum(value, 1).astype(np.int64))
    return saturation.astype(np.uint8), value


def _within(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count pixels of at most each saturation and at least each value."""
    return np.cumsum(np.cumsum(counts, 0)[:, ::-1], 1)[:, ::-1]
