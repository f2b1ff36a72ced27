"""The levels of a slide as arrays that napari and dask can slice without reading ahead."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .geometry import Region
from .slide import Slide


class LevelArray:
    """One level of a slide as a read-only ``(y, x, 3) uint8`` array that reads when sliced.

    Parameters
    ----------
    slide : Slide
        Where the pixels come from.
    level : int
        Which of its levels.
    """

    ndim = 3
    dtype = np.dtype(np.uint8)

    def __init__(self, slide: Slide, level: int) -> None:
        self.slide, self.level = slide, level
        size = slide.levels[level]
        self.shape = (size.height, size.width, 3)
        self.chunks = (
            min(slide.tile_px[0], size.height),
            min(slide.tile_px[1], size.width),
            3,
        )

    @property
    def size(self) -> int:
        """Number of values, which orders the levels of a pyramid."""
        return int(np.prod(self.shape, dtype=np.int64))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        keys = list(key) if isinstance(key, tuple) else [key]
        if Ellipsis in keys:
            at = keys.index(Ellipsis)
            keys[at : at + 1] = [slice(None)] * (self.ndim - len(keys) + 1)
        keys += [slice(None)] * (self.ndim - len(keys))
        spans, local = [], []
        for wanted, length in zip(keys[:2], self.shape[:2], strict=True):
            index = np.arange(length)[wanted]  # numpy's own rules for steps, bounds, negatives
            if np.size(index) == 0:
                return np.broadcast_to(np.uint8(0), self.shape)[tuple(keys)]
            low, high = int(np.min(index)), int(np.max(index)) + 1
            spans.append((low, high - low))
            local.append(int(index) - low if np.ndim(index) == 0 else _compact(index - low))
        (y, height), (x, width) = spans
        pixels = self.slide.read(Region(y=y, x=x, height=height, width=width), self.level)
        cut: NDArray[np.uint8] = pixels[local[0]][..., local[1], :][..., keys[2]]
        return cut

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or self.dtype, copy=False)


def _compact(index: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    contiguous = len(index) == index[-1] - index[0] + 1
    return slice(int(index[0]), int(index[-1]) + 1) if contiguous else index


def level_arrays(slide: Slide) -> list[LevelArray]:
    """Return the pyramid of a slide, finest first, as lazily read arrays.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> [level.shape for level in level_arrays(st.drawn_liver(2048, 1024, seed=1))]
    [(2048, 1024, 3), (1024, 512, 3), (512, 256, 3)]
    """
    return [LevelArray(slide, level) for level in range(len(slide.levels))]


def dask_level(slide: Slide, level: int = 0) -> Any:
    """Return one level as a dask array, chunked in whole tiles of the file.

    For slides of many gigapixels prefer `level_arrays`: the graph of a dask array has one
    node per chunk.
    """
    import dask.array as da

    array = LevelArray(slide, level)
    side = [max(c, 1024 // c * c) if c < 1024 else c for c in array.chunks[:2]]
    return da.from_array(
        array,
        chunks=(min(side[0], array.shape[0]), min(side[1], array.shape[1]), 3),
        name="-".join(("slide", slide.fingerprint, *slide.colour, str(level))),
        meta=np.empty((0, 0, 0), np.uint8),
    )
