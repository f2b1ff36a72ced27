"""What the quality of a slide has to say to those who use its numbers."""

from __future__ import annotations

from ..core.mask import Mask
from ..core.model import ModelSpec
from ..core.slide import Slide

SAID_ELSEWHERE = ("tissue", "reading")
"""Aspects of which the report itself knows more."""


HE = "brightfield-he"


def quality_flags(slide: Slide, within: Mask, spec: ModelSpec) -> tuple[str, ...]:
    """Return the flags for the report of a slide that was analysed.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    within : Mask
        What was analysed of it.
    spec : ModelSpec
        Of the model. Of one that is not for H&E, nothing is said of the stain.

    Returns
    -------
    tuple of str
        Without what the report says itself: how much was analysed, and what could not be read.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 512, seed=1)
    >>> spec = ModelSpec("mine", "smp", "segmentation", ("tissue", "fat"), 0.5, 512, 64)
    >>> quality_flags(slide, st.find_tissue(slide), spec)
    ()
    """
    from ..imaging.quality import quality

    left_out = SAID_ELSEWHERE if spec.modality == HE else (*SAID_ELSEWHERE, "stain", "channels")
    return tuple(
        aspect.text
        for aspect in quality(slide, within).aspects
        if aspect.verdict == "flagged" and aspect.name not in left_out
    )
