"""Stain normalisation: fitted once per slide on its tissue, then the same for every tile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import BadValueError
from ..core.geometry import Region
from ..core.mask import Mask
from ..core.plane import Plane
from ..core.slide import Slide
from ..core.stain import StainTransform
from ..core.table import Table
from .optics import CLEAR, optical_density, spread_pixels, white_level
from .references import Reference, reference_named
from .tissue import FINE_UM, find_tissue

STAINS = Table(
    "stain method",
    {
        "macenko": "napari_steatosis.imaging.macenko:Macenko",
        "reinhard": "napari_steatosis.imaging.reinhard:Reinhard",
    },
)
"""Methods by name: classes with `fit`, `apply`, `to_json` and `from_json`."""

UM_PER_PX = 1.0
"""Resolution at which tissue is sampled: nuclei are whole, few pixels are mixed, um."""

PATCH_PX, PATCHES = 64, 96
"""Side of the sampled patches, px, and how many there are at most."""

ENOUGH_PX = 2000
"""Fewer stained pixels than this say too little of a stain."""


def fit_stain(
    slide: Slide,
    *,
    method: str = "macenko",
    tissue: Mask | None = None,
    reference: str | Reference = "he",
    seed: int = 0,
) -> StainTransform:
    """Fit a stain transform to tissue pixels from all over a slide.

    Up to 96 patches of 64 um are read at 1 um/px at random places of the tissue, none twice,
    always the same ones for the same seed. White pixels (density below 0.15 in all channels)
    take no part, and pass unchanged when the transform is applied.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    method : str
        Row of `STAINS`: "macenko" or "reinhard".
    tissue : Mask, optional
        Where to sample; `find_tissue` by default.
    reference : str or Reference
        The colours to map to; "he" is built in.
    seed : int
        Of the random places.

    Returns
    -------
    StainTransform

    Raises
    ------
    BadValueError
        Where there is no tissue, or too little stain, or not two stains to fit.
    UnknownNameError
        Where there is no such method or reference.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> transform = fit_stain(st.drawn_liver(1024, 1024, seed=1))
    >>> transform.apply(np.uint8([[255, 255, 255]])).tolist()
    [[255, 255, 255]]
    """
    kind = STAINS[method]
    goal = reference_named(reference) if isinstance(reference, str) else reference
    mask = find_tissue(slide) if tissue is None else tissue
    if not mask.values.any():
        reason = mask.provenance.get("reason", "the tissue mask is empty")
        raise BadValueError(f"{slide.path}: a stain cannot be fitted, {reason}.")
    white = white_level(spread_pixels(slide.at(FINE_UM)))
    pixels = _sample(slide.at(UM_PER_PX), mask, seed)
    stained = pixels[optical_density(pixels, white).max(1) >= CLEAR]
    if len(stained) < ENOUGH_PX:
        raise BadValueError(
            f"{slide.path}: only {len(stained)} of {len(pixels)} sampled tissue pixels are "
            f"stained, {ENOUGH_PX} are needed to fit a stain. Analyse without normalisation."
        )
    try:
        fitted: StainTransform = kind.fit(stained, white, goal)
    except BadValueError as error:
        raise BadValueError(f"{slide.path}: {error}") from None
    return fitted


def stain_from_json(values: Mapping[str, Any]) -> StainTransform:
    """Return the transform whose `to_json` gave these values.

    Raises
    ------
    BadValueError
        Where they are not such values.
    """
    try:
        restored: StainTransform = STAINS[values["method"]].from_json(values)
    except (KeyError, TypeError) as error:
        raise BadValueError(
            f"These are not the parameters of a stain transform ({error!r} in {values!r}). Fit "
            f"it again with fit_stain."
        ) from error
    return restored


def _sample(plane: Plane, tissue: Mask, seed: int) -> NDArray[np.uint8]:
    """Return the pixels of random patches of the tissue, ``(n, 3) uint8``."""
    places = plane.frame.to_px(tissue.frame.to_um(np.argwhere(tissue.values)))
    cells = np.unique(np.floor((places + 0.5) / PATCH_PX).astype(np.int64), axis=0)
    parts = []
    for y, x in np.random.default_rng(seed).permutation(cells)[:PATCHES] * PATCH_PX:
        square = Region(y=int(y), x=int(x), height=PATCH_PX, width=PATCH_PX)
        region = square.intersect(plane.bounds)
        if region is not None:
            parts.append(plane.read(region)[tissue.on(region, plane.frame)])
    return np.concatenate([np.empty((0, 3), np.uint8), *parts])
