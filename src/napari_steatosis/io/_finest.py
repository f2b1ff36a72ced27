"""Level 0 of what is to be written as a pyramid, whatever the format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.amounts import Amounts
from ..core.errors import BadValueError
from ..core.geometry import Region
from ..core.label_image import LabelImage
from ..core.prediction import Prediction
from ..core.resample import box_mean
from ..core.slide import Slide


@dataclass(frozen=True)
class Finest:
    """Level 0 of what is to be written.

    Parameters
    ----------
    shape : (int, int)
        Height and width, px.
    dtype : numpy.dtype
        Of the pixels as they are stored.
    samples : int
        3 for RGB, and 2 or 3 for amounts of stains, whose coarse levels are means; 1 for labels,
        whose coarse levels take every second pixel, so that values stay values.
    read : callable
        ``read(region)`` returns ``(height, width, samples)`` or ``(height, width)`` pixels. It
        may be called from another thread.
    """

    shape: tuple[int, int]
    dtype: np.dtype[Any]
    samples: int
    read: Callable[[Region], NDArray[Any]]

    @classmethod
    def of_slide(cls, slide: Slide) -> Finest:
        """Return level 0 of a slide, as it is read."""
        return cls(slide.shape, np.dtype(np.uint8), 3, slide.read)

    @classmethod
    def of_amounts(cls, amounts: Amounts) -> Finest:
        """Return level 0 of amounts of stains."""
        return cls(amounts.shape, np.dtype(np.float32), len(amounts.stains), amounts.read)

    def halved(self, block: NDArray[Any]) -> NDArray[Any]:
        """Return a block, which starts at an even pixel, at half the size."""
        if self.samples == 1:
            return block[::2, ::2]
        return box_mean(block, 2) if self.dtype == np.uint8 else _mean_of_4(block)


def _mean_of_4(block: NDArray[Any]) -> NDArray[Any]:
    """Return the means of 2 x 2 pixels of ``(y, x, sample)``; ragged ones of what they have."""
    ragged = ((0, block.shape[0] % 2), (0, block.shape[1] % 2), (0, 0))
    even = np.pad(block, ragged, mode="edge")
    mean = (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
    return mean.astype(block.dtype)


def label_type(value: Prediction | LabelImage, path: Path) -> np.dtype[Any]:
    """Return the type of the labels that are to be written to `path`.

    Raises
    ------
    BadValueError
        Where they are not whole numbers in one plane with at least one pixel.
    """
    plane = value.levels[0]
    if len(plane.shape) != 2 or 0 in plane.shape:
        size = " x ".join(map(str, plane.shape))
        raise BadValueError(
            f"{path}: labels are one plane (y, x) of pixels; {value.name!r} has {size} px."
        )
    dtype = np.asarray(plane[:1, :1]).dtype.newbyteorder("=")
    if dtype.kind not in "iub":
        raise BadValueError(
            f"{path}: labels are whole numbers, but {value.name!r} holds {dtype}. Threshold "
            f"probabilities first."
        )
    return dtype
