"""Small slides of every format, written by the libraries of those formats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image


def stained(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Pink and violet blotches with noise, so that no two regions are alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(110, 250, (height // 16 + 2, width // 16 + 2, 3))
    fine = coarse.repeat(16, 0).repeat(16, 1)[:height, :width]
    return np.clip(fine + rng.integers(-9, 10, (height, width, 3)), 0, 255).astype(np.uint8)


def halves(rgb: NDArray[np.uint8], levels: int) -> list[NDArray[np.uint8]]:
    """Every second pixel, again and again."""
    return [rgb[:: 2**n, :: 2**n] for n in range(levels)]


def aperio(folder: Path, rgb: NDArray[np.uint8]) -> Path:
    """An Aperio SVS without loss, 0.5 um/px: level 0, a thumbnail in strips, level 1."""
    path = folder / "slide.svs"
    height, width = rgb.shape[:2]
    text = f"Aperio Image Library v1\n{width}x{height} (64x64) |AppMag = 20|MPP = 0.5"
    kind = {"compression": "zlib", "photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(rgb, tile=(64, 64), description=text, **kind)
        file.write(rgb[::8, ::8], description=text, rowsperstrip=16, **kind)
        file.write(rgb[::2, ::2], tile=(64, 64), description=text, subfiletype=1, **kind)
    return path


def ome_tiff(folder: Path, rgb: NDArray[np.uint8]) -> Path:
    """A pyramidal OME-TIFF with its levels in SubIFDs, 0.25 um/px."""
    path = folder / "slide.ome.tif"
    size = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 250.0}
    units = {"PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "nm"}
    levels = halves(rgb, 3)
    kind = {"tile": (64, 64), "compression": "zlib", "predictor": True, "photometric": "rgb"}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(levels[0], subifds=2, metadata={"axes": "YXS", **size, **units}, **kind)
        for level in levels[1:]:
            file.write(level, subfiletype=1, **kind)
    return path


def ome_zarr(
    folder: Path,
    rgb: NDArray[np.uint8],
    *,
    axes: str = "cyx",
    version: str = "0.5",
    unit: str | None = "micrometer",
    omero: list[str] | None = None,
    shards: bool = False,
) -> Path:
    """An OME-Zarr of two levels, 0.5 um/px; axes other than c, y and x have size 1."""
    path = folder / "slide.ome.zarr"
    group = zarr.open_group(str(path), mode="w", zarr_format=3 if version == "0.5" else 2)
    datasets = []
    for number, level in enumerate(halves(rgb, 2)):
        kept = [axis for axis in axes if axis in "cyx"]
        array = level.transpose(["yxc".index(axis) for axis in kept])
        array = array.reshape([dict(zip(kept, array.shape, strict=True)).get(a, 1) for a in axes])
        chunks = tuple(min(side, 64) for side in array.shape)
        kind = {"shards": tuple(2 * side for side in chunks)} if shards else {}
        stored = group.create_array(
            f"s{number}", shape=array.shape, chunks=chunks, dtype="u1", **kind
        )
        stored[:] = array
        scale = [0.5 * 2**number if axis in "yx" else 1.0 for axis in axes]
        step = {"type": "scale", "scale": scale}
        datasets.append({"path": f"s{number}", "coordinateTransformations": [step]})
    kinds = {"c": "channel", "t": "time"}
    named: list[dict[str, str]] = [{"name": a, "type": kinds.get(a, "space")} for a in axes]
    for axis in named:
        if unit is not None and axis["type"] == "space":
            axis["unit"] = unit
    attributes: dict[str, object] = {"multiscales": [{"axes": named, "datasets": datasets}]}
    if omero is not None:
        attributes["omero"] = {"channels": [{"color": colour} for colour in omero]}
    if version == "0.5":
        group.attrs["ome"] = {"version": version, **attributes}
    else:
        group.attrs.update(json.loads(json.dumps(attributes)))
    return path


def png(folder: Path, rgb: NDArray[np.uint8]) -> Path:
    """A PNG."""
    path = folder / "slide.png"
    Image.fromarray(rgb).save(path, compress_level=1)
    return path


def tiles(folder: Path, rgb: NDArray[np.uint8], side: int = 128) -> Path:
    """A folder of PNG tiles named as QuPath does, the last of a row and column cut off."""
    path = folder / "tiles"
    path.mkdir()
    for y in range(0, rgb.shape[0], side):
        for x in range(0, rgb.shape[1], side):
            tile = rgb[y : y + side, x : x + side]
            height, width = tile.shape[:2]
            name = f"slide [x={x},y={y},w={width},h={height}].png"
            Image.fromarray(tile).save(path / name, compress_level=1)
    return path


MAKERS = {
    "openslide": aperio,
    "tiff": ome_tiff,
    "ome-zarr": ome_zarr,
    "picture": png,
    "tiles": tiles,
}
"""One maker per row of READERS; a new reader adds its own."""
