"""A slide of any size in seconds: a disc of drawn liver that repeats, on glass.

The chunks of one drawn block of 4096 px are linked to where they repeat; glass is not stored
(white is the fill value), as in the files of scanners that leave it out.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import napari_steatosis as st

BLOCK_PX = 4096
CHUNK_PX = 512


def repeated_slide(folder: Path, size_px: int, disc_px: int) -> Path:
    """Write the slide, an OME-Zarr of four levels at 0.5 um/px, and return its path."""
    block = folder / "block.ome.zarr"
    if not block.exists():
        st.write(st.drawn_liver(BLOCK_PX, BLOCK_PX, seed=20, glass=False), block)
    made = folder / f"disc_{size_px}_{disc_px}.ome.zarr"
    if made.exists():
        return made
    unfinished = made.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in (".zattrs", ".zgroup"):
        shutil.copy(block / name, unfinished / name)
    for level in range(4):
        _repeat(block / str(level), unfinished / str(level), size_px >> level, disc_px >> level)
    unfinished.rename(made)
    return made


def _repeat(source: Path, target: Path, size_px: int, disc_px: int) -> None:
    described = json.loads((source / ".zarray").read_text())
    period = described["shape"][1] // CHUNK_PX
    described |= {"shape": [3, size_px, size_px], "fill_value": 255}
    target.mkdir()
    (target / ".zarray").write_text(json.dumps(described))
    shutil.copy(source / ".zattrs", target / ".zattrs")
    count, centre = -(-size_px // CHUNK_PX), size_px / 2
    for row in range(count):
        (target / "0" / str(row)).mkdir(parents=True)
        for column in range(count):
            y, x = ((v + 0.5) * CHUNK_PX - centre for v in (row, column))
            if y * y + x * x <= (disc_px / 2) ** 2:
                chunk = source / "0" / str(row % period) / str(column % period)
                os.link(chunk, target / "0" / str(row) / str(column))
