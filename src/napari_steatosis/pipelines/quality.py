"""What the quality of a slide has to say to those who use its numbers."""

from __future__ import annotations

from ..core.mask import Mask
from ..core.slide import Slide

SAID_ELSEWHERE = ("tissue", "reading")
"""Aspects of which the report itself knows more."""


def quality_flags(slide: Slide, within: Mask) -> tuple[str, ...]:
    """Return the flags for the report of a slide that was analysed.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    within : Mask
        What was analysed of it.

    Returns
    -------
    tuple of str
        Without what the report says itself: how much was analysed, and what could not be read.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> slide = st.drawn_liver(512, 512, seed=1)
    >>> quality_flags(slide, st.find_tissue(slide))
    ()
    """
    from ..imaging.quality import quality

    found = quality(slide, within)
    return tuple(
        aspect.text
        for aspect in found.aspects
        if aspect.verdict == "flagged" and aspect.name not in SAID_ELSEWHERE
    )
