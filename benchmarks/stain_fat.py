"""How much fat a model finds before and after normalisation: in drawn livers, tiles and images.

    OMP_NUM_THREADS=1 python benchmarks/stain_fat.py --tiles TILES --images IMAGE@MPP [...]

TILES is a folder with manifest.csv (columns path, split); its validation tiles are taken, at
0.5 um/px, with the masks beside them. Of an image the middle 1024 x 1024 px are taken. Each is
fitted to itself and mapped to the reference "he". Points are percentage points of the whole image,
positive where more fat is found afterwards. *White* is the share of pixels of 210 or more in every
channel. *Error* is the mean distance from the true fat (drawn, or by the masks), before and after.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

import napari_steatosis as st
from napari_steatosis.core.slide import Slide, virtual_levels
from napari_steatosis.imaging.stain import STAINS, stain_of_sample
from napari_steatosis.imaging.stain_sample import sample_stain

SIDE = 1024
SEEDS = range(1, 7)
DRAWN_PX = 512


class Pixels:
    """An image in memory as the source of a slide."""

    def __init__(self, rgb):
        self.rgb = rgb

    def read(self, level, region):
        return np.ascontiguousarray(self.rgb[region.slices])


def slide_of(rgb, um_per_px):
    levels = tuple(virtual_levels([(*rgb.shape[:2], 1.0)]))
    return Slide("array", "array", Pixels(rgb), levels, "array", (um_per_px, um_per_px))


def pixels_of(path):
    return np.asarray(Image.open(path).convert("RGB"))


def drawn():
    for seed in SEEDS:
        slide = st.drawn_liver(DRAWN_PX, DRAWN_PX, seed=seed)
        whole = st.Region(y=0, x=0, height=DRAWN_PX, width=DRAWN_PX)
        yield slide, slide.read(whole), slide.source.white_kinds(whole) == 1


def tiles(folder):
    with (folder / "manifest.csv").open() as file:
        paths = [row["path"] for row in csv.DictReader(file) if row["split"] == "val"]
    for path in paths:
        rgb = pixels_of(folder / path)
        mask = np.asarray(Image.open(folder / path.replace("image", "mask", 1)).convert("L"))
        yield slide_of(rgb, 0.5), rgb, mask > 127


def images(given):
    for text in given:
        path, um = text.rsplit("@", 1)
        slide = st.open_slide(path, um_per_px=float(um))
        plane = slide.at(0.5)
        y, x = (max(0, side - SIDE) // 2 // 16 * 16 for side in (plane.height, plane.width))
        tall, wide = (min(SIDE, side) // 16 * 16 for side in (plane.height, plane.width))
        rgb = plane.read(st.Region(y=y, x=x, height=tall, width=wide))
        yield slide, rgb, None


def fat_of(model, rgb):
    return 100 * float((model.predict(rgb[None])[0, 1] >= model.spec.threshold).mean())


def white_of(rgb):
    return 100 * float((rgb.min(-1) >= 210).mean())


def table(model, what, cases):
    rows, true, before = {method: [] for method in STAINS}, [], []
    for slide, rgb, truth in cases:
        sample = sample_stain(slide)
        before.append(fat_of(model, rgb))
        true.append(np.nan if truth is None else 100 * truth.mean())
        for method in STAINS:
            by_hand = {"stains": "H&E"} if method == "matrix" else {}
            after = stain_of_sample(sample, method=method, **by_hand).apply(rgb)
            rows[method].append((fat_of(model, after), white_of(after) - white_of(rgb)))
    print(f"\n{what}: n = {len(before)}, {model.spec.name}, fat before {np.mean(before):.2f} %")
    print(
        "| | white, largest | mean | median of size | 95th percentile | largest | < 0.3 | error |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for method, found in rows.items():
        after, white = np.transpose(found)
        change = after - before
        size = np.abs(change)
        error = [np.mean(np.abs(np.subtract(one, true))) for one in (before, after)]
        print(
            f"| `{method}` | {np.abs(white).max():.2f} | {change.mean():+.2f} | "
            f"{np.median(size):.2f} | {np.percentile(size, 95):.2f} | {size.max():.2f} | "
            f"{100 * np.mean(size < 0.3):.0f} % | {error[0]:.2f}, {error[1]:.2f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="steatosis-he")
    parser.add_argument("--tiles", type=Path)
    parser.add_argument("--images", nargs="*", default=[])
    given = parser.parse_args()
    model = st.load_model(given.model, device="cpu", precision="fp32")
    table(model, "drawn livers", drawn())
    if given.images:
        table(model, "images", images(given.images))
    if given.tiles is not None:
        table(model, "validation tiles", tiles(given.tiles))


if __name__ == "__main__":
    main()
