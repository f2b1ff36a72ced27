"""Sample slides for *File > Open Sample*: a drawn piece of liver, once and 64 times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.geometry import Region
from ..core.resample import box_mean
from ..core.slide import Level, Slide

if TYPE_CHECKING:
    from .layers import LayerTuple

SIDE_PX = 2048
SEED = 20
TIMES = 8


@dataclass(frozen=True, eq=False)
class Repeated:
    """Pixel source that repeats one picture, a pyramid of it held in memory.

    Parameters
    ----------
    levels : tuple of (y, x, 3) uint8
        The picture, each level half the one before.
    """

    levels: tuple[NDArray[np.uint8], ...]

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        """Return ``(height, width, 3) uint8`` RGB of a region of a level."""
        picture = self.levels[level]
        rows = np.arange(region.y, region.y_end) % picture.shape[0]
        columns = np.arange(region.x, region.x_end) % picture.shape[1]
        return picture[rows][:, columns]

    def associated(self, name: str) -> NDArray[np.uint8]:
        """Raise `KeyError`: a sample holds no label, macro or thumbnail."""
        raise KeyError(name)


@lru_cache(maxsize=1)
def small_slide() -> Slide:
    """Return ``drawn_liver(2048, 2048, seed=20)``, drawn once and then held in memory."""
    from ..imaging import drawn_liver

    drawn = drawn_liver(SIDE_PX, SIDE_PX, seed=SEED)
    wholes = [Region(y=0, x=0, height=one.height, width=one.width) for one in drawn.levels]
    levels = (drawn.read(whole, number) for number, whole in enumerate(wholes))
    return replace(drawn, source=Repeated(tuple(levels)))


def large_slide() -> Slide:
    """Return the small sample 8 x 8 times: 16384 x 16384 px with a stored pyramid."""
    small = small_slide()
    pixels = small.source.levels[0]
    shrinks = [2**n for n in range(6)]
    side = SIDE_PX * TIMES
    return replace(
        small,
        path=f"drawn liver {side} x {side}, one piece {TIMES * TIMES} times",
        source=Repeated(tuple(box_mean(pixels, n) for n in shrinks)),
        levels=tuple(Level(side // n, side // n, float(n), k) for k, n in enumerate(shrinks)),
        fingerprint=f"{small.fingerprint} x {TIMES}",
    )


def small() -> list[LayerTuple]:
    """Return the small sample as layers."""
    return _layers(small_slide(), "drawn liver (small)")


def large() -> list[LayerTuple]:
    """Return the large sample as layers."""
    return _layers(large_slide(), "drawn liver (large)")


def _layers(slide: Slide, name: str) -> list[Any]:
    from .layers import slide_layer

    return [slide_layer(slide, name)]
