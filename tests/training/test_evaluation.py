"""Scores of a dataset: against numbers known by hand, and what is said beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_steatosis.core.dataset import IGNORE, ArraySource, Dataset, Sample
from napari_steatosis.core.errors import BadValueError, MissingScaleError
from napari_steatosis.core.model import ModelSpec
from napari_steatosis.models import build, load_model
from napari_steatosis.training.detections import Detections, average_precision
from napari_steatosis.training.evaluate import evaluate
from napari_steatosis.training.monitor import Monitor
from napari_steatosis.training.samples import Samples, Wanted
from training.trainings import drawn, squares, trained


class WhiteIsFat:
    """Finds fat where red exceeds 200; surer the brighter."""

    digest = "0" * 64

    def __init__(self, um_per_px: float = 0.5) -> None:
        self.arithmetic = {"device": "cpu", "precision": "fp32"}
        self.spec = ModelSpec(
            "white", "none", "segmentation", ("tissue", "fat"), um_per_px, 64, 0, multiple_px=8
        )

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        fat = np.clip((tiles[..., 0].astype(np.float32) - 100) / 200, 0, 1)
        return np.stack([1 - fat, fat], 1)


def sample(name: str, found: slice, true: slice, **more: object) -> Sample:
    """An image of 10 x 110 px, red where fat is to be found."""
    image, mask = np.full((10, 110, 3), 90, np.uint8), np.zeros((10, 110), np.uint8)
    image.reshape(-1, 3)[found] = 250
    mask.flat[true] = 1
    return Sample(name, ArraySource(image, mask), **{"patient": name, "um_per_px": 0.5, **more})


def example() -> Dataset:
    """The pixels of which the specification says pooled 0.880 and mean 0.333."""
    return Dataset(
        (
            sample("a", slice(0, 900), slice(0, 1000)),
            sample("b", slice(9, 20), slice(0, 11)),
            sample("c", slice(0, 5), slice(0, 0)),
        ),
        ("tissue", "fat"),
    )


def test_jaccard_pooled_and_mean_are_both_named():
    values = evaluate(WhiteIsFat(), example(), draws=50).values
    assert values["jaccard_pooled"].value == pytest.approx(0.880, abs=5e-4)  # 902 of 1025
    assert values["jaccard_mean"].value == pytest.approx(1 / 3, abs=5e-4)
    assert values["jaccard_mean_positive"].value == pytest.approx(0.5, abs=5e-4)
    assert values["jaccard_positive"].value == pytest.approx(902 / 1020, abs=5e-4)
    assert values["clean_share"].value == 0
    assert values["dice"].value == pytest.approx(2 * 902 / (916 + 1011), abs=5e-4)
    assert values["precision"].value == pytest.approx(902 / 916, abs=5e-4)
    assert values["recall"].value == pytest.approx(902 / 1011, abs=5e-4)
    assert values["specificity"].value == pytest.approx(1 - 14 / (3300 - 1011), abs=5e-4)


def test_an_image_without_fat_in_truth_and_prediction_counts_one():
    empty = Dataset((sample("e", slice(0, 0), slice(0, 0)),), ("tissue", "fat"))
    found = evaluate(WhiteIsFat(), empty, draws=10)
    assert found.values["jaccard_mean"].value == 1
    assert np.isnan(found.values["jaccard_pooled"].value)
    said = found.to_json()["scores"]["jaccard_pooled"]
    assert said["value"] is None
    assert "nothing" in said["reason"]


def test_what_nobody_judged_is_in_no_score():
    image, mask = np.full((16, 16, 3), 250, np.uint8), np.full((16, 16), IGNORE, np.uint8)
    mask[:8, :8], image[:4, :8] = 1, 90
    one = Sample("i", ArraySource(image, mask), patient="i", um_per_px=0.5)
    values = evaluate(WhiteIsFat(), Dataset((one,), ("tissue", "fat")), draws=10).values
    assert values["jaccard_pooled"].value == 0.5
    assert values["precision"].value == 1
    assert values["fat_area_error_points"].value == 50  # of the 64 px that were judged


def test_an_image_of_another_pixel_size_is_resampled_and_said():
    image, mask = np.full((40, 60, 3), 90, np.uint8), np.zeros((40, 60), np.uint8)
    image[8:24, 8:24], mask[8:24, 8:24] = 250, 1
    fine = Sample("f", ArraySource(image, mask), patient="f", um_per_px=0.25)
    data = Dataset((fine,), ("tissue", "fat"))
    found = evaluate(WhiteIsFat(0.5), data, draws=10)
    assert found.tiles[0].judged == 20 * 30
    assert found.values["jaccard_pooled"].value == 1
    assert any("resampled to the model's 0.5" in note for note in found.notes)
    unknown = Dataset((replace(fine, um_per_px=None),), ("tissue", "fat"))
    with pytest.raises(MissingScaleError, match=r"f has no pixel size.*--mpp"):
        evaluate(WhiteIsFat(), unknown)


def test_a_split_by_images_is_stamped():
    data = replace(example(), image_level=True)
    assert (
        evaluate(WhiteIsFat(), data, draws=5).notes[0].startswith("image-level split: optimistic")
    )
    assert evaluate(WhiteIsFat(), example(), draws=5).notes == ()


def test_patients_that_were_trained_on_are_told(tmp_path):
    training, other = drawn(4, seed=1), drawn(2, seed=2)
    made = trained("droplet-net", training, out=tmp_path / "m", epochs=1)
    model = load_model(made.folder, device="cpu", precision="fp32")
    mixed = replace(other, samples=(*other.samples, training[0]))
    assert any(
        note.startswith(f"1 of 3 patients were trained on ({training[0].patient})")
        for note in evaluate(model, mixed, draws=5).notes
    )
    assert evaluate(model, other, draws=5).notes == ()
    assert any("this very dataset" in note for note in evaluate(model, training, draws=5).notes)


def _network(model):
    network = build(model.spec.architecture, **model.spec.parameters)
    network.load_state_dict(model.state)
    return network.float().eval()


def test_training_and_evaluation_count_alike():
    model = load_model("steatosis-he-drawn", device="cpu", precision="fp32")
    data = drawn(3, seed=5, side_px=96)
    monitor = Monitor(Samples(data, Wanted("segmentation", data.classes)), lambda a, b: a.mean())
    quick = monitor.judge(_network(model))["jaccard"]
    found = evaluate(model, data, draws=5).values["jaccard_pooled"].value
    assert found == pytest.approx(quick, abs=1e-4)


def test_average_precision_by_hand():
    first = Detections(np.array([0.9, 0.6]), np.array([True, False]), 1)
    second = Detections(np.array([0.8]), np.array([False]), 1)
    assert average_precision([first, second]) == 0.5
    assert average_precision([first, second], np.array([2, 0])) == 1
    assert np.isnan(average_precision([Detections(np.zeros(0), np.zeros(0, bool), 0)]))


class BrightIsLate:
    """A classifier of squares: the brighter, the later the class; wrong about one of them."""

    digest = "1" * 64

    def __init__(self, name: str = "bright", flip: int = 0) -> None:
        self.flip = flip
        self.arithmetic = {"device": "cpu", "precision": "fp32"}
        self.spec = ModelSpec(name, "none", "classification", ("a", "b", "c"), 1.0, 32, 0)

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        level = tiles.mean((1, 2, 3))[:, None] - self.flip
        near = -np.abs(level - np.array([60, 135, 210])) / 20
        chance = np.exp(near - near.max(1, keepdims=True))
        return (chance / chance.sum(1, keepdims=True)).astype(np.float32)


def test_a_classifier_gets_the_scores_of_classes():
    found = evaluate(BrightIsLate(), squares(12, classes=3, side=40), draws=20)
    assert found.values["accuracy"].value == 1
    assert found.confusion.tolist() == [[4, 0, 0], [0, 4, 0], [0, 0, 4]]
    assert found.by_class["b"]["sensitivity"].value == 1
    assert found.counts == {"a": 4, "b": 4, "c": 4}
    darker = evaluate(BrightIsLate(flip=60), squares(12, classes=3), draws=20)
    assert darker.values["accuracy"].value == pytest.approx(1 / 3, abs=0.01)


def test_labels_that_the_model_does_not_know_are_refused():
    with pytest.raises(BadValueError, match="has the label 'd'"):
        evaluate(BrightIsLate(), squares(4, classes=4))


def test_scores_of_one_patient_have_values_and_no_intervals():
    whole = example()
    alone = replace(whole, samples=tuple(replace(one, patient="P1") for one in whole.samples))
    found = evaluate(WhiteIsFat(), alone, draws=20)
    several = evaluate(WhiteIsFat(), whole, draws=20)
    score = found.values["dice"]
    assert score.value == several.values["dice"].value
    assert np.isnan([score.low, score.high]).all()
    assert str(score) == f"{score.value:.3f}"
    assert any("of one patient" in note for note in found.notes)
    plain = found.to_json()["scores"]["dice"]
    assert (plain["low"], plain["high"]) == (None, None)
    assert "one patient" in plain["reason"]
