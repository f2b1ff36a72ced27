"""Where saved layers lie: in um, or in the px of the slide under them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Frame
from .view import unit_ratio

if TYPE_CHECKING:
    from ..core.slide import Slide


@dataclass(frozen=True)
class Ground:
    """What labels and shapes are to lie on: the data coordinates of a slide's level 0.

    Parameters
    ----------
    slide : Slide
        Of the image layer.
    meta : mapping
        Of the image layer.
    """

    slide: Slide
    meta: Mapping[str, Any]


def frame_in_world(meta: Mapping[str, Any]) -> Frame | None:
    """Return where the pixels of a layer lie in um; None where it has no unit of length."""
    ratio = _um_per_unit(meta)
    return None if ratio is None else plain_frame(np.diag([*ratio, 1.0]) @ matrix_of(meta), meta)


def matrix_of(meta: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the (3, 3) matrix from the data of a flat layer to its world."""
    from napari.utils.transforms import Affine

    names = ("scale", "translate", "rotate", "shear")
    own = Affine(**{name: np.asarray(meta[name]) for name in names}).affine_matrix
    return np.asarray(np.asarray(meta["affine"], float) @ own)


def relative(meta: Mapping[str, Any], ground: Ground) -> NDArray[np.float64]:
    """Return the matrix from the data of a layer to px of level 0 of the slide under it."""
    ratio = unit_ratio(meta["units"], ground.meta["units"])
    world = np.diag([*ratio, 1.0]) @ matrix_of(meta)
    return np.linalg.solve(matrix_of(ground.meta), world)


def has_length(meta: Mapping[str, Any]) -> bool:
    """Say whether a layer has a unit of length."""
    return _um_per_unit(meta) is not None


def plain_frame(matrix: NDArray[np.float64], meta: Mapping[str, Any]) -> Frame:
    """Return a matrix that only scales and moves as a frame, in whatever it maps to.

    Raises
    ------
    BadValueError
        It turns, shears or mirrors.
    """
    (y, across), (down, x) = matrix[:2, :2]
    if min(y, x) <= 0 or max(abs(across), abs(down)) > 1e-6 * min(y, x):
        raise BadValueError(
            f"The layer {meta['name']!r} is turned, sheared or mirrored, which the file cannot "
            f"hold. Set it straight (its affine, rotate and shear), or save the slide's layer "
            f"with it, if that is turned alike."
        )
    return Frame((float(y), float(x)), (float(matrix[0, 2]), float(matrix[1, 2])))


def _um_per_unit(meta: Mapping[str, Any]) -> list[float] | None:
    units = meta["units"][-2:]
    if any(not unit.is_compatible_with("um") for unit in units):
        return None
    return [float((1 * unit).to("um").magnitude) for unit in units]
