"""Stain normalisation: fitted once per slide on its tissue, then the same for every tile."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from ..core.errors import BadValueError
from ..core.mask import Mask
from ..core.slide import Slide
from ..core.stain import StainTransform
from ..core.table import Table
from .references import Reference, reference_from
from .stain_method import Method
from .stain_sample import StainSample, sample_stain

STAINS = Table(
    "stain method",
    {
        "macenko": "napari_steatosis.imaging.macenko:MACENKO",
        "vahadane": "napari_steatosis.imaging.vahadane:VAHADANE",
        "reinhard": "napari_steatosis.imaging.reinhard:REINHARD",
        "percentile": "napari_steatosis.imaging.percentile:PERCENTILE",
        "matrix": "napari_steatosis.imaging.given_matrix:MATRIX",
    },
)
"""Methods by name: a `Method` each."""


def fit_stain(
    slide: Slide,
    *,
    method: str = "macenko",
    tissue: Mask | None = None,
    reference: str | Path | Reference = "he",
    seed: int = 0,
    stains: str | ArrayLike | None = None,
) -> StainTransform:
    """Fit a stain transform to tissue pixels from all over a slide.

    Up to 96 patches of 64 um are read at 1 um/px at random places of the tissue, none twice,
    always the same ones for the same seed. White pixels (density below 0.15 in all channels)
    take no part, and pass unchanged when the transform is applied; where a method must be as
    published, `dataclasses.replace(transform, spares_white=False)` changes them, too.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    method : str
        Row of `STAINS`: "macenko", "vahadane", "reinhard", "percentile" or "matrix".
    tissue : Mask, optional
        Where to sample; `find_tissue` by default.
    reference : str, Path or Reference
        The colours to map to: a built-in name ("he"), the path of a saved reference, or what
        `reference_of` gave. "percentile" has no use for it.
    seed : int
        Of the random places.
    stains : str or (2, 3) float, optional
        For "matrix" only: the slide's stain vectors, haematoxylin first, or "H&E" for the
        published ones.

    Returns
    -------
    StainTransform
        With `findings`: what is suspicious about the fit.

    Raises
    ------
    BadValueError
        Where there is no tissue, or too little stain, or not two stains to fit.
    UnknownNameError
        Where there is no such method or reference.
    CannotOpenError
        Where the file of a reference cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_steatosis as st
    >>> transform = fit_stain(st.drawn_liver(1024, 1024, seed=1))
    >>> transform.apply(np.uint8([[255, 255, 255]])).tolist()
    [[255, 255, 255]]
    """
    _check_given(method, stains)
    sample = sample_stain(slide, tissue, seed)
    try:
        return stain_of_sample(sample, method=method, reference=reference, stains=stains)
    except BadValueError as error:
        raise BadValueError(f"{slide.path}: {error}") from None


def stain_of_sample(
    sample: StainSample,
    *,
    method: str = "macenko",
    reference: str | Path | Reference = "he",
    stains: str | ArrayLike | None = None,
) -> StainTransform:
    """Fit a stain transform to a sample of a slide: many methods and references to one sample.

    Parameters
    ----------
    sample : StainSample
        What `sample_stain` gave.
    method, reference, stains
        As in `fit_stain`, and so are the errors.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 512, seed=1)
    >>> stain_of_sample(sample_stain(slide), method="reinhard") == fit_stain(
    ...     slide, method="reinhard"
    ... )
    True
    """
    _check_given(method, stains)
    row: Method = STAINS[method]
    goal = reference_from(reference)
    return row.fit(sample, goal, **({} if stains is None else {"stains": stains}))


def _check_given(method: str, stains: str | ArrayLike | None) -> None:
    if STAINS[method].by_hand != (stains is not None):
        raise BadValueError(
            f"Method {method!r} finds the stains of a slide itself; give `stains` with method "
            f"'matrix' only."
            if stains is not None
            else f"Method {method!r} needs `stains`: two vectors of optical density, haematoxylin "
            f"first, or 'H&E' for the published ones."
        )


def stain_from_json(values: Mapping[str, Any]) -> StainTransform:
    """Return the transform whose `to_json` gave these values.

    Raises
    ------
    BadValueError
        Where they are not such values.
    """
    try:
        row: Method = STAINS[values["method"]]
        return row.from_json(values)
    except (KeyError, TypeError, AttributeError) as error:
        raise BadValueError(
            f"These are not the parameters of a stain transform ({error!r} in {values!r}). Fit "
            f"it again with fit_stain."
        ) from error
