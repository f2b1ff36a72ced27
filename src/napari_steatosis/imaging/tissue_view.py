"""A part of a slide, read once, on which rules for tissue are tried."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region
from ..core.mask import Mask
from ..core.slide import Slide, virtual_levels
from ._stain_evidence import Light
from .tissue import FINE_UM, USUAL, TissueRule, tissue_steps

MOST_PX = 1_500_000
"""Pixels that are looked at: so many are judged anew in a fraction of a second."""


@dataclass(frozen=True, eq=False)
class _Pixels:
    rgb: NDArray[np.uint8]

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        return self.rgb[region.slices]

    def associated(self, name: str) -> NDArray[np.uint8]:
        raise KeyError(name)


@dataclass(frozen=True, eq=False)
class TissueView:
    """Pixels of a part of a slide, with the white of the whole.

    Parameters
    ----------
    part : Slide
        The pixels, in memory, at the resolution that they are looked at.
    light : Light
        Of the whole slide.
    mask_um : float
        Resolution that a mask of the whole slide has by default, um.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> view = TissueView.of(st.drawn_liver(1024, 1024, seed=1))
    >>> view.find(TissueRule(sensitivity=0.2)).area_mm2 <= view.find().area_mm2
    True
    """

    part: Slide
    light: Light
    mask_um: float

    @classmethod
    def of(
        cls, slide: Slide, region: Region | None = None, *, light: Light | None = None
    ) -> TissueView:
        """Read a part of a slide.

        Parameters
        ----------
        slide : Slide
            With a pixel size.
        region : Region, optional
            In px of level 0; the whole slide by default, and where it lies outside. The larger
            it is, the coarser it is read.
        light : Light, optional
            Of the slide, from an earlier view.

        Raises
        ------
        MissingScaleError, UnreadableRegionError
            Where the slide has no pixel size, or cannot be read there.
        """
        frame = slide.frame()
        whole = Region(y=0, x=0, height=slide.shape[0], width=slide.shape[1])
        seen = whole if region is None else (region.intersect(whole) or whole)
        finest = max(FINE_UM, frame.mean_um_per_px)
        um = max(finest, float(np.sqrt(seen.height * seen.width * frame.um2_per_px / MOST_PX)))
        plane = slide.at(um)
        (y, x), (y_end, x_end) = (
            np.floor(plane.frame.to_px(frame.to_um(corner)) + 0.5).astype(int)
            for corner in ((seen.y, seen.x), (seen.y_end - 1, seen.x_end - 1))
        )
        y, x = max(0, int(y)), max(0, int(x))
        height, width = min(plane.height, int(y_end) + 1) - y, min(plane.width, int(x_end) + 1) - x
        box = Region(y=y, x=x, height=max(1, height), width=max(1, width))
        own = plane.frame
        part = replace(
            slide,
            source=_Pixels(plane.read(box)),
            levels=tuple(virtual_levels([(box.height, box.width, 1.0)], box.height + box.width)),
            um_per_px=own.um_per_px,
            origin_um=tuple(own.to_um((y, x)).tolist()),
        )
        mask_um = float(USUAL.on(slide).um_per_px or own.mean_um_per_px)
        return cls(part, Light.of(slide.at(finest)) if light is None else light, mask_um)

    @property
    def um_per_px(self) -> float:
        """Size of the pixels that are looked at, um."""
        return self.part.frame().mean_um_per_px

    def find(self, rule: TissueRule = USUAL) -> Mask:
        """Return the tissue of the part by a rule, at the resolution at which it was read.

        The same as `find_tissue` gives there where the part was read at 2 um per pixel, but for
        pieces and lumina that the part cuts.
        """
        um = self.mask_um if rule.um_per_px is None else rule.um_per_px
        steps = tissue_steps(self.part, replace(rule, um_per_px=um), light=self.light)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                mask: Mask = end.value
                return mask
