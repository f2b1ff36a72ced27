"""Deletion, insertion and random weights: on models whose answers are known, and on networks."""

from __future__ import annotations

import numpy as np
import pytest

from models.test_explain import noise, untrained
from napari_steatosis.core.map_check import MapCheck, area_under
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import load_model
from napari_steatosis.models.map_check import check_map, deletion_curve, insertion_curve


class LooksAtACorner:
    """Says how bright the upper left quarter is; of a segmenter at every pixel of it."""

    digest, arithmetic = "3" * 64, {"device": "cpu", "precision": "fp32"}

    def __init__(self, task: str = "classification") -> None:
        self.spec = ModelSpec("corner", "none", task, ("dark", "bright"), 1.0, 32, 0)

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        half = tiles.shape[1] // 2
        if self.spec.task == "classification":
            chance = tiles[:, :half, :half].mean((1, 2, 3)) / 255
            return np.stack([1 - chance, chance], 1).astype(np.float32)
        chance = np.zeros(tiles.shape[:3], np.float32)
        chance[:, :half, :half] = tiles[:, :half, :half].mean(3) / 255
        return np.stack([1 - chance, chance], 1)


def tile() -> np.ndarray:
    image = np.full((32, 32, 3), 51, np.uint8)
    image[:16, :16] = 255
    return image


def corner(right: bool) -> np.ndarray:
    values = np.zeros((32, 32), np.float32)
    values[:16, :16] = 1
    return values if right else 1 - values


@pytest.mark.parametrize("task", ["classification", "segmentation"])
def test_curves_of_a_known_model(task: str):
    model = LooksAtACorner(task)
    right, wrong = (deletion_curve(model, tile(), corner(one), target=1, steps=4) for one in (1, 0))
    mean = (255 + 3 * 51) / 4 / 255
    assert right == pytest.approx([1, mean, mean, mean, mean], abs=0.01)
    assert wrong == pytest.approx([1, 1, 1, 1, mean], abs=0.01)
    right, wrong = (
        insertion_curve(model, tile(), corner(one), target=1, steps=4) for one in (1, 0)
    )
    assert right[1:] == pytest.approx([1, 1, 1, 1], abs=1e-6)
    assert wrong[-1] == pytest.approx(1)
    assert wrong[0] == pytest.approx(right[0])
    assert wrong[:-1] == pytest.approx(np.full(4, right[0]), abs=1e-6)
    assert right[0] < 0.97


def test_areas_are_mean_heights():
    assert area_under(np.array([1.0, 0.0])) == 0.5
    assert area_under(np.array([1.0, 1.0, 0.0, 0.0])) == pytest.approx(0.5)


def test_a_trained_segmenter_passes_and_says_so():
    import napari_steatosis as st

    drawn = st.drawn_liver(512, 512, seed=4, fat_percent=15, um_per_px=0.5, glass=False)
    rgb = drawn.read(st.Region(y=0, x=0, height=128, width=128))
    model = load_model("steatosis-he", device="cpu", precision="fp32")
    found = check_map(model, rgb, target=1, steps=8)
    area = found.areas()
    assert area["deletion"] < area["deletion_at_random"]
    assert area["insertion"] > area["insertion_at_random"]
    assert abs(found.likeness) < 0.9
    assert found.name == "grad-cam: fat"
    assert all("sooner than random" in one for one in found.sentences()[1:])
    assert "no sooner" not in " ".join(found.sentences())
    again = check_map(model, rgb, target=1, steps=8)
    assert again.to_json() == found.to_json()


@pytest.mark.parametrize("method", ["grad-cam++", "attention"])
def test_every_kind_of_map_of_a_classifier_is_tested(method: str):
    model = untrained("cnn-lstm-attention")
    found = check_map(model, noise(1, 128)[0], target=0, method=method, steps=4)
    whole = model.predict(noise(1, 128))[0, 0]
    assert found.deletion[0] == pytest.approx(whole, abs=1e-5)
    assert found.insertion[-1] == pytest.approx(whole, abs=1e-5)
    assert found.deletion_at_random[-1] == pytest.approx(found.deletion[-1], abs=1e-5)
    assert set(found.to_json()["areas"]) == set(found.areas())


def test_a_flat_map_has_no_likeness():
    flat, line = np.zeros((4, 4), np.float32), np.linspace(1, 0, 5)
    found = MapCheck("m", np.zeros((4, 4, 3), np.uint8), flat, flat, np.nan, *[line] * 4)
    assert "one of the maps is flat" in found.sentences()[0]
    assert "no sooner" in found.sentences()[1]
    assert found.to_json()["likeness_to_random_weights"] is None
