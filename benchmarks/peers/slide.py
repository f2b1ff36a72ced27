"""The slide of the comparison: drawn liver as an Aperio SVS, which all the tools read."""

from __future__ import annotations

from pathlib import Path

import tifffile

import napari_steatosis as st

UM_PER_PX = 0.5
LEVELS = (1, 4)


def draw(path: Path, side_px: int, *, seed: int = 20) -> None:
    """Draw liver without glass and write it as JPEG tiles, once."""
    if path.exists():
        return
    liver = st.drawn_liver(side_px, side_px, seed=seed, um_per_px=UM_PER_PX, glass=False)
    rgb = liver.read(st.Region(y=0, x=0, height=side_px, width=side_px))
    text = f"Aperio Image Library v1\n{side_px}x{side_px} |AppMag = 20|MPP = {UM_PER_PX}"
    partial = path.with_suffix(".partial")
    with tifffile.TiffWriter(partial, bigtiff=False) as file:
        for step in LEVELS:
            level = rgb if step == 1 else rgb[step // 2 :: step, step // 2 :: step]
            file.write(
                level,
                tile=(256, 256),
                compression="jpeg",
                compressionargs={"level": 90},
                description=text,
                metadata=None,
            )
    partial.rename(path)
