"""How much parenchyma `find_tissue` keeps and how much glass it takes, on drawn slides by seed.

    OMP_NUM_THREADS=1 python benchmarks/tissue_seeds.py --seeds 7001 7012

The seed decides everything: one of five shapes (pieces on 1, 5 and 21 mm2 of slide, one and three
needle cores), fat from 0 to 60 %, how torn and frayed the tissue is, its stain, and what lies on
the glass: felt pen that also runs over tissue, rims of bubbles, dust, fibres. Tissue under pen and
15 um around it, where the ink fades, counts neither way. "open" are tears that reach the edge of
the slide through glass, "tears" those that do not. ``--keep FOLDER`` draws only once.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, label

from napari_steatosis.core.geometry import Region
from napari_steatosis.core.slide import Slide, virtual_levels
from napari_steatosis.imaging.phantom import WHITES, drawn_liver
from napari_steatosis.imaging.tissue import find_tissue

SHAPES = (
    ("piece on 1 mm2", "piece", 2048, 2048, 0.5),
    ("piece on 5 mm2", "piece", 2304, 2304, 1.0),
    ("one core", "cores", 2304, 4096, 1.0),
    ("piece on 21 mm2", "piece", 2304, 2304, 2.0),
    ("three cores", "cores", 3700, 3800, 2.0),
)
PEN_UM = 15.0
"""So far around pen nothing is asked, um."""

FAT = (0, 12, 25, 45, 60, 52, 35)
PENS = ((40, 120, 60), (40, 60, 170), (20, 150, 170), (205, 35, 45), (20, 20, 20))
FAT_KIND, TEAR, GLASS = (WHITES.index(name) for name in ("fat", "tear", "glass"))
TISSUE = (WHITES.index("tissue"), FAT_KIND, WHITES.index("sinusoid"))


@dataclass(frozen=True, eq=False)
class Held:
    """Pixels in memory as a slide."""

    rgb: NDArray[np.uint8]

    def read(self, level: int, region: Region) -> NDArray[np.uint8]:
        return self.rgb[region.slices]

    def associated(self, name: str) -> NDArray[np.uint8]:
        raise KeyError(name)


@dataclass(frozen=True, eq=False)
class Drawn:
    """A drawn slide and what is true of it."""

    name: str
    slide: Slide
    kinds: NDArray[np.uint8]
    pen: NDArray[np.bool_]


def drawn(seed: int, keep: Path | None = None) -> Drawn:
    """Draw the slide of a seed, or take it from where it was kept."""
    name, shape, height, width, um = SHAPES[seed % len(SHAPES)]
    fat = FAT[(seed // len(SHAPES) + seed) % len(FAT)]
    made = drawn_liver(height, width, um_per_px=um, seed=seed, fat_percent=fat).source
    worn = np.random.default_rng([seed, 1]).uniform(size=4)
    style = replace(
        made.style,
        tears=max(made.style.tears, 0.8 * worn[0]),
        holes=max(made.style.holes, 0.5 * worn[1]),
        fray=max(made.style.fray, worn[2]),
        debris=max(made.style.debris, 0.8 * worn[3]),
    )
    slide = replace(made, shape=shape, style=style).slide()
    file = None if keep is None else keep / f"{seed}.npz"
    if file is not None and file.exists():
        held = np.load(file)
        rgb, kinds = held["rgb"], held["kinds"]
    else:
        whole = Region(y=0, x=0, height=height, width=width)
        rgb, kinds = slide.read(whole), slide.source.white_kinds(whole)
        if file is not None:
            np.savez(file, rgb=rgb, kinds=kinds)
    rgb, pen = dirtied(rgb, um, np.random.default_rng([seed, 2]))
    levels = tuple(virtual_levels([(height, width, 1.0)]))
    held_slide = Slide(f"drawn {seed}", "array", Held(rgb), levels, str(seed), (um, um))
    return Drawn(f"{name}, {fat} % asked for", held_slide, kinds, pen)


def dirtied(
    rgb: NDArray[np.uint8], um: float, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return pixels with pen, bubbles, dust and fibres, and where the pen is."""
    out = rgb.astype(np.float32)
    height, width = rgb.shape[:2]
    side = min(height, width) * um
    pen = np.zeros(rgb.shape[:2], bool)
    for _ in range(2):
        pen |= stroke(pen.shape, um, random, length=0.35 * side, thick=random.uniform(90, 250))
    colour = PENS[int(random.integers(len(PENS)))]
    ink = gaussian_filter(pen.astype(np.float32), 2 / um)[..., None]
    out *= 1 - ink + ink * (np.array(colour, np.float32) / 245)
    for _ in range(3):
        radius = random.uniform(0.04, 0.15) * side
        y, x = random.uniform(0, height * um), random.uniform(0, width * um)
        rows, columns = np.ogrid[:height, :width]
        away = np.hypot(rows * um - y, columns * um - x) - radius
        out *= (1 - 0.45 * np.exp(-((away / 6) ** 2)))[..., None]
    dirt = np.ones(rgb.shape[:2], np.float32)
    for _ in range(max(6, int(8 * height * width * um**2 / 1e6))):
        y, x = int(random.integers(height)), int(random.integers(width))
        r = max(1, round(random.uniform(1, 14) / um))
        dirt[max(0, y - r) : y + r, max(0, x - r) : x + r] *= random.uniform(0.15, 0.8)
    for _ in range(4):
        fibre = stroke(pen.shape, um, random, length=400, thick=random.uniform(4, 10))
        dirt[fibre] *= random.uniform(0.3, 0.8)
    out *= gaussian_filter(dirt, 0.8 / um)[..., None]
    return np.clip(np.rint(out), 0, 255).astype(np.uint8), pen


def stroke(
    shape: tuple[int, int], um: float, random: np.random.Generator, *, length: float, thick: float
) -> NDArray[np.bool_]:
    """Return a bent line of a length and a thickness in um."""
    y, x = random.uniform(0, shape[0] * um), random.uniform(0, shape[1] * um)
    turn, bend = random.uniform(0, 2 * np.pi), random.uniform(-2, 2) / length
    found, radius = np.zeros(shape, bool), thick / 2 / um
    disc = np.hypot(*np.ogrid[-int(radius) : int(radius) + 1, -int(radius) : int(radius) + 1])
    for _ in range(int(length / max(1.0, thick / 8))):
        y, x = y + thick / 8 * np.sin(turn), x + thick / 8 * np.cos(turn)
        turn += bend * thick / 8
        top, left = int(y / um - radius), int(x / um - radius)
        if 0 <= top < shape[0] - len(disc) and 0 <= left < shape[1] - len(disc):
            found[top : top + len(disc), left : left + len(disc)] |= disc <= radius
    return found


def figures(case: Drawn, sensitivity: float) -> dict[str, Any]:
    """Return what was found on a slide, in percent."""
    began = time.process_time()
    mask = find_tissue(case.slide, sensitivity=sensitivity)
    took = time.process_time() - began
    height, width = case.kinds.shape
    found = mask.on(Region(y=0, x=0, height=height, width=width), case.slide.frame())
    tissue = np.isin(case.kinds, TISSUE)
    places, _ = label(~tissue)
    outside = np.unique(np.concatenate([places[0], places[-1], places[:, 0], places[:, -1]]))
    bare = np.isin(places, outside[outside > 0])
    away = distance_transform_edt(~case.pen) * case.slide.frame().mean_um_per_px > PEN_UM
    seen, tissue = tissue & ~case.pen, tissue & away
    fat = (case.kinds == FAT_KIND) & away
    tears = (case.kinds == TEAR) & ~bare

    def percent(yes: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
        return round(100 * float(yes[of].mean()), 3) if of.any() else None

    return {
        "slide": case.name,
        "fat": round(100 * float(fat.sum() / max(1, tissue.sum())), 1),
        "glass": round(100 * float(bare.mean()), 1),
        "parenchyma_found": percent(found, tissue),
        "fat_found": percent(found, fat),
        "parenchyma_found_up_to_pen": percent(found, seen),
        "glass_taken": percent(found, bare & (case.kinds == GLASS)),
        "glass_and_open_taken": percent(found, bare),
        "tears_of_tissue": round(100 * float(tears.sum() / tissue.sum()), 2),
        "tears_kept": percent(found, tears),
        "tears_kept_of_mask": round(100 * float((found & tears).sum() / max(1, found.sum())), 2),
        "cpu_s": round(took, 2),
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--seeds", type=int, nargs=2, default=(7001, 7012), help="first and last")
    asked.add_argument("--sensitivity", type=float, default=0.5)
    asked.add_argument("--keep", type=Path, help="folder of what was drawn")
    given = asked.parse_args()
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    for seed in range(given.seeds[0], given.seeds[1] + 1):
        row = figures(drawn(seed, given.keep), given.sensitivity)
        print(json.dumps({"seed": seed, **row}), flush=True)


if __name__ == "__main__":
    main()
