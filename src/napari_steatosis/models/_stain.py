"""A stain transform on the device of a model: all colours computed once, then looked up there."""

from __future__ import annotations

import numpy as np
import torch

from ..core.errors import BadValueError
from ..core.stain import StainTransform

SLAB = 16
"""Values of red whose colours are computed at a time, so that little memory is needed."""


class ColourCube:
    """What a stain transform makes of each of the 16.8 million colours, on a device.

    The transform itself computes them, so the result is its own to the last bit, whatever its
    method. It takes 48 MiB of the device and about a second to make.

    Parameters
    ----------
    stain : StainTransform
        Fitted to the slide.
    device : str or torch.device
        Where the tiles will be.

    Examples
    --------
    >>> import napari_steatosis as st
    >>> stain = st.fit_stain(st.drawn_liver(512, 512, seed=1))
    >>> tiles = np.zeros((1, 2, 2, 3), np.uint8)
    >>> found = ColourCube(stain, "cpu").apply(torch.from_numpy(tiles))
    >>> (found.numpy() == stain.apply(tiles)).all()
    np.True_
    """

    def __init__(self, stain: StainTransform, device: str | torch.device) -> None:
        table = np.empty((256, 256, 256, 3), np.uint8)
        slab = np.empty((SLAB, 256, 256, 3), np.uint8)
        slab[..., 1] = np.arange(256)[:, None]
        slab[..., 2] = np.arange(256)
        for red in range(0, 256, SLAB):
            slab[..., 0] = np.arange(red, red + SLAB)[:, None, None]
            table[red : red + SLAB] = stain.apply(slab)
        self._table = torch.from_numpy(table.reshape(-1, 3)).to(device)

    def apply(self, tiles: torch.Tensor) -> torch.Tensor:
        """Map ``(n, y, x, 3) uint8`` on the device to the same shape.

        Raises
        ------
        BadValueError
            Where the tensor has another type, or its last axis is not 3.
        """
        if tiles.dtype != torch.uint8 or tiles.shape[-1:] != (3,):
            raise BadValueError(
                f"Tiles must be (n, y, x, 3) uint8, got {tuple(tiles.shape)} {tiles.dtype}."
            )
        index = tiles[..., 0].to(torch.int32)
        for channel in (1, 2):
            index <<= 8
            index |= tiles[..., channel]
        return self._table.index_select(0, index.reshape(-1)).reshape(tiles.shape)
