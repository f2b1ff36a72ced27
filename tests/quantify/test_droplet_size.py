"""Each figure of the sizes against squares of droplets whose sizes are known."""

from __future__ import annotations

import numpy as np
import pytest

from class_maps import prediction_of
from napari_steatosis.quantify._evidence import Evidence
from napari_steatosis.quantify.droplet_size import droplet_size

SIDES_PX = (4, 5, 6, 8, 9, 12, 16, 20, 26, 40)


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    classes = np.ones((100, 50 * len(SIDES_PX)), np.uint8)
    for number, side in enumerate(SIDES_PX):
        classes[20 : 20 + side, 50 * number : 50 * number + side] = 2
    evidence = Evidence.gather(prediction_of(classes, 0.5))
    return {one.name: one.value for one in droplet_size(evidence)}


def test_every_figure_is_that_of_the_known_sizes(found):
    area = np.array(SIDES_PX) ** 2 / 4
    diameter = 2 * np.sqrt(area / np.pi)
    tissue_um2 = 100 * 50 * len(SIDES_PX) / 4
    assert found == pytest.approx(
        {
            "droplet_count": 10,
            "droplet_density": 10 / (tissue_um2 / 1e6),
            "droplet_diameter_mean": np.mean(diameter),
            "droplet_diameter_sd": np.std(diameter, ddof=1),
            "droplet_diameter_p10": np.percentile(diameter, 10),
            "droplet_diameter_p25": np.percentile(diameter, 25),
            "droplet_diameter_median": np.percentile(diameter, 50),
            "droplet_diameter_p75": np.percentile(diameter, 75),
            "droplet_diameter_p90": np.percentile(diameter, 90),
            "droplet_diameter_area_weighted": np.sum(diameter * area) / np.sum(area),
            "droplet_area_mean": np.mean(area),
            "droplet_area_median": np.median(area),
            "droplet_clump_fraction": 0,
            "macro_area_fraction": 100 * np.sum(area[area >= 65]) / tissue_um2,
            "micro_area_fraction": 100 * np.sum(area[area < 65]) / tissue_um2,
        }
    )
