"""A BigTIFF pyramid of any size in a small file: every tile is the same JPEG."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile

TILE_PX = 512


def huge_tiff(path: Path, side_px: int) -> Path:
    """Write a pyramidal OME BigTIFF of `side_px` squared, 0.25 um/px, tiles of 512 px.

    The directories are those of a real slide of that size; all their offsets lead to one
    tile of 200 kB or less, so that 100 000 px take less than 2 MB on disk.
    """
    sides = [side_px]
    while sides[-1] > 1000:
        sides.append(-(-sides[-1] // 2))
    kind: dict[str, Any] = {
        "dtype": np.uint8,
        "tile": (TILE_PX, TILE_PX),
        "photometric": "ycbcr",
        "compression": "jpeg",
        "subsampling": (2, 2),
    }
    size = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as file:
        for number, side in enumerate(sides):
            first = {"subifds": len(sides) - 1, "metadata": size}
            extra = {"subfiletype": 1} if number else first
            file.write(_one_tile(side), shape=(side, side, 3), **kind, **extra)
    _share_the_tile(path)
    return path


def _one_tile(side: int) -> Iterator[bytes]:
    """The first tile; the others are left out."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(110, 250, (TILE_PX // 16, TILE_PX // 16, 3))
    fine = coarse.repeat(16, 0).repeat(16, 1) + rng.integers(-9, 10, (TILE_PX, TILE_PX, 3))
    yield imagecodecs.jpeg8_encode(
        np.clip(fine, 0, 255).astype(np.uint8), level=85, subsampling="420"
    )
    for _ in range((-(-side // TILE_PX)) ** 2 - 1):
        yield b""


def _share_the_tile(path: Path) -> None:
    with tifffile.TiffFile(path, mode="r+b") as file:
        for page in file.series[0].levels:
            tags = page.keyframe.tags
            for name in ("TileOffsets", "TileByteCounts"):
                tag = tags[name]
                tag.overwrite([tag.value[0]] * len(tag.value), erase=False)
