"""Speed of stain normalisation on one core, ours and (where installed) others, in one run.

    OMP_NUM_THREADS=1 python benchmarks/stain.py --tile IMAGE [IMAGE ...] --size 4096

`apply` maps an image of SIZE px squared, made of the tiles; *first* is the first call of a new
transform, which computes every colour it meets, *then* the best of the following ones. `formula`
is the same without the table. `fit` is `fit_stain` on the same image as a slide of 0.5 um/px in
memory, tissue included. With --others, the pixels are mapped by torchstain and TIAToolbox, too,
if they can be imported; they fit on each call. Every time is processor time of this process.
"""

from __future__ import annotations

import argparse
import math
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

METHODS = ("macenko", "vahadane", "matrix", "percentile", "reinhard")


def seconds(work, times=1):
    """Return the least processor seconds that some work took."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def image_of(paths, size):
    """Return an image of one or more images of the same size, in a square that is repeated."""
    tiles = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    side = math.isqrt(len(tiles))
    rows = [np.concatenate(tiles[n * side : (n + 1) * side], axis=1) for n in range(side)]
    tile = np.concatenate(rows)
    times = (-(-size // tile.shape[0]), -(-size // tile.shape[1]), 1)
    return np.ascontiguousarray(np.tile(tile, times)[:size, :size])


def ours(rgb, rounds):
    import napari_steatosis as st
    from napari_steatosis.core.slide import Slide, virtual_levels
    from napari_steatosis.imaging.colour_table import table_of

    class Source:
        def read(self, level, region):
            return np.ascontiguousarray(rgb[region.slices])

    levels = tuple(virtual_levels([(*rgb.shape[:2], 1.0)]))
    slide = Slide("array", "array", Source(), levels, "array", (0.5, 0.5))
    tissue = st.find_tissue(slide)
    mpx = rgb.shape[0] * rgb.shape[1] / 1e6
    colours = len(np.unique(rgb.reshape(-1, 3).astype(np.uint32) @ np.uint32([65536, 256, 1])))
    print(f"{mpx:.1f} Mpx, {colours} colours")
    print(f"find_tissue {seconds(lambda: st.find_tissue(slide)):.2f} s")
    for method in METHODS:
        given = {"method": method, **({"stains": "H&E"} if method == "matrix" else {})}
        fitting = seconds(lambda given=given: st.fit_stain(slide, **given), 2)
        knowing = seconds(lambda given=given: st.fit_stain(slide, tissue=tissue, **given), 2)
        fitted = st.fit_stain(slide, tissue=tissue, **given)
        table_of.cache_clear()
        first = seconds(lambda fitted=fitted: fitted.apply(rgb))
        then = seconds(lambda fitted=fitted: fitted.apply(rgb), rounds)
        formula = seconds(lambda fitted=fitted: fitted.exact(rgb))
        print(
            f"{method:10} fit {fitting:.2f} s (tissue known: {knowing:.2f} s); "
            f"Mpx/s: first {mpx / first:.0f}, then {mpx / then:.0f}, formula {mpx / formula:.0f}"
        )


def torchstain_speed(rgb, rounds):
    import torch
    from torchstain.torch.normalizers import TorchMacenkoNormalizer, TorchReinhardNormalizer

    torch.set_num_threads(1)
    mpx = rgb.shape[0] * rgb.shape[1] / 1e6
    planes = torch.from_numpy(rgb).permute(2, 0, 1).float()
    for name, normaliser in (
        ("Macenko", TorchMacenkoNormalizer()),
        ("Reinhard", TorchReinhardNormalizer()),
    ):
        normaliser.fit(planes[:, :1024, :1024])
        work = lambda normaliser=normaliser: normaliser.normalize(planes)  # noqa: E731
        print(f"torchstain {name}: {mpx / seconds(work, rounds):.1f} Mpx/s")


def tiatoolbox_speed(rgb, rounds):
    import cv2
    from tiatoolbox.tools.stainnorm import get_normalizer

    cv2.setNumThreads(1)
    mpx = rgb.shape[0] * rgb.shape[1] / 1e6
    for name in ("macenko", "reinhard"):
        normaliser = get_normalizer(name)
        normaliser.fit(rgb[:1024, :1024].copy())
        work = lambda normaliser=normaliser: normaliser.transform(rgb.copy())  # noqa: E731
        print(f"TIAToolbox {name}: {mpx / seconds(work, rounds):.1f} Mpx/s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tile", type=Path, nargs="+", required=True, help="stained tissue")
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--others", action="store_true")
    given = parser.parse_args()
    rgb = image_of(given.tile, given.size)
    for package, work in (
        ("napari_steatosis", ours),
        *((("torchstain", torchstain_speed), ("tiatoolbox", tiatoolbox_speed)) * given.others),
    ):
        if find_spec(package) is None:
            print(f"{package} is not installed here")
        else:
            work(rgb, given.rounds if work is ours else 2)


if __name__ == "__main__":
    main()
