from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics

from napari_steatosis.core.errors import BadValueError
from napari_steatosis.training.class_scores import class_scores, threshold_for_recall

CLASSES = ("F0", "F1", "F2")


@pytest.fixture(scope="module")
def units():
    random = np.random.default_rng(4)
    truth = random.integers(0, 3, 150)
    logits = 1.6 * np.eye(3)[truth] + random.normal(0, 1, (150, 3))
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return truth, probabilities, [f"P{number // 3}" for number in range(150)]


@pytest.fixture(scope="module")
def found(units):
    truth, probabilities, groups = units
    return class_scores(truth, probabilities, classes=CLASSES, groups=groups, draws=120)


def test_the_values_are_those_of_scikit_learn(units, found):
    truth, given, _ = units
    said = given.argmax(1)
    assert (found.n, found.groups) == (150, 50)
    assert (found.confusion == metrics.confusion_matrix(truth, said)).all()
    assert found.overall["accuracy"].value == pytest.approx((truth == said).mean())
    balanced = metrics.balanced_accuracy_score(truth, said)
    assert found.overall["balanced_accuracy"].value == pytest.approx(balanced)
    for average in ("macro", "weighted"):
        area = metrics.roc_auc_score(truth, given, multi_class="ovr", average=average)
        assert found.overall[f"auc_{average}"].value == pytest.approx(area)
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, said)
    for number, name in enumerate(CLASSES):
        own = found.by_class[name]
        assert own["precision"].value == pytest.approx(precision[number])
        assert own["sensitivity"].value == pytest.approx(recall[number])
        assert own["f1"].value == pytest.approx(f1[number])
        rest = truth != number
        assert own["specificity"].value == pytest.approx((said[rest] != number).mean())


def test_intervals_hold_the_value_and_are_wider_over_patients(units, found):
    truth, given, _ = units
    accuracy = found.overall["accuracy"]
    assert accuracy.low < accuracy.value < accuracy.high
    copies = [np.repeat(one, 4, axis=0) for one in (truth, given)]
    patients = [f"P{number // 4}" for number in range(600)]
    over_patients, over_units = (
        class_scores(*copies, classes=CLASSES, groups=groups, draws=60).overall["accuracy"]
        for groups in (patients, [str(number) for number in range(600)])
    )
    assert over_patients.high - over_patients.low > 1.5 * (over_units.high - over_units.low)


def test_a_sensitivity_of_one_class_is_not_the_sensitivity(found):
    """Each class has its own; there is no key that could be taken for all."""
    assert "sensitivity" not in found.overall
    assert set(found.by_class) == set(CLASSES)


def test_the_calibration_error_of_a_sure_fool():
    sure = np.tile([0.9, 0.1], (40, 1))
    truth = np.r_[np.zeros(20, int), np.ones(20, int)]
    groups = [str(n) for n in range(40)]
    found = class_scores(truth, sure, classes=("a", "b"), groups=groups, draws=10)
    assert found.overall["calibration_error"].value == pytest.approx(0.4)


def test_a_class_that_lacks_has_no_score():
    given = np.tile([0.6, 0.3, 0.1], (6, 1))
    found = class_scores(
        [0, 0, 1, 1, 0, 1], given, classes=CLASSES, groups=list("abcdef"), draws=20
    )
    assert np.isnan(found.by_class["F2"]["sensitivity"].value)
    written = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert written["by_class"]["F2"]["auc"] == [None, None, None]


@pytest.mark.parametrize(
    ("truth", "given", "said"),
    [
        ([0, 1], np.ones((3, 3)) / 3, "do not fit together"),
        ([0, 3], np.ones((2, 3)) / 3, "Labels are from 0 to 2"),
        ([0, 1], np.full((2, 3), np.nan), "no numbers"),
    ],
)
def test_bad_input(truth, given, said):
    with pytest.raises(BadValueError, match=said):
        class_scores(truth, given, classes=CLASSES, groups=["a"] * len(truth))


def test_the_threshold_for_a_recall():
    random = np.random.default_rng(0)
    truth = random.random(500) < 0.3
    probability = np.clip(0.4 * truth + random.random(500) * 0.6, 0, 1)
    cut = threshold_for_recall(truth, probability, recall=0.95)
    assert (probability[truth] >= cut).mean() >= 0.95
    assert (probability[truth] > cut).mean() < 0.95
    with pytest.raises(BadValueError, match="0 positive"):
        threshold_for_recall([False], [0.4], recall=0.5)
