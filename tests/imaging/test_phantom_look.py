"""The drawn liver beside real tiles: colours and droplet sizes lie in their range."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_steatosis.core.geometry import Region
from napari_steatosis.imaging.phantom import DrawnLiver, drawn_liver


def liver(height: int, width: int, **values: object) -> DrawnLiver:
    return drawn_liver(height, width, **values).source  # type: ignore[arg-type,return-value]


def densities(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Median optical density of the tissue and of the darkest 2 % in red, (6,)."""
    pixels = rgb.reshape(-1, 3).astype(float)
    white = np.percentile(pixels, 99.5, axis=0).clip(235)
    density = -np.log((pixels + 1) / (white + 1))
    tissue = density[density[:, 1] > 0.12]
    dark = tissue[tissue[:, 0] > np.percentile(tissue[:, 0], 98)]
    return np.concatenate([np.median(tissue, axis=0), np.median(dark, axis=0)])


@pytest.fixture(scope="module")
def real_densities(shared_data: Path) -> NDArray[np.float64]:
    from PIL import Image

    folder = shared_data / "steatosis-tiles"
    with open(folder / "manifest.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if float(row["tissue_percent"]) > 60]
    images = [Image.open(folder / row["path"]).convert("RGB") for row in rows[::4]]
    return np.array([densities(np.asarray(image)) for image in images])


def test_colours_spread_as_those_of_real_tiles(real_densities: NDArray[np.float64]) -> None:
    tiles = [liver(208, 208, seed=k, fat_percent=k % 6, glass=False) for k in range(30)]
    drawn = np.array([densities(tile.read(0, tile.bounds)) for tile in tiles])
    low, middle, high = np.percentile(real_densities, [1, 50, 99], axis=0)
    within = (drawn > 0.8 * low) & (drawn < 1.2 * high)
    assert within.mean() > 0.95
    assert np.median(drawn, axis=0) == pytest.approx(middle, rel=0.25)
    assert (drawn.std(0) > 0.4 * real_densities.std(0)).all()


def test_droplets_are_as_white_as_glass_and_tissue_is_not() -> None:
    drawn = liver(1000, 1000, seed=11, fat_percent=15)
    rgb, truth = drawn.read(0, drawn.bounds), drawn.truth(drawn.bounds)
    instances, table = drawn.instances(drawn.bounds), drawn.droplets(drawn.bounds)
    large = np.isin(instances, table["id"][table["radius_px"] > 16])
    glass = np.median(rgb[:40, :40], axis=(0, 1))
    assert (np.median(rgb[large], axis=0) > glass - 25).all()
    assert np.median(rgb[truth == 1], axis=0)[1] < glass[1] - 50


def test_some_droplets_touch_and_their_sizes_range_from_micro_to_macro() -> None:
    drawn = liver(2000, 2000, seed=14, fat_percent=20, glass=False)
    table = drawn.droplets(drawn.bounds)
    radius = table["radius_px"] * 0.5
    assert radius.min() < 2
    assert radius.max() > 15
    assert 1.5 < np.median(radius) < 5
    big = radius > 4
    y, x = table["y_px"][big], table["x_px"][big]
    away = np.hypot(y[:, None] - y, x[:, None] - x) - 2 * (radius[big][:, None] + radius[big])
    np.fill_diagonal(away, np.inf)
    assert (away.min(1) < 1).mean() > 0.1


def test_white_is_not_always_fat() -> None:
    drawn = liver(1200, 1200, seed=3, fat_percent=0, glass=False)
    rgb, truth = drawn.read(0, drawn.bounds), drawn.truth(drawn.bounds)
    white = rgb.min(axis=2) > np.percentile(rgb, 99.9) - 30
    assert (white & (truth == 1)).mean() > 0.002


def test_glass_is_plain_and_tissue_of_a_huge_slide_is_bounded() -> None:
    slide = drawn_liver(65_536, 65_536, seed=6)
    drawn = slide.source
    assert isinstance(drawn, DrawnLiver)
    depth = drawn.scene.outline.depth(
        np.arange(0, 32_768, 100.0)[:, None], np.arange(0, 32_768, 100.0)[None, :]
    )
    tissue_mm2 = float((depth > 0).mean()) * 32.768**2
    assert 20 < tissue_mm2 < 60
    corner = slide.read(Region(y=0, x=0, height=256, width=256))
    assert corner.std(axis=(0, 1)).max() < 2


def test_memory_stays_bounded_however_large_the_region() -> None:
    drawn = liver(100_000, 100_000, seed=2)
    middle = Region(y=49_000, x=49_500, height=1024, width=1024)
    drawn.read(0, middle.intersect(Region(y=49_000, x=49_500, height=64, width=64)) or middle)
    tracemalloc.start()
    drawn.read(0, middle)
    drawn.truth(middle)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


def test_coarser_drawing_shows_the_same_tissue() -> None:
    fine = liver(600, 600, um_per_px=0.5, seed=9, fat_percent=10)
    coarse = liver(300, 300, um_per_px=1.0, seed=9, fat_percent=10)
    shares = [np.bincount(d.truth(d.bounds).ravel(), minlength=3) / 1.0 for d in (fine, coarse)]
    shares = [share / share.sum() for share in shares]
    assert shares[0] == pytest.approx(shares[1], abs=0.03)
