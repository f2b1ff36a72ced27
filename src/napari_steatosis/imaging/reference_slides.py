"""References measured on slides of your own, and the slide that stands for the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from ..core.errors import BadValueError
from ..core.mask import Mask
from ..core.slide import Slide
from .macenko import stain_vectors
from .references import Reference, pair_of
from .reinhard import to_lab
from .stain_sample import StainSample, sample_stain
from .two_stains import FULL
from .vahadane import sparse_vectors


def reference_of(
    slide: Slide, *, tissue: Mask | None = None, seed: int = 0, name: str = ""
) -> Reference:
    """Measure the colours of a slide, or of a part of it, as a goal for others.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    tissue : Mask, optional
        The part to take as the goal (`mask_of_polygons`); `find_tissue` by default.
    seed : int
        Of the random places that are read.
    name : str
        Shown in messages and results; the name of the file by default.

    Returns
    -------
    Reference

    Raises
    ------
    BadValueError
        Where there is no tissue, too little stain, or only one.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> ours = reference_of(st.drawn_liver(512, 512, seed=1), name="ours")
    >>> st.fit_stain(st.drawn_liver(512, 512, seed=2), reference=ours).reference.name
    'ours'
    """
    sample = sample_stain(slide, tissue, seed)
    try:
        return reference_of_sample(sample, name or PurePath(slide.path).stem)
    except BadValueError as error:
        raise BadValueError(f"{slide.path}: {error}") from None


def reference_of_sample(sample: StainSample, name: str) -> Reference:
    """Measure the colours of a sample, by each method that maps to them."""
    density = sample.density
    found, sparse = stain_vectors(density), sparse_vectors(density)
    full, sparse_full = (
        tuple(map(float, np.percentile(density @ np.linalg.pinv(stains), FULL, axis=0)))
        for stains in (found, sparse)
    )
    lab = to_lab(sample.stained, sample.white)
    mean, spread = (tuple(map(float, values)) for values in (lab.mean(0), lab.std(0)))
    return Reference(name, pair_of(found), full, mean, spread, pair_of(sparse), sparse_full)


def most_typical(slides: Sequence[Slide], *, seed: int = 0) -> Slide:
    """Return the slide whose tissue is nearest in mean colour to the mean of all slides.

    Colour is CIE L, a, b of the stained tissue relative to each slide's white; each slide
    counts the same. Slides without enough stained tissue take no part. Where a model is
    trained, give the training slides only.

    Parameters
    ----------
    slides : sequence of Slide
        With known pixel sizes.
    seed : int
        Of the random places that are read.

    Raises
    ------
    BadValueError
        Where no slide holds enough stained tissue.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> drawn = [st.drawn_liver(512, 512, seed=seed) for seed in (1, 2, 3)]
    >>> most_typical(drawn) in drawn
    True
    """
    means, known, reason = [], [], "there are none"
    for slide in slides:
        try:
            sample = sample_stain(slide, seed=seed)
        except BadValueError as error:
            reason = str(error)
            continue
        means.append(to_lab(sample.stained, sample.white).mean(0))
        known.append(slide)
    if not known:
        raise BadValueError(f"No slide of {len(slides)} can be a reference: {reason}")
    distances = np.linalg.norm(np.asarray(means) - np.mean(means, axis=0), axis=1)
    return known[int(distances.argmin())]
