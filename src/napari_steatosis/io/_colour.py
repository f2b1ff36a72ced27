"""What is done to stored pixels on reading: swapped channels put right, ICC to sRGB."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ..core.errors import BadValueError
from ..core.geometry import Region
from ..core.slide import ColourProfile, PixelSource, Slide

SWAP, SRGB = "swap-red-blue", "srgb"


@dataclass(frozen=True)
class CorrectedSource:
    """Pixels of another source with corrected colours; its other images stay as stored.

    Parameters
    ----------
    source : PixelSource
        Reads the stored pixels.
    colour : tuple of str
        Corrections in the order in which they are applied, see `Slide.colour`.
    profile : ColourProfile, optional
        What the stored values mean; needed for ``"srgb"``.
    """

    source: PixelSource
    colour: tuple[str, ...]
    profile: ColourProfile | None = None

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region, corrected."""
        rgb = self.source.read(level, region)
        for step in self.colour:
            rgb = CORRECTIONS[step](rgb, self.profile)
        return rgb

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Return an associated image as it is stored."""
        return self.source.associated(name)


def corrected(slide: Slide, *, srgb: bool, swap_red_blue: bool) -> Slide:
    """Return the slide with colours corrected on reading, and `Slide.colour` saying so.

    Raises
    ------
    BadValueError
        For sRGB, where the slide has no ICC profile, or one that is not of RGB.
    """
    steps = (SWAP,) * swap_red_blue + (SRGB,) * srgb
    if not steps:
        return slide
    if srgb:
        if slide.profile is None:
            raise BadValueError(
                f"{slide.path} has no ICC profile, so its colours cannot be converted to sRGB. "
                f"Open it without (no --srgb); most programs take such pixels for sRGB."
            )
        try:
            _transform(slide.profile.data)
        except (ImageCms.PyCMSError, OSError) as error:
            raise BadValueError(
                f"{slide.path}: its ICC profile {slide.profile.name!r} cannot be used ({error}). "
                f"Open the slide without converting it to sRGB."
            ) from error
    source = CorrectedSource(slide.source, steps, slide.profile if srgb else None)
    return replace(slide, source=source, colour=steps)


def profile_of(data: bytes | None) -> ColourProfile | None:
    """Return the profile that a file embeds, named as it names itself; None where it has none."""
    if not data:
        return None
    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(data))).strip()
    except (ImageCms.PyCMSError, OSError):
        name = ""
    return ColourProfile(name or "unnamed", bytes(data))


def _swapped(rgb: NDArray[np.uint8], _: ColourProfile | None) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rgb[..., ::-1])


def _to_srgb(rgb: NDArray[np.uint8], profile: ColourProfile | None) -> NDArray[np.uint8]:
    assert profile is not None
    return np.array(_transform(profile.data).apply(Image.fromarray(rgb)))


CORRECTIONS: dict[str, Callable[[NDArray[np.uint8], ColourProfile | None], NDArray[np.uint8]]] = {
    SWAP: _swapped,
    SRGB: _to_srgb,
}


@lru_cache(maxsize=16)
def _transform(data: bytes) -> Any:
    """Return the transform to sRGB with the intent that the profile asks for."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
    intent = ImageCms.Intent(ImageCms.getDefaultIntent(profile))
    return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB", intent)
