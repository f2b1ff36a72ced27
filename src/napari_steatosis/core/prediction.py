"""What a model said of a slide: a class map with a frame, stored or in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import UnknownNameError
from .geometry import Frame, Region
from .slide import Slide

NOT_ANALYSED = 0
"""Value of pixels outside the tissue or region, and of tiles not done or not readable."""


class Array(Protocol):
    """What numpy and zarr arrays have in common here."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""

    def __getitem__(self, key: Any) -> Any: ...


@dataclass(frozen=True, eq=False)
class Prediction:
    """A class map over a plane of a slide.

    The value 0 means *not analysed*; value ``i + 1`` means ``classes[i]``. So the class map
    holds its own denominator: fat fraction = count(fat) / count(> 0), in any program.

    Parameters
    ----------
    name : str
        Name of the label image, ``"fat"``.
    levels : sequence of (y, x) uint8 arrays
        Pyramid, finest first (zarr arrays, or numpy).
    classes : tuple of str
        Class names; ``classes[i]`` is stored as ``i + 1``.
    frame : Frame
        Where the pixels of level 0 lie in the tissue.
    provenance : mapping
        What the result depends on (slide, model, region, settings, versions).
    store : str, optional
        Folder of the results store; None for one in memory.
    slide : Slide, optional
        The slide, where it can be opened; pictures in reports need it.
    failed : tuple of str
        One message per tile that could not be read. Their pixels are *not analysed*.
    probabilities : sequence of (class, y, x) uint8 arrays
        Pyramid like `levels`, where it was asked for: probability * 255, rounded; 0 for every
        class where a pixel was not analysed.
    finished : bool
        Whether the run came to its end. False where it is under way or was stopped: what it
        has not reached is *not analysed*.
    """

    name: str
    levels: Sequence[Array]
    classes: tuple[str, ...]
    frame: Frame
    provenance: Mapping[str, Any] = field(default_factory=dict)
    store: str | None = None
    slide: Slide | None = None
    failed: tuple[str, ...] = ()
    probabilities: Sequence[Array] = ()
    finished: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of level 0, px."""
        height, width = self.levels[0].shape
        return height, width

    def value_of(self, name: str) -> int:
        """Return the stored value of a class; `UnknownNameError` where it has none."""
        if name not in self.classes:
            known = ", ".join(self.classes)
            raise UnknownNameError(
                f"The prediction {self.name!r} has no class {name!r}; it has: {known}."
            )
        return self.classes.index(name) + 1

    def read(self, region: Region) -> NDArray[np.uint8]:
        """Read a region of level 0 that lies inside the plane, ``(height, width) uint8``."""
        return np.asarray(self.levels[0][region.slices], np.uint8)
