"""What is done to every image before a network sees it, in training and after."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..core.errors import ModelFileError
from ..core.table import Table

PREPARATIONS = Table(
    "preparation",
    {"grey-equalised": "napari_steatosis.models._prepare:grey_equalised"},
)
"""Named in `ModelSpec.preparation`; each maps ``(y, x, 3) uint8`` to the same."""


def prepared(image: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """Return an image as a network wants it.

    Parameters
    ----------
    image : (..., y, x, 3) uint8
        RGB.
    name : str
        Row of `PREPARATIONS`; empty for none.

    Raises
    ------
    ModelFileError
        Where a model asks for something that is not known here.
    """
    if not name:
        return image
    if name not in PREPARATIONS:
        raise ModelFileError(
            f"The model wants its images prepared by {name!r}, which this version does not know "
            f"({', '.join(PREPARATIONS)}). Update napari-steatosis."
        )
    if image.ndim == 3:
        found: NDArray[np.uint8] = PREPARATIONS[name](image)
        return found
    return np.stack([prepared(one, name) for one in image])


def grey_equalised(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return grey values, median of 3 x 3, histogram equalised, in three equal channels.

    Grey is 0.299 R + 0.587 G + 0.114 B; the histogram is that of the image.

    Examples
    --------
    >>> grey_equalised(np.full((4, 4, 3), 90, np.uint8))[0, 0].tolist()
    [255, 255, 255]
    """
    from scipy.ndimage import median_filter

    grey = np.rint(image @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    grey = median_filter(grey, 3, mode="reflect")
    share = np.cumsum(np.bincount(grey.ravel(), minlength=256)) / grey.size
    equal = np.rint(255 * share).astype(np.uint8)[grey]
    return np.repeat(equal[..., None], 3, axis=-1)
