"""The scores in the shipped models are what the real tiles give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_steatosis.models import load_model
from napari_steatosis.training.evaluate import fat_scores, predicted_fat
from napari_steatosis.training.tiles import read_tiles


@pytest.mark.parametrize("name", ["steatosis-he", "steatosis-he-drawn"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_stated_scores_are_reproduced(shared_data: Path, name: str, precision: str):
    model = load_model(name, device="cpu", precision=precision)
    found = fat_scores(model, read_tiles(shared_data / "steatosis-tiles", "val"))
    stated = model.spec.scores["val"]
    assert found["tiles"] == stated["tiles"] == 56
    assert found["droplets"] == stated["droplets"] == 773
    tolerance = {"fp32": 0.002, "bf16": 0.01}[precision]
    for score in ("jaccard", "droplet_f1", "panoptic_quality"):
        assert found[score] == pytest.approx(stated[score], abs=tolerance)
    for score in ("fat_area_error_points", "false_fat_percent"):
        assert found[score] == pytest.approx(stated[score], abs=5 * tolerance)


def test_the_default_does_not_fall_behind():
    scores = load_model("steatosis-he", device="cpu").spec.scores["val"]
    assert scores["jaccard"][0] >= 0.69
    assert scores["droplet_f1"][0] >= 0.84
    assert scores["fat_area_error_points"][0] <= 0.27
    assert scores["false_fat_percent"][0] <= 0.08


def test_an_image_of_any_size_is_predicted(shared_data: Path):
    model = load_model("steatosis-he", device="cpu", precision="fp32")
    image = read_tiles(shared_data / "steatosis-tiles", "val")[0].image
    found = predicted_fat(model, image[:200, :333])
    assert found.shape == (200, 333)
    whole = predicted_fat(model, image)
    assert np.mean(found[:64, :192] == whole[:64, :192]) > 0.999
