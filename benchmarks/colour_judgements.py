"""How often the channel order and the stain of real images are judged rightly.

    python benchmarks/colour_judgements.py ../shared/data

Every image is judged as it is and with red and blue swapped. Thresholds were set on the
training tiles; the validation tiles are of other groups. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import skimage
from scipy.stats import binomtest

import napari_steatosis as st
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.resample import box_mean
from napari_steatosis.core.slide import Slide, virtual_levels
from napari_steatosis.imaging import guess_stain, looks_swapped

ALARM = "red and blue look swapped"

HE = (
    "slides/aperio/CMU-1-Small-Region.svs",
    "slides/aperio/TCGA-CR-7395-01A-01-TS1.svs",
    "slides/tiff/he-section-pyramid.tiff",
    "slides/tiff/he-core.tif",
    "liver/severe-macrovesicular.jpg",
    "liver/liverquant/tile01_HE.jpg",
    "liver/liverquant/tile02_HE.jpg",
    "liver/liverquant/tile03_HE.jpg",
    "liver/liverquant/tile04_HE.jpg",
    "stain/tiatoolbox/source_image.png",
    "stain/tiatoolbox/target_image.png",
    "stain/torchstain/source.png",
    "stain/torchstain/target.png",
    "stain/histolab/low-nuclei-score-level0.png",
    "stain/histolab/medium-nuclei-score-level1.png",
    "stain/histolab/tissue-level0-7352-11762-7864-12274.png",
)
RECOLOURED = ("stain/tiatoolbox/norm_*.png", "stain/histolab/expected_*.png")
OTHER = (
    "liver/trichrome/*.png",
    "liver/liverquant/tile02_PSR.jpg",
    "slides/ndpi/fluorescence-TRITC.ndpi",
)
IHC = Path(skimage.__file__).parent / "data" / "ihc.png"
"""Haematoxylin and DAB; scikit-image ships it."""


@dataclass(frozen=True)
class Pixels:
    """A picture in memory."""

    rgb: np.ndarray

    def read(self, level, region):
        return np.ascontiguousarray(self.rgb[region.slices])

    def associated(self, name):
        raise KeyError(name)


def shrunk(slide: Slide, factor: int) -> Slide:
    """The slide as scanned at a lower magnification."""
    height, width = slide.shape
    rgb = box_mean(slide.read(Region(y=0, x=0, height=height, width=width)), factor)
    levels = virtual_levels([(*rgb.shape[:2], 1.0)])
    return replace(slide, source=Pixels(rgb), levels=tuple(levels))


def judged(paths: Iterable[Path], *, factor: int = 1) -> Iterator[dict]:
    """Verdicts of every image as it is and swapped, and the stain guessed of both."""
    for path in paths:
        row: dict = {"path": path}
        for kind in ("normal", "swapped"):
            slide = st.open_slide(path, swap_red_blue=kind == "swapped")
            slide = shrunk(slide, factor) if factor > 1 else slide
            began = time.perf_counter()
            order = looks_swapped(slide)
            row[f"{kind}_s"] = time.perf_counter() - began
            row[kind], row[f"{kind}_score"] = order.verdict, order.score
            row[f"{kind}_stain"] = guess_stain(slide).name
        yield row


def share(hits: pd.Series) -> str:
    """Hits of all, percent and interval."""
    count, total = int(hits.sum()), len(hits)
    low, high = binomtest(count, total).proportion_ci(method="wilson")
    return f"{count}/{total} = {100 * count / total:.1f} % ({100 * low:.1f}-{100 * high:.1f})"


def summary(name: str, rows: pd.DataFrame) -> dict[str, str]:
    """One line of the table."""
    return {
        "set": name,
        "false alarms": share(rows.normal == ALARM),
        "swapped found": share(rows.swapped == ALARM),
        "as expected": share(rows.normal == "as expected"),
        "swapped 'as expected'": share(rows.swapped == "as expected"),
        "stain": str(dict(Counter(rows.normal_stain))),
        "stain of swapped": str(dict(Counter(rows.swapped_stain))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    tiles = pd.read_csv(data / "steatosis-tiles" / "manifest.csv")
    tables, lines = {}, []
    for split in ("train", "val"):
        part = tiles[tiles.split == split].reset_index(drop=True)
        for factor in (1, 2, 4):
            places = (data / "steatosis-tiles" / path for path in part.path)
            rows = pd.DataFrame(judged(places, factor=factor)).assign(group=part.group)
            tables[split, factor] = rows
            lines.append(summary(f"{split} tiles" + f", shrunk {factor}x" * (factor > 1), rows))
    val = tables["val", 1]
    pale = val.group.str.startswith("pale")
    lines += [summary("val, pale groups", val[pale]), summary("val, others", val[~pale])]
    sets = {"other H&E": HE, "H&E recoloured by programs": RECOLOURED, "other stains": OTHER}
    for name, patterns in sets.items():
        found = [path for pattern in patterns for path in sorted(data.glob(pattern))]
        found += [IHC] if name == "other stains" else []
        tables[name] = pd.DataFrame(judged(found))
        lines.append(summary(name, tables[name]))
    for line in lines:
        print(
            "\n  ".join(f"{key}: {value}" if key != "set" else value for key, value in line.items())
        )
    groups = val.groupby("group").agg(
        false=("normal", lambda verdicts: (verdicts == ALARM).any()),
        found=("swapped", lambda verdicts: (verdicts == ALARM).all()),
    )
    print(f"val groups with a false alarm: {share(groups.false)}")
    print(f"val groups with every swapped tile found: {share(groups.found)}")
    for name in sets:
        for row in tables[name].itertuples():
            print(
                f"{name}: {row.path.name}: {row.normal} ({row.normal_score:.3f}), "
                f"{row.normal_stain}; "
                f"swapped: {row.swapped}, {row.swapped_stain}; {row.normal_s:.2f} s"
            )


if __name__ == "__main__":
    main()
