"""Stain normalisation with stain vectors that the user gives (Ruifrok & Johnston, 2001)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..core.errors import BadValueError
from .macenko import APART_DEGREES
from .references import Reference
from .separation import SEPARATIONS, separation
from .stain_findings import degrees
from .stain_method import Method
from .stain_sample import StainSample
from .two_stains import TwoStains, two_stains


def fit(sample: StainSample, reference: Reference, *, stains: str | ArrayLike) -> TwoStains:
    """Take a slide's stain vectors as given, and measure their concentrations.

    Parameters
    ----------
    sample : StainSample
        Of the slide.
    reference : Reference
        Whose stains and concentrations are the goal.
    stains : str or (2, 3) float
        Optical density of haematoxylin and of eosin, of any length; or the name of two
        published ones, "H&E".

    Raises
    ------
    BadValueError
        Where they are not two directions, or one of them is not in the slide.
    """
    return two_stains("matrix", _unit_pair(stains), sample, reference)


MATRIX = Method(fit, TwoStains, by_hand=True)
"""The row of `STAINS`."""


def _unit_pair(stains: str | ArrayLike) -> ArrayLike:
    if isinstance(stains, str):
        vectors = np.asarray(separation(stains).vectors)
    else:
        vectors = np.asarray(stains, np.float64)
    if vectors.shape != (2, 3) or not np.isfinite(vectors).all():
        two = [name for name, (names, _) in SEPARATIONS.items() if len(names) == 2]
        raise BadValueError(
            f"Give two stain vectors of three finite numbers (optical density of red, green and "
            f"blue of haematoxylin, then of eosin) or one of {', '.join(two)}; got {stains!r}."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (lengths > 0).all() or degrees(*vectors) < APART_DEGREES:
        raise BadValueError(
            f"The two stain vectors {vectors.round(3).tolist()} are less than "
            f"{APART_DEGREES:g} degrees apart: their amounts cannot be told apart."
        )
    return vectors / lengths
