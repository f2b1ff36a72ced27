"""How much context a trained network really needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.model import Model


def tiling_error(model: Model, image: NDArray[np.uint8], halo_px: int) -> float:
    """Return the largest change of a probability where a tile's context ends after the halo.

    The image is cut into four tiles at its centre; each is predicted with `halo_px` of
    context and compared, on the pixels that it owns, with the whole image at once.

    Parameters
    ----------
    model : Model
        In float32, else rounding hides the answer.
    image : (y, x, 3) uint8
        Sides are multiples of twice the model's multiple.
    halo_px : int
        A multiple of the model's multiple.
    """
    height, width = image.shape[0] // 2, image.shape[1] // 2
    whole = model.predict(image[None])[0, -1]
    worst = 0.0
    for turn in range(4):  # each corner of the image in turn is the top left one
        seen, expected = _corner(image, turn), _corner(whole, turn)
        part = seen[: height + halo_px, : width + halo_px]
        found = _corner(model.predict(_corner(part, turn)[None])[0, -1], turn)
        difference = np.abs(found[:height, :width] - expected[:height, :width])
        worst = max(worst, float(difference.max()))
    return worst


def _corner(values: NDArray[Any], turn: int) -> NDArray[Any]:
    """Mirror an image so that one of its corners comes to the top left; its own inverse."""
    flipped = values[:: -1 if turn & 1 else 1, :: -1 if turn & 2 else 1]
    return np.ascontiguousarray(flipped)


def needed_halo_px(
    model: Model, images: Iterable[NDArray[np.uint8]], *, tolerance: float = 1e-3
) -> int:
    """Return the smallest halo with which tiles equal the whole on every image.

    Parameters
    ----------
    model : Model
        In float32.
    images : iterable of (y, x, 3) uint8
        Each at least twice the reach of the network in height and width.
    tolerance : float
        Largest change of a probability that is allowed.

    Returns
    -------
    int
        A multiple of ``spec.multiple_px``.

    Raises
    ------
    BadValueError
        Where no halo within the images is enough.
    """
    step = halo = model.spec.multiple_px
    for image in images:
        limit = min(image.shape[:2]) // 2
        while tiling_error(model, image, halo) > tolerance:
            halo += step
            if halo >= limit:
                raise BadValueError(
                    f"Tiles of model {model.spec.name!r} differ by more than {tolerance:g} with "
                    f"{limit} px of context. Give larger images, or a network of finite reach."
                )
    return halo
