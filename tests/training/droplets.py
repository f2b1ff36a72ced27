"""White discs, which are fat, and white slits, which are not: what a classifier can learn."""

from __future__ import annotations

import numpy as np

from napari_steatosis.core.dataset import ArraySource, Sample
from napari_steatosis.core.marks import Marks
from napari_steatosis.models.classical.candidates import CandidateRule, find_candidates

PINK, PURPLE = (200, 90, 140), (130, 90, 160)


def droplets_and_slits(seed: int, side: int = 160) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of white discs in pink and white slits in purple, and where discs are."""
    rng = np.random.default_rng(seed)
    rgb = np.full((side, side, 3), PINK, np.uint8)
    rgb[:, side // 2 :] = PURPLE
    rows, columns = np.ogrid[:side, :side]
    mask = np.zeros((side, side), np.uint8)
    for y in range(16, side - 16, 24):
        for x in range(16, side // 2 - 10, 24):
            radius = rng.uniform(4, 8)
            mask[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = 1
        rgb[y - 3 : y + 3, side // 2 + 10 : side - int(rng.integers(8, 40))] = 240
    rgb[mask == 1] = 242
    rgb = np.clip(rgb.astype(int) + rng.integers(-6, 7, rgb.shape), 0, 255).astype(np.uint8)
    return rgb, mask


def sample(seed: int, patient: str = "", *, points: bool = False) -> Sample:
    rgb, mask = droplets_and_slits(seed)
    if not points:
        return Sample(f"image {seed}", ArraySource(rgb, mask), patient=patient, um_per_px=0.5)
    labels = find_candidates(rgb, CandidateRule(), 0.5)
    places, said = [], []
    for i in range(1, labels.max() + 1):
        y, x = np.argwhere(labels == i).mean(0)
        places.append((y, x))
        said.append("steatosis" if mask[round(y), round(x)] else "vessel")
    marks = Marks(np.array(places), tuple(said))
    return Sample(f"image {seed}", ArraySource(rgb, marks=marks), patient=patient, um_per_px=0.5)
