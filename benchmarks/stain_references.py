"""The numbers of the built-in stain references and of Sirius red, from folders of images.

    python benchmarks/stain_references.py --tiles TILES --gtex FOLDER --sirius IMAGE

TILES is a folder with manifest.csv (columns path, split, group); FOLDER holds *_HE.jpg. Each image
is shrunk to about 1 um/px and taken relative to its own white; 1 000 random stained pixels of each
are pooled. Prints Python that is pasted into imaging/references.py and imaging/separation.py.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

from napari_steatosis.core.resample import box_mean
from napari_steatosis.imaging.macenko import stain_vectors
from napari_steatosis.imaging.optics import WHITE, optical_density, rgb_of_density, white_level
from napari_steatosis.imaging.reference_slides import reference_of_sample
from napari_steatosis.imaging.stain_sample import StainSample, stained_of
from napari_steatosis.imaging.vahadane import sparse_vectors

EACH_PX = 1000
SHRINK = 2  # from about 0.5 um/px


def stained_pixels(path, rng):
    """Return random stained pixels of an image as they would look under the common white."""
    pixels = box_mean(np.asarray(Image.open(path).convert("RGB")), SHRINK).reshape(-1, 3)
    white = white_level(pixels)
    stained = stained_of(pixels, white)
    if len(stained) < EACH_PX:
        return np.empty((0, 3), np.uint8)
    chosen = stained[rng.choice(len(stained), EACH_PX, replace=False)]
    return rgb_of_density(optical_density(chosen, white), WHITE)


def reference(paths, name):
    """Return the reference of some images together."""
    rng = np.random.default_rng(0)
    pooled = np.concatenate([stained_pixels(path, rng) for path in sorted(paths)])
    print(f"# {name}: {len(pooled) // EACH_PX} of {len(paths)} images")
    return reference_of_sample(StainSample(WHITE, pooled, pooled), name)


def shown(numbers):
    """Return nested numbers rounded as they are pasted."""
    if isinstance(numbers, tuple):
        return tuple(map(shown, numbers))
    return float(f"{numbers:.5g}")


def show(found):
    for field in ("stains", "concentrations", "mean", "spread", "sparse_stains"):
        print(f"        {field}={shown(getattr(found, field))},")
    print(f"        sparse_concentrations={shown(found.sparse_concentrations)},")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--gtex", type=Path, required=True)
    parser.add_argument("--sirius", type=Path, required=True)
    given = parser.parse_args()
    groups = defaultdict(list)
    with (given.tiles / "manifest.csv").open() as file:
        for row in csv.DictReader(file):
            if row["split"] == "train":
                groups[row["group"][:5].rstrip("0123456789") or row["group"][:5]].append(
                    given.tiles / row["path"]
                )
    show(reference([path for paths in groups.values() for path in paths], "he"))
    strength = {}
    for name, paths in sorted(groups.items()):
        if len(paths) >= 5:
            found = reference(paths, name)
            strength[name] = sum(found.concentrations)
            print(f"#   {found.concentrations}, {found.mean}, {found.stains}")
    strongest = sorted(strength, key=strength.get)[-4:]
    print(f"# strongest: {strongest}")
    show(reference(groups["pale"], "he-pale"))
    show(reference([path for name in strongest for path in groups[name]], "he-strong"))
    show(reference(list(given.gtex.glob("*_HE.jpg")), "he-gtex"))
    pixels = np.asarray(Image.open(given.sirius).convert("RGB")).reshape(-1, 3)
    white = white_level(pixels)
    sample = StainSample(white, stained_of(pixels, white), pixels)
    print(f"# Sirius red: {len(sample.stained)} px, white {white}")
    for kind, vectors in (("macenko", stain_vectors), ("sparse", sparse_vectors)):
        print(f"#   {kind}: {vectors(sample.density).round(4).tolist()}")


if __name__ == "__main__":
    main()
