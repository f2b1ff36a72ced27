"""Train the classical model on labelled tiles in several ways, and score it on those held out.

    python benchmarks/classical_tiles.py --tiles DATA/steatosis-tiles

One row per way: pooled Jaccard with its 95 % interval over patients, droplet F1, error of the fat
area, and how long training took. Nothing is chosen on the tiles that are scored.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_steatosis.core.dataset import ArraySource, Sample
from napari_steatosis.imaging.percentile import ENDS, REC601, Stretch
from napari_steatosis.models.classical.candidates import CandidateRule
from napari_steatosis.models.classical.model import ClassicalRule
from napari_steatosis.training.classical import Search, train_classical
from napari_steatosis.training.classical_rows import GIVEN
from napari_steatosis.training.evaluate import fat_scores
from napari_steatosis.training.tiles import LabelledTile, read_tiles
from napari_steatosis.training.white_thresholds import fit_white

WAYS = {
    "as published": ("strict", "erosion", "published", "gradient-boosting"),
    "published, no stretch": ("strict", "erosion", "default", "gradient-boosting"),
    "as published, random forest": ("strict", "erosion", "published", "random-forest"),
    "as published, logistic": ("strict", "erosion", "published", "logistic"),
    "as published, SVM": ("strict", "erosion", "published", "svm-rbf"),
    "improved": ("improved", "erosion", "default", "gradient-boosting"),
    "extended": ("extended", "erosion", "default", "gradient-boosting"),
    "extended, fitted": ("extended", "erosion", "fitted", "gradient-boosting"),
    "extended, fitted, watershed": ("extended", "watershed", "fitted", "gradient-boosting"),
    "the same, random forest": ("extended", "watershed", "fitted", "random-forest"),
    "the same, logistic": ("extended", "watershed", "fitted", "logistic"),
    "the same, SVM": ("extended", "watershed", "fitted", "svm-rbf"),
}
"""Name to descriptors, how candidates are taken apart, thresholds, and classifier."""


def stretched(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch the grey of one image between its percentiles, white included, as published."""
    low, high = np.percentile(np.rint(rgb @ np.asarray(REC601)), ENDS)
    if high <= low:
        return rgb
    return Stretch((255.0, 255.0, 255.0), float(low), float(high), spares_white=False).exact(rgb)


def samples_of(tiles: list[LabelledTile]) -> Iterator[Sample]:
    """Return tiles as samples with masks."""
    for tile in tiles:
        yield Sample(tile.name, ArraySource(tile.image, tile.mask), patient=tile.group)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=Path, required=True)
    parser.add_argument("--only", nargs="*", help="ways to try; all where it is left out")
    parser.add_argument("--draws", type=int, default=0, help="parameter sets that are tried")
    parser.add_argument("--most", type=int, default=0, help="examples that sets are judged on")
    parser.add_argument("--every", type=int, default=1, help="train on every n-th tile")
    asked = parser.parse_args()
    train, val = (read_tiles(asked.tiles, split) for split in ("train", "val"))
    train = train[:: asked.every]
    plain = [train, val]
    stretch = [[replace(t, image=stretched(t.image)) for t in tiles] for tiles in plain]
    fitted = fit_white(samples_of(train))
    print(f"{len(train)} tiles to train on, {len(val)} to score; fitted: {fitted}", flush=True)
    for name in asked.only or WAYS:
        preset, separate, white, learner = WAYS[name]
        own, held_out = stretch if white == "published" else plain
        rule = replace(fitted if white == "fitted" else CandidateRule(), separate=separate)
        began = time.perf_counter()
        made = train_classical(
            samples_of(own),
            rule=ClassicalRule(rule, preset, learner),
            search=Search(
                asked.draws, given={} if asked.draws else GIVEN[learner], most=asked.most
            ),
        )
        seconds = time.perf_counter() - began
        found = fat_scores(made.model, held_out)
        values = "  ".join(
            f"{key} {found[key][0]:.3f} ({found[key][1]:.3f} to {found[key][2]:.3f})"
            for key in ("jaccard", "droplet_f1", "fat_area_error_points", "false_fat_percent")
        )
        print(f"{name}: {len(made.examples.y)} examples, {seconds:.0f} s  {values}", flush=True)
        if asked.draws:
            best = json.dumps(made.parameters, default=int)
            score = f"balanced accuracy {made.score:.3f} in cross-validation"
            print(f"  best of {asked.draws}: {best}, {score}", flush=True)


if __name__ == "__main__":
    main()
