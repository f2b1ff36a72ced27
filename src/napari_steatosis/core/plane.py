"""A slide at one resolution: the pixel grid that models, tissue and results share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import BadValueError
from .geometry import Frame, Region
from .resample import box_mean, resample, source_span
from .slide import Slide

NEAR = 0.1
"""Relative difference in um/px below which pixels are used as they are (or box-averaged)."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A read-only plane of pixels at one resolution, derived from one level of a slide.

    Parameters
    ----------
    slide : Slide
        Where the pixels come from.
    level : int
        The level of the slide that is read.
    factor : (float, float)
        Level pixels per plane pixel, along y and x.
    height, width : int
        Extent, px.
    frame : Frame
        Where its pixels lie in the tissue.
    """

    slide: Slide
    level: int
    factor: tuple[float, float]
    height: int
    width: int
    frame: Frame

    @classmethod
    def of(cls, slide: Slide, um_per_px: float) -> Plane:
        """Choose the coarsest level that is fine enough, and the factor that is left.

        A level within 10 % of `um_per_px` is used as it is, and a whole-number factor that
        comes within 10 % is a plain box mean; anything else is resampled. The frame always
        holds the true resolution of the plane, so no measurement is off by those 10 %.

        Raises
        ------
        MissingScaleError
            Where the slide has no pixel size.
        """
        if not um_per_px > 0:
            raise BadValueError(f"um_per_px must be positive, got {um_per_px}.")
        fine_enough = [
            i
            for i in range(len(slide.levels))
            if slide.frame(i).mean_um_per_px <= um_per_px * (1 + NEAR)
        ]
        level = fine_enough[-1] if fine_enough else 0
        own = slide.frame(level)
        wanted = um_per_px / own.mean_um_per_px
        whole = max(1, round(wanted))
        square = abs(own.um_per_px[0] / own.um_per_px[1] - 1) < 0.01
        factor: tuple[float, float]
        if square and abs(whole / wanted - 1) <= NEAR:
            factor = (float(whole), float(whole))
        else:
            factor = (um_per_px / own.um_per_px[0], um_per_px / own.um_per_px[1])
        size = slide.levels[level]
        height = max(1, int(np.ceil(size.height / factor[0] - 1e-6)))
        width = max(1, int(np.ceil(size.width / factor[1] - 1e-6)))
        return cls(slide, level, factor, height, width, own.coarser(factor))

    @property
    def bounds(self) -> Region:
        """The whole plane."""
        return Region(y=0, x=0, height=self.height, width=self.width)

    def read(self, region: Region) -> NDArray[np.uint8]:
        """Read ``(height, width, 3) uint8``; outside the slide pixels are mirrored.

        Raises
        ------
        UnreadableRegionError
            Where the file cannot be decoded there.
        """
        fy, fx = self.factor
        if fy == fx == int(fy):
            n = int(fy)
            wide = Region(
                y=region.y * n, x=region.x * n, height=region.height * n, width=region.width * n
            )
            return box_mean(self.slide.read(wide, self.level), n)
        y, height = source_span(region.y, region.height, fy)
        x, width = source_span(region.x, region.width, fx)
        source = self.slide.read(Region(y=y, x=x, height=height, width=width), self.level)
        return resample(
            source,
            first=(y, x),
            start=(region.y, region.x),
            shape=(region.height, region.width),
            factor=self.factor,
        )
