"""Write a slide as an OME-Zarr 0.4 pyramid, block by block, in bounded memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from ..core.errors import StoreMismatchError
from ..core.geometry import Frame
from ..core.grid import Grid
from ..core.resample import box_mean
from ..core.slide import Slide

BLOCK_PX = 2048
CHUNK_PX = 512


def write_slide(
    slide: Slide,
    path: str | Path,
    *,
    overwrite: bool = False,
    on_block: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write level 0 of a slide, and a pyramid of box means, as OME-Zarr 0.4.

    Parameters
    ----------
    slide : Slide
        With a pixel size.
    path : path
        Folder to write, ``liver.ome.zarr``. It appears under this name when it is complete.
    overwrite : bool
        Replace what is there.
    on_block : callable
        Called with (blocks done, blocks in all).

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StoreMismatchError
        Where the folder exists and `overwrite` is false.
    MissingScaleError
        Where the slide has no pixel size.

    Examples
    --------
    >>> import tempfile
    >>> import napari_steatosis as st
    >>> folder = Path(tempfile.mkdtemp()) / "liver.ome.zarr"
    >>> st.open_slide(write_slide(st.drawn_liver(700, 600, seed=1), folder)).shape
    (700, 600)
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise StoreMismatchError(f"{path} exists already. Choose another name, or overwrite it.")
    frame = slide.frame()
    unfinished = path.with_name(f".{path.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    group = zarr.open_group(str(unfinished), mode="w", zarr_format=2)
    arrays = _create_levels(group, slide.shape)
    blocks = Grid(*slide.shape, tile_px=BLOCK_PX)
    for done, block in enumerate(blocks, start=1):
        rgb = slide.read(block.inner)
        for level, array in enumerate(arrays):
            y, x = block.inner.y >> level, block.inner.x >> level
            array[:, y : y + rgb.shape[0], x : x + rgb.shape[1]] = np.moveaxis(rgb, -1, 0)
            rgb = box_mean(rgb, 2)
        on_block(done, len(blocks))
    group.attrs.update(_metadata(path.name, frame, len(arrays), slide.fingerprint))
    if path.exists():
        shutil.rmtree(path)
    unfinished.rename(path)
    return path


def _create_levels(group: zarr.Group, shape: tuple[int, int]) -> list[Any]:
    """Create levels down to one chunk, but no deeper than one pixel per block."""
    arrays: list[Any] = []
    height, width = shape
    while True:
        arrays.append(
            group.create_array(
                str(len(arrays)),
                shape=(3, height, width),
                chunks=(3, min(CHUNK_PX, height), min(CHUNK_PX, width)),
                dtype="uint8",
                fill_value=0,
                chunk_key_encoding={"name": "v2", "separator": "/"},
                config={"write_empty_chunks": True},  # so that a lost chunk can be told
            )
        )
        if max(height, width) <= CHUNK_PX or 1 << len(arrays) > BLOCK_PX:
            return arrays
        height, width = -(-height // 2), -(-width // 2)


def _metadata(name: str, frame: Frame, levels: int, fingerprint: str) -> dict[str, Any]:
    datasets = []
    for level in range(levels):
        own = frame.coarser(2**level)
        transformations = [
            {"type": "scale", "scale": [1.0, *own.um_per_px]},
            {"type": "translation", "translation": [0.0, *own.origin_um]},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transformations})
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}]
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    channels = [
        {"label": label, "color": colour, "active": True, "window": WINDOW}
        for label, colour in (("R", "FF0000"), ("G", "00FF00"), ("B", "0000FF"))
    ]
    return {
        "multiscales": [{"version": "0.4", "name": name, "axes": axes, "datasets": datasets}],
        "omero": {"version": "0.4", "channels": channels, "rdefs": {"model": "color"}},
        "steatosis": {"written_from": fingerprint},
    }


WINDOW = {"min": 0, "max": 255, "start": 0, "end": 255}
"""Grey values that other viewers spread over the screen: all of them, so colours are true."""
