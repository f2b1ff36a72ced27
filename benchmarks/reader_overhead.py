"""What our layer costs over the bare library call, for 512 px tiles: paired in one run.

python benchmarks/reader_overhead.py
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openslide
import tifffile
import zarr
from numpy.typing import NDArray

import napari_steatosis as st
from napari_steatosis.core.geometry import Region
from napari_steatosis.io.write import write

TILE_PX = 512
Read = Callable[[int, int], NDArray[np.uint8]]


def drawn(side_px: int) -> NDArray[np.uint8]:
    """Return tissue of any size: one drawn piece, repeated."""
    piece = st.drawn_liver(2048, 2048, seed=3).read(Region(y=0, x=0, height=2048, width=2048))
    times = -(-side_px // 2048)
    return np.tile(piece, (times, times, 1))[:side_px, :side_px]


def aperio(folder: Path, rgb: NDArray[np.uint8]) -> tuple[Path, Read]:
    """Write a JPEG-compressed svs; the bare call is OpenSlide's, made an RGB array."""
    path = folder / "slide.svs"
    text = f"Aperio Image Library v1\n{rgb.shape[1]}x{rgb.shape[0]} |AppMag = 20|MPP = 0.5"
    with tifffile.TiffWriter(path) as file:
        file.write(rgb, tile=(256, 256), compression="jpeg", description=text, metadata=None)
    handle = openslide.OpenSlide(path)

    def read(y: int, x: int) -> NDArray[np.uint8]:
        return np.asarray(handle.read_region((x, y), 0, (TILE_PX, TILE_PX)).convert("RGB"))

    return path, read


def zarr_image(version: str) -> Callable[[Path, NDArray[np.uint8]], tuple[Path, Read]]:
    """Return a maker of an OME-Zarr; the bare call slices the zarr array, nothing else."""

    def make(folder: Path, rgb: NDArray[np.uint8]) -> tuple[Path, Read]:
        source = folder / "source.ome.tif"
        tifffile.imwrite(source, rgb, tile=(512, 512), compression="zlib", photometric="rgb")
        path = folder / f"slide-{version}.ome.zarr"
        write(st.open_slide(source, um_per_px=0.5), path, version=version)
        array = zarr.open_array(str(path / "0"), mode="r")

        def read(y: int, x: int) -> NDArray[np.uint8]:
            return np.asarray(array[:, y : y + TILE_PX, x : x + TILE_PX])

        return path, read

    return make


def tiled_tiff(folder: Path, rgb: NDArray[np.uint8]) -> tuple[Path, Read]:
    """Write a JPEG-compressed TIFF; the bare call is tifffile's zarr view, sliced."""
    path = folder / "slide.tif"
    kind = {"compression": "jpeg", "photometric": "rgb", "tile": (512, 512)}
    tifffile.imwrite(path, rgb, resolution=(20000, 20000), resolutionunit="CENTIMETER", **kind)
    array = zarr.open_array(tifffile.TiffFile(path).aszarr(), mode="r")

    def read(y: int, x: int) -> NDArray[np.uint8]:
        return np.asarray(array[y : y + TILE_PX, x : x + TILE_PX])

    return path, read


FORMATS = {
    "OpenSlide, svs (JPEG, 256 px tiles)": aperio,
    "zarr, OME-Zarr 0.4 (512 px chunks)": zarr_image("0.4"),
    "zarr, OME-Zarr 0.5 (sharded)": zarr_image("0.5"),
    "tifffile, TIFF (JPEG, 512 px tiles)": tiled_tiff,
}


def compare(slide: st.Slide, bare: Read, side_px: int, rounds: int) -> tuple[float, float, float]:
    """Return milliseconds of the bare call and of ours, and the median of the paired ratios."""
    places = [(y, x) for y in range(0, side_px, TILE_PX) for x in range(0, side_px, TILE_PX)]
    order = np.random.default_rng(0)
    times: list[tuple[float, float]] = []
    for _ in range(rounds):
        for index in order.permutation(len(places)):
            y, x = places[index]
            region = Region(y=y, x=x, height=TILE_PX, width=TILE_PX)
            calls = [lambda y=y, x=x: bare(y, x), lambda region=region: slide.read(region)]
            spent = [0.0, 0.0]
            for which in order.permutation(2):
                start = time.perf_counter()
                calls[which]()
                spent[which] = time.perf_counter() - start
            times.append((spent[0], spent[1]))
    table = np.array(times)
    return (*(1e3 * np.median(table, 0)).tolist(), float(np.median(table[:, 1] / table[:, 0])))


def main() -> None:
    """Print one row per format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rgb = drawn(options.size)
    print("| | bare | ours | ratio |\n|---|--:|--:|--:|")
    for name, maker in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            path, bare = maker(Path(folder), rgb)
            gc.collect()
            result = compare(st.open_slide(path), bare, options.size, options.rounds)
        print("| {} | {:.2f} ms | {:.2f} ms | {:.2f} |".format(name, *result), flush=True)


if __name__ == "__main__":
    main()
