"""Plain dask: `map_overlap` over an array that OpenSlide fills, written to zarr."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import openslide
import torch
import zarr
from measure import Measured, asked
from network import load

given = asked()


class Pixels:
    """A slide that is sliced like an array, (y, x, 3) uint8."""

    def __init__(self, path: str) -> None:
        self.slide = openslide.OpenSlide(path)
        width, height = self.slide.dimensions
        self.shape, self.dtype, self.ndim = (height, width, 3), np.dtype(np.uint8), 3

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        rows, columns = key[:2]
        size = (columns.stop - columns.start, rows.stop - rows.start)
        tile = self.slide.read_region((columns.start, rows.start), 0, size)
        return np.asarray(tile.convert("RGB"))


def fat_of(block: np.ndarray) -> np.ndarray:
    """Return the probability of fat of one block, (y, x) float32."""
    rgb = torch.from_numpy(np.ascontiguousarray(block)).permute(2, 0, 1)[None].float()
    with torch.inference_mode():
        return network(rgb)[0, 1].float().numpy()


def segment(out: str) -> np.ndarray:
    """Write the probability of fat, and return the class map."""
    margin = (given.tile - given.step) // 2
    pixels = Pixels(str(given.slide))
    image = da.from_array(
        pixels, chunks=(given.step, given.step, 3), meta=np.empty((0, 0, 0), "u1")
    )
    found = da.map_overlap(
        fat_of,
        image,
        depth={0: margin, 1: margin, 2: 0},
        boundary={0: "reflect", 1: "reflect", 2: "none"},
        drop_axis=2,
        dtype=np.float32,
        meta=np.empty((0, 0), np.float32),
    )
    with dask.config.set(scheduler="threads", num_workers=given.threads):
        found.to_zarr(out)
    return np.asarray(zarr.open_array(out, mode="r")) >= 0.5


network = load(given, threads=1)  # dask runs as many blocks side by side as there are cores
measured = Measured("dask")
with measured.run():
    classes = segment(str(given.out / "fat.zarr"))
if given.keep:
    np.save(given.keep, np.asarray(zarr.open_array(str(given.out / "fat.zarr"), mode="r")))
measured.tell(network_mpx=network.pixels / 1e6, fat=float(classes.mean()))
