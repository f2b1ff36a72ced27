"""Normalisation leaves the fat where it is: white of a drawn liver, the model on real tiles."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import napari_steatosis as st
from arrays import slide_of
from napari_steatosis.core.geometry import Region
from napari_steatosis.core.slide import Slide
from napari_steatosis.imaging.optics import CLEAR, optical_density
from napari_steatosis.imaging.stain import STAINS, fit_stain, stain_of_sample
from napari_steatosis.imaging.stain_sample import sample_stain

METHODS = list(STAINS)
POINTS = 0.3
"""By how much the fat may change, percentage points."""


def normalised(slide: Slide, rgb: NDArray[np.uint8], method: str) -> NDArray[np.uint8]:
    by_hand: dict[str, Any] = {"stains": "H&E"} if method == "matrix" else {}
    return fit_stain(slide, method=method, **by_hand).apply(rgb)


@pytest.fixture(scope="module")
def liver() -> tuple[Slide, NDArray[np.uint8]]:
    slide = st.drawn_liver(512, 512, seed=3)
    return slide, slide.read(Region(y=0, x=0, height=512, width=512))


@pytest.mark.parametrize("method", METHODS)
def test_the_white_area_of_a_drawn_liver_stays(
    method: str, liver: tuple[Slide, NDArray[np.uint8]]
) -> None:
    white = [(rgb.min(-1) > 210).mean() for rgb in (liver[1], normalised(*liver, method))]
    assert abs(white[1] - white[0]) * 100 < POINTS
    assert white[0] > 0.1


LARGEST = {"macenko": 0.4, "vahadane": 0.45, "reinhard": 0.3, "percentile": 0.35, "matrix": 0.4}
"""Points by which the fat that the model finds in a drawn liver may change; `POINTS` are aimed at.
The white pixels stay, to the last bit; the model reads some of them by the colours around."""


@pytest.mark.parametrize("seed", [2, 5])
def test_the_model_finds_about_as_much_fat_in_a_drawn_liver(seed: int) -> None:
    pytest.importorskip("torch")
    model = st.load_model("steatosis-he", device="cpu")
    slide = st.drawn_liver(512, 512, seed=seed)
    rgb, sample = slide.read(Region(y=0, x=0, height=512, width=512)), sample_stain(slide)
    white = optical_density(rgb, sample.white).max(-1) < CLEAR
    before = 100 * (model.predict(rgb[None])[0, 1] >= 0.5).mean()
    for method in METHODS:
        by_hand: dict[str, Any] = {"stains": "H&E"} if method == "matrix" else {}
        after = stain_of_sample(sample, method=method, **by_hand).apply(rgb)
        assert (after[white] == rgb[white]).all()
        change = 100 * (model.predict(after[None])[0, 1] >= 0.5).mean() - before
        assert abs(change) < LARGEST[method], (method, change)


@pytest.fixture(scope="module")
def tiles(shared_data: Path) -> list[NDArray[np.uint8]]:
    """The first six validation tiles with more than 2 % of fat."""
    folder = shared_data / "steatosis-tiles"
    with (folder / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    chosen = [folder / row["path"] for row in rows if float(row["fat_percent"]) > 2][:6]
    return [np.asarray(Image.open(path).convert("RGB")) for path in chosen]


@pytest.mark.parametrize("method", METHODS)
def test_the_model_finds_as_much_fat_in_real_tiles(
    method: str, tiles: list[NDArray[np.uint8]]
) -> None:
    pytest.importorskip("torch")
    model = st.load_model("steatosis-he", device="cpu")
    after = [normalised(slide_of(tile, 0.5), tile, method) for tile in tiles]
    fat = [
        [(model.predict(tile[None])[0, 1] >= 0.5).mean() for tile in some]
        for some in (tiles, after)
    ]
    change = 100 * np.subtract(fat[1], fat[0])
    # The stretch makes tissue darker beside its fat, of which the model then sees a little more.
    assert abs(change.mean()) < (0.5 if method == "percentile" else POINTS)
    assert np.abs(change).max() < 1  # of single tiles, each fitted to itself
