"""Nuclei of hepatocytes on drawn livers, whose nuclei and cells are known.

``python benchmarks/nuclei.py`` prints, for drawn livers of 0.6 x 0.6 mm with little and much fat,
which share of the nuclei was found (recall), which share of what was found is one (precision), and
the share of hepatocytes with fat: as drawn, by nuclei, and by squares.
"""

from __future__ import annotations

import time

import numpy as np
from scipy.spatial import cKDTree

import napari_steatosis as st
from napari_steatosis.core.prediction import Prediction
from napari_steatosis.pipelines.hepatocytes import find_hepatocytes

SIDE, UM, EDGE_UM, NEAR_UM = 1200, 0.5, 20.0, 3.0
CASES = ((1, 2), (4, 2), (5, 10), (8, 10), (2, 25), (5, 25))
COLUMNS = ("seed", "fat area, %", "nuclei", "recall, %", "precision, %", "drawn, %", "nuclei, %",
           "squares, %", "s")  # fmt: skip


def measured(seed: int, fat_percent: float) -> tuple[float, ...]:
    """Return a row of the table, as `COLUMNS` says."""
    slide = st.drawn_liver(
        SIDE, SIDE, um_per_px=UM, seed=seed, fat_percent=fat_percent, glass=False
    )
    source = slide.source
    classes = source.truth(source.bounds)
    fat = Prediction("fat", [classes], ("tissue", "fat"), slide.frame(), slide=slide)
    began = time.process_time()
    found = find_hepatocytes(fat)
    seconds = time.process_time() - began
    drawn = source.nuclei(source.bounds)
    true = np.stack([drawn["y_px"], drawn["x_px"]], axis=1).astype(float) * UM
    rows, columns = np.clip(np.rint(true / UM).astype(int), 0, SIDE - 1).T
    true = true[classes[rows, columns] == 1]  # not hidden by a droplet or cut off by a tear
    seen = np.stack([found.table["y_um"], found.table["x_um"]], axis=1)
    there = cKDTree(seen).query(_inside(true))[0] < NEAR_UM
    right = cKDTree(true).query(_inside(seen))[0] < NEAR_UM
    report = st.measure(fat, nuclei=found)
    return (
        seed,
        fat_percent,
        len(there),
        100 * float(there.mean()),
        100 * float(right.mean()),
        source.true_hepatocyte_percent(source.bounds),
        report["hepatocytes_with_fat"].value,
        report["hepatocyte_equivalent"].value,
        seconds,
    )


def _inside(points: np.ndarray) -> np.ndarray:
    far = SIDE * UM - EDGE_UM
    return points[(points.min(1) > EDGE_UM) & (points.max(1) < far)]


if __name__ == "__main__":
    print(" | ".join(COLUMNS))
    for case in CASES:
        print(" | ".join(f"{value:.3g}" for value in measured(*case)), flush=True)
