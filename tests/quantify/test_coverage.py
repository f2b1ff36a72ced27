"""Intervals hold the truth as often as they say, on simulated slides and patients.

Each case states how often it was tried. What fails it is a nominal rate outside the 99.9 % interval
(Clopper and Pearson) of the rate that was found, less or more what is allowed in writing.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from napari_steatosis.quantify.fat_area import ratio_interval
from napari_steatosis.quantify.heterogeneity import hot_spot_interval
from napari_steatosis.quantify.patients import slide_interval

NOMINAL = 0.95
FAT = 0.12
"""Share of fat of the simulated livers."""


def rate_of(hits: list[bool]) -> tuple[float, float]:
    """Return the 99.9 % interval of the rate."""
    found = binomtest(int(np.sum(hits)), len(hits)).proportion_ci(0.999)
    return found.low, found.high


def squares(random, n: int, patchy: float):
    """Return fat and analysed pixels of squares; fat varies with this coefficient of variation."""
    analysed = random.integers(20_000, 262_144, n)
    local = random.gamma(1 / patchy**2, FAT * patchy**2, n)
    return np.rint(analysed * local).astype(np.int64), analysed


@pytest.mark.parametrize(
    ("n", "patchy", "allowed"),
    [
        (8, 0.5, 0.04),  # what few squares hold is said on the page of the interval
        (20, 0.5, 0.03),
        (60, 0.5, 0.0),
        (300, 0.5, 0.0),
        (8, 1.0, 0.05),
        (60, 1.0, 0.0),
    ],
)
def test_the_fat_area_fraction(n, patchy, allowed):
    """800 sections, 300 of the largest."""
    random = np.random.default_rng(n)
    hits = []
    for _ in range(800 if n < 300 else 300):
        low, high = ratio_interval(*squares(random, n, patchy))
        hits.append(low <= FAT <= high)
    low, high = rate_of(hits)
    assert low <= NOMINAL
    assert high + allowed >= NOMINAL


@pytest.mark.parametrize("n", [72, 100, 400])
@pytest.mark.parametrize("patchy", [0.5, 1.0])
def test_the_hot_spot(n, patchy):
    """1000 sections. Ranks are whole numbers, so it may hold more often, never less."""
    random = np.random.default_rng(n)
    shape, scale = 1 / patchy**2, FAT * patchy**2
    truth = np.quantile(random.gamma(shape, scale, 1_000_000), 0.95)
    hits = []
    for _ in range(1000):
        low, high = hot_spot_interval(random.gamma(shape, scale, n))
        hits.append(low <= truth <= high)
    assert rate_of(hits)[1] >= NOMINAL
    assert np.mean(hits) <= 0.995


@pytest.mark.parametrize("n", [3, 5, 10])
@pytest.mark.parametrize("unlike", [1.2, 3.0])
def test_a_patient_of_some_slides(n, unlike):
    """800 patients; the largest slide has about so many times the tissue of the smallest."""
    random = np.random.default_rng(n)
    hits = []
    for _ in range(800):
        truth = random.uniform(10, 40)
        tissue = 10 * unlike ** random.uniform(-0.5, 0.5, n)
        fat = tissue * np.clip(random.normal(truth, 3, n), 0, 100) / 100
        low, high = slide_interval(fat, tissue)[0]
        hits.append(low <= truth <= high)
    low, high = rate_of(hits)
    assert low <= NOMINAL <= high + 0.02
