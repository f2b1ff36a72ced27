"""How good a slide is for measuring: focus, folds, ink, light, stain, and how much tissue."""

from __future__ import annotations

import numpy as np

from ..core.mask import Mask
from ..core.quality import SlideQuality
from ..core.slide import Slide
from ._quality_verdicts import verdicts

VERSION = 1


def quality(slide: Slide, tissue: Mask | None = None, *, seed: int = 0) -> SlideQuality:
    """Judge whether a slide is fit to be measured, from a sample of its pixels.

    The slide is seen once from afar, at about 8 um per pixel, and in up to 32 windows of full
    resolution in its tissue. Nothing is raised for a bad picture: whatever it shows, each
    aspect gets a verdict and a sentence. Places that cannot be read are left out and counted.

    ``focus`` is the share of tissue whose edges are wider than 1.1 um, ``detail`` the width of
    edges in pixels, ``folds`` the share of tissue that lies twice, ``ink`` the area of pen
    marks, ``glass`` the share of glass under grey lines (bubbles, coverslips), ``bubbles`` the
    share of tissue inside dark round rims, ``light`` the share of stained pixels that are
    clipped, ``white`` the grey value of the brightest places, ``stain`` the optical density of
    the stain, ``channels`` how much bluer nuclei are than the rest, ``compression`` the steps at
    the borders of JPEG blocks, ``tissue`` its area, and ``reading`` the share of the sample that
    could be read. How the limits were set, and what was not validated, is in the documentation.

    Parameters
    ----------
    slide : Slide
        Of any size. Without a pixel size, areas and focus are not judged.
    tissue : Mask, optional
        Where to look (`find_tissue`); found coarsely by colour where it is not given.
    seed : int
        Decides which places are sampled.

    Returns
    -------
    SlideQuality

    Raises
    ------
    MissingScaleError
        Where `tissue` is given for a slide without a pixel size.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> found = st.quality(st.drawn_liver(1024, 1024, seed=1))
    >>> found["focus"].verdict, found["stain"].verdict
    ('good', 'good')
    """
    aspects, sampled = verdicts(slide, tissue, np.random.default_rng(seed))
    return SlideQuality(slide.path, aspects, {"version": VERSION, "seed": seed, **sampled})
